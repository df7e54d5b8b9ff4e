/**
 * VS Code's look for standard controls. The only importer of @vscode/webview-ui-toolkit, which is no
 * longer maintained: when it has to go, this file is what changes.
 */

import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeProgressRing,
} from '@vscode/webview-ui-toolkit';
import { h, type ComponentChildren, type VNode } from 'preact';

/** Defines the custom elements; call it once before the first render. */
export function registerToolkit(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeCheckbox(),
    vsCodePanels(),
    vsCodePanelTab(),
    vsCodePanelView(),
    vsCodeProgressRing(),
  );
}

interface ButtonProps {
  appearance?: 'primary' | 'secondary' | 'icon';
  label?: string;
  title?: string;
  disabled?: boolean;
  onClick: () => void;
  children: ComponentChildren;
}

export function Button({ appearance = 'secondary', label, children, ...rest }: ButtonProps): VNode {
  return h('vscode-button', { appearance, 'aria-label': label, ...rest } as object, children);
}

interface CheckboxProps {
  checked: boolean;
  disabled?: boolean;
  title?: string;
  onChange: (checked: boolean) => void;
  children: ComponentChildren;
}

export function Checkbox({ checked, disabled = false, title, onChange, children }: CheckboxProps): VNode {
  const change = (event: Event): void => {
    const next = (event.target as HTMLInputElement).checked;
    // The element also reports changes that we made ourselves.
    if (next !== checked) onChange(next);
  };
  return h('vscode-checkbox', { checked, disabled, title, onChange: change } as object, children);
}

interface TabsProps<Id extends string> {
  label: string;
  active: Id;
  tabs: { id: Id; title: string }[];
  onChange: (id: Id) => void;
  /** Content of the active tab; the others are not rendered. */
  children: ComponentChildren;
}

export function Tabs<Id extends string>({ label, active, tabs, onChange, children }: TabsProps<Id>): VNode {
  const change = (event: Event): void => {
    // Controls inside a tab report their changes here as well.
    if (event.target !== event.currentTarget) return;
    const id = (event.currentTarget as unknown as { activeid: string }).activeid.replace('tab-', '') as Id;
    if (id !== active && tabs.some((tab) => tab.id === id)) onChange(id);
  };
  return h(
    'vscode-panels',
    // Its own indicator is animated and lags behind fast keys; panel.css marks the selected tab.
    { activeid: `tab-${active}`, activeindicator: false, 'aria-label': label, onChange: change } as object,
    tabs.map(({ id, title }) => {
      // The element tells of a change only; one who presses the chosen tab of a closed part wants to see it.
      const again = id === active && { onClick: () => onChange(id) };
      return h('vscode-panel-tab', { id: `tab-${id}`, key: `tab-${id}`, ...again } as object, title);
    }),
    tabs.map(({ id }) =>
      h('vscode-panel-view', { id: `view-${id}`, key: `view-${id}` }, id === active ? children : null),
    ),
  );
}

/** Announces itself assertively: mount it only while something is under way. */
export function ProgressRing(): VNode {
  return h('vscode-progress-ring', {});
}
