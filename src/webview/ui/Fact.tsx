/** An item of a header's list of facts; its name is for screen readers, its title for both. */

import type { ComponentChildren, VNode } from 'preact';

interface FactProps {
  name: string;
  title?: string;
  children: ComponentChildren;
}

export function Fact({ name, title, children }: FactProps): VNode {
  return (
    <li title={title}>
      <span class="hidden">{name}: </span>
      {children}
      {title !== undefined && <span class="hidden"> ({title})</span>}
    </li>
  );
}
