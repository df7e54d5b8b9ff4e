/**
 * The panel's script: connects to the extension host and renders.
 *
 * The host's HTML must be this shell, with N a fresh nonce and the addresses from asWebviewUri:
 *
 *     <!DOCTYPE html>
 *     <html lang="en">
 *       <head>
 *         <meta charset="utf-8">
 *         <meta name="viewport" content="width=device-width, initial-scale=1">
 *         <meta http-equiv="Content-Security-Policy" content="the policy of src/extension/pagePolicy.ts">
 *         <meta property="csp-nonce" content="N">
 *         <link rel="stylesheet" href="${dist}/webview.css">
 *         <title>ILVR</title>
 *       </head>
 *       <body class="ilvr">
 *         <div id="root"></div>
 *         the element that src/protocol/language.ts makes
 *         <script type="module" nonce="N" src="${dist}/webview.js"></script>
 *       </body>
 *     </html>
 *
 * Pictures arrive as bytes and are decoded from memory, so no img-src is needed. The csp-nonce meta is
 * read by the toolkit. localResourceRoots need hold dist only.
 */

import { render } from 'preact';
import type { PanelHost, PanelMethods } from '../protocol/panel.ts';
import { connect } from '../protocol/rpc.ts';
import { channel } from './host.ts';
import { PanelModel } from './panelModel.ts';
import { adoptLanguage } from './language.ts';
import { registerToolkit } from './toolkit.tsx';
import { App } from './ui/App.tsx';
import './panel.css';

adoptLanguage();
registerToolkit();
const model: PanelModel = new PanelModel({
  slice: (request) => host.slice(request),
  cancelSlice: (id) => host.cancelSlice(id),
  picture: (request) => host.picture(request),
  analysis: (request) => host.analysis(request),
  analyse: (request) => host.analyse(request),
  cancelAnalysis: (id) => host.cancelAnalysis(id),
  chooseModel: () => host.chooseModel(),
  calibrate: () => host.calibrate(),
});
const methods: PanelMethods = {
  show: (state) => model.show(state),
  part: (part) => model.part(part),
  event: (event) => model.event(event),
  progress: (message) => model.progress(message),
  select: (selection) => model.select(selection),
  selection: () => model.selection(),
  found: (part) => model.found(part),
};
const host: PanelHost = connect<PanelHost, PanelMethods>(methods, channel);
render(<App model={model} host={host} />, document.getElementById('root')!);
void host.ready();
