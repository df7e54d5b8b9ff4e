/** The script of the page that shows a training run; its HTML is as ./main.tsx says, with its own files. */

import { render } from 'preact';
import type { TrainingPageHost, TrainingPageMethods } from '../protocol/training.ts';
import { connect } from '../protocol/rpc.ts';
import { channel } from './host.ts';
import { adoptLanguage } from './language.ts';
import { registerToolkit } from './toolkit.tsx';
import { TrainingModel } from './trainingModel.ts';
import { TrainingApp } from './ui/training/TrainingApp.tsx';
import './training.css';

adoptLanguage();
registerToolkit();
const model = new TrainingModel((step, sample) => host.look(step, sample));
const methods: TrainingPageMethods = {
  show: (state) => model.show(state),
  change: (change) => model.change(change),
};
const host = connect<TrainingPageHost, TrainingPageMethods>(methods, channel);
render(<TrainingApp model={model} host={host} />, document.getElementById('root')!);
void host.ready();
