/**
 * The theme variables that the panel uses, as VS Code sets them on a webview's root element: values of
 * Dark Modern, Light Modern and the two high-contrast themes. An absent variable is absent there too.
 */

export type ThemeName = 'dark' | 'light' | 'hc-dark' | 'hc-light';

/** The class VS Code gives a webview's body. */
export const BODY_CLASSES: Record<ThemeName, string> = {
  dark: 'vscode-dark',
  light: 'vscode-light',
  'hc-dark': 'vscode-high-contrast',
  'hc-light': 'vscode-high-contrast-light vscode-high-contrast',
};

type Row = [
  name: string,
  dark: string | null,
  light: string | null,
  hcDark: string | null,
  hcLight: string | null,
];

const ROWS: Row[] = [
  ['foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['disabledForeground', 'rgba(204, 204, 204, 0.5)', 'rgba(97, 97, 97, 0.5)', '#a5a5a5', '#7f7f7f'],
  ['descriptionForeground', '#9d9d9d', '#3b3b3b', 'rgba(255, 255, 255, 0.7)', 'rgba(41, 41, 41, 0.7)'],
  ['errorForeground', '#f85149', '#f85149', '#f48771', '#b5200d'],
  ['focusBorder', '#0078d4', '#005fb8', '#f38518', '#006bbd'],
  ['contrastBorder', null, null, '#6fc3df', '#0f4a85'],
  ['contrastActiveBorder', null, null, '#f38518', '#006bbd'],
  ['editor-background', '#1f1f1f', '#ffffff', '#000000', '#ffffff'],
  ['editor-foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['editorWarning-foreground', '#cca700', '#bf8803', '#ffd370', '#895503'],
  ['editorError-foreground', '#f14c4c', '#e51400', '#f48771', '#b5200d'],
  ['editorWidget-background', '#202020', '#f8f8f8', '#0c141f', '#ffffff'],
  ['editorWidget-foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['editorWidget-border', '#454545', '#c8c8c8', '#6fc3df', '#0f4a85'],
  ['widget-border', '#313131', '#e5e5e5', '#6fc3df', '#0f4a85'],
  ['widget-shadow', 'rgba(0, 0, 0, 0.36)', 'rgba(0, 0, 0, 0.16)', null, null],
  ['panel-background', '#181818', '#f8f8f8', '#000000', '#ffffff'],
  ['panel-border', '#2b2b2b', '#e5e5e5', '#6fc3df', '#0f4a85'],
  ['panelTitle-activeBorder', '#0078d4', '#005fb8', '#6fc3df', '#b5200d'],
  ['panelTitle-activeForeground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['panelTitle-inactiveForeground', '#9d9d9d', '#3b3b3b', '#ffffff', '#292929'],
  ['input-background', '#313131', '#ffffff', '#000000', '#ffffff'],
  ['input-foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['input-border', '#3c3c3c', '#cecece', '#6fc3df', '#0f4a85'],
  ['input-placeholderForeground', '#989898', '#767676', 'rgba(255, 255, 255, 0.7)', 'rgba(41, 41, 41, 0.7)'],
  ['button-background', '#0078d4', '#005fb8', null, '#0f4a85'],
  ['button-foreground', '#ffffff', '#ffffff', '#ffffff', '#ffffff'],
  ['button-hoverBackground', '#026ec1', '#0258a8', null, '#0f4a85'],
  ['button-border', 'rgba(255, 255, 255, 0.07)', 'rgba(0, 0, 0, 0.1)', '#6fc3df', '#0f4a85'],
  ['button-secondaryBackground', '#313131', '#e5e5e5', null, '#ffffff'],
  ['button-secondaryForeground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['button-secondaryHoverBackground', '#3c3c3c', '#cccccc', null, null],
  ['checkbox-background', '#313131', '#f8f8f8', '#000000', '#ffffff'],
  ['checkbox-border', '#3c3c3c', '#cecece', '#6fc3df', '#0f4a85'],
  ['checkbox-foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['dropdown-background', '#313131', '#ffffff', '#000000', '#ffffff'],
  ['dropdown-foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  ['dropdown-border', '#3c3c3c', '#cecece', '#6fc3df', '#0f4a85'],
  ['input-background', '#313131', '#ffffff', '#000000', '#ffffff'],
  ['input-foreground', '#cccccc', '#3b3b3b', '#ffffff', '#292929'],
  [
    'inputOption-activeBackground',
    'rgba(36, 137, 219, 0.51)',
    '#bed6ed',
    'rgba(0, 0, 0, 0)',
    'rgba(0, 0, 0, 0)',
  ],
  ['inputOption-activeBorder', '#2488db', '#005fb8', '#6fc3df', '#0f4a85'],
  ['inputOption-activeForeground', '#ffffff', '#000000', '#ffffff', '#292929'],
  ['inputValidation-errorBackground', '#5a1d1d', '#f2dede', '#000000', '#ffffff'],
  ['inputValidation-errorBorder', '#be1100', '#be1100', '#6fc3df', '#0f4a85'],
  ['list-hoverBackground', '#2a2d2e', '#f2f2f2', 'rgba(255, 255, 255, 0.1)', 'rgba(15, 74, 133, 0.1)'],
  ['list-inactiveSelectionBackground', '#37373d', '#e4e6f1', null, 'rgba(15, 74, 133, 0.1)'],
  ['list-activeSelectionBackground', '#04395e', '#e8e8e8', null, 'rgba(15, 74, 133, 0.1)'],
  ['list-activeSelectionForeground', '#ffffff', '#000000', null, null],
  ['toolbar-hoverBackground', 'rgba(90, 93, 94, 0.31)', 'rgba(184, 184, 184, 0.31)', null, null],
  ['progressBar-background', '#0078d4', '#005fb8', '#6fc3df', '#0f4a85'],
  ['textLink-foreground', '#4daafc', '#005fb8', '#21a6ff', '#0f4a85'],
  ['charts-blue', '#59a4f9', '#0063d3', '#59a4f9', '#0063d3'],
  ['charts-red', '#f14c4c', '#e51400', '#f48771', '#b5200d'],
  ['charts-yellow', '#cca700', '#bf8803', '#cca700', '#895503'],
  ['charts-green', '#89d185', '#388a34', '#89d185', '#374e06'],
  ['testing-iconPassed', '#73c991', '#73c991', '#73c991', '#007100'],
  ['testing-iconFailed', '#f14c4c', '#f14c4c', '#f14c4c', '#b5200d'],
  ['charts-orange', '#d18616', '#d18616', '#d18616', '#d18616'],
  [
    'scrollbarSlider-background',
    'rgba(121, 121, 121, 0.4)',
    'rgba(100, 100, 100, 0.4)',
    'rgba(111, 195, 223, 0.6)',
    'rgba(15, 74, 133, 0.4)',
  ],
  ['font-family', ...same('system-ui, "Segoe WPC", Ubuntu, "Droid Sans", sans-serif')],
  ['font-size', ...same('13px')],
  ['font-weight', ...same('normal')],
];

/** `--vscode-…: value` pairs of a theme. */
export function themeVariables(theme: ThemeName): Record<string, string> {
  const column = ['dark', 'light', 'hc-dark', 'hc-light'].indexOf(theme) + 1;
  return Object.fromEntries(
    ROWS.flatMap((row) => {
      const value = row[column];
      return typeof value === 'string' ? [[`--vscode-${row[0]}`, value]] : [];
    }),
  );
}

function same(value: string): [string, string, string, string] {
  return [value, value, value, value];
}
