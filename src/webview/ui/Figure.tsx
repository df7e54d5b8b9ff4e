/** A named figure, and a titled group of them. */

import type { ComponentChildren, VNode } from 'preact';

export function Group({ title, children }: { title: string; children: ComponentChildren }): VNode {
  return (
    <section class="group">
      <h3>{title}</h3>
      <dl>{children}</dl>
    </section>
  );
}

interface FigureProps {
  name: string;
  value: string;
  /** What the name means. */
  title?: string;
  strong?: boolean;
  /** 0 to 1 */
  bar?: number;
}

export function Figure({ name, value, title, strong = false, bar }: FigureProps): VNode {
  return (
    <div class="figure" data-strong={strong} title={title}>
      <dt>{name}</dt>
      <dd>
        {bar !== undefined && (
          <span class="figure-bar" aria-hidden="true" style={{ '--share': bar.toFixed(4) }} />
        )}
        {value}
      </dd>
    </div>
  );
}
