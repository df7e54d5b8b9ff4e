/** The page around the panel's script. */

import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { bundleElement } from '../protocol/language.ts';
import { pagePolicy } from './pagePolicy.ts';

/** Where the panel's script and style live; the webview may load nothing else. */
export function resourceRoot(extensionUri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(extensionUri, 'dist');
}

/** The bundles of dist/ that are pages: traces, training runs, two runs compared, samples files. */
export type PageName = 'webview' | 'training' | 'comparison' | 'evaluation';

/**
 * HTML of a page under its policy; the toolkit reads the nonce for its styles from the meta element.
 */
export function panelHtml(
  webview: vscode.Webview,
  extensionUri: vscode.Uri,
  title: string,
  page: PageName = 'webview',
): string {
  const nonce = randomBytes(16).toString('base64');
  const uri = (file: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(resourceRoot(extensionUri), file)).toString();
  const policy = pagePolicy(webview.cspSource, nonce);
  return `<!doctype html>
<html lang="${vscode.env.language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta property="csp-nonce" content="${nonce}">
<link rel="stylesheet" href="${uri(`${page}.css`)}">
<title>${escapeHtml(title)}</title>
</head>
<body class="ilvr">
<div id="root"></div>
${bundleElement(vscode.l10n.bundle)}
<script type="module" nonce="${nonce}" src="${uri(`${page}.js`)}"></script>
</body>
</html>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
