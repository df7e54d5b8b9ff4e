/** The script of the page that shows a samples file; its HTML is as ./main.tsx says, with its own files. */

import { render } from 'preact';
import type { EvaluationPageHost, EvaluationPageMethods } from '../protocol/evaluation.ts';
import { connect } from '../protocol/rpc.ts';
import { EvaluationModel } from './evaluationModel.ts';
import { channel, storedState } from './host.ts';
import { adoptLanguage } from './language.ts';
import { registerToolkit } from './toolkit.tsx';
import { EvaluationApp } from './ui/evaluation/EvaluationApp.tsx';
import { restoreQuery } from './logic/rowQuery.ts';
import './evaluation.css';

adoptLanguage();
registerToolkit();
const model = new EvaluationModel(restoreQuery(storedState()), {
  rows: (query, from, count) => host.rows(query, from, count),
  picture: (line) => host.picture(line),
});
const methods: EvaluationPageMethods = { show: (state) => model.show(state) };
const host = connect<EvaluationPageHost, EvaluationPageMethods>(methods, channel);
render(<EvaluationApp model={model} host={host} />, document.getElementById('root')!);
void host.ready();
