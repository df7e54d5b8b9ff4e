/** The script of the page that compares two runs; its HTML is as ./main.tsx says, with its own files. */

import { render } from 'preact';
import type { ComparisonPageHost, ComparisonPageMethods } from '../protocol/comparison.ts';
import { connect } from '../protocol/rpc.ts';
import { ComparisonModel } from './comparisonModel.ts';
import { channel } from './host.ts';
import { adoptLanguage } from './language.ts';
import { registerToolkit } from './toolkit.tsx';
import { ComparisonApp } from './ui/comparison/ComparisonApp.tsx';
import './comparison.css';

adoptLanguage();
registerToolkit();
const model: ComparisonModel = new ComparisonModel({
  slice: (request) => host.slice(request),
  cancelSlice: (request) => host.cancelSlice(request),
  picture: (request) => host.picture(request),
  likeness: () => host.likeness(),
  computeDivergence: () => host.computeDivergence(),
});
const methods: ComparisonPageMethods = {
  show: (state) => model.show(state),
  found: (part) => model.found(part),
};
const host: ComparisonPageHost = connect<ComparisonPageHost, ComparisonPageMethods>(methods, channel);
render(<ComparisonApp model={model} host={host} />, document.getElementById('root')!);
void host.ready();
