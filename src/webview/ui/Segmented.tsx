/** A choice among a few, shown side by side: one tab stop, arrow keys move within. */

import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';

interface Option<Value> {
  value: Value;
  label: string;
  title?: string;
  disabled?: boolean;
}

interface SegmentedProps<Value> {
  label: string;
  visibleLabel?: boolean;
  value: Value;
  options: Option<Value>[];
  onChange: (value: Value) => void;
}

export function Segmented<Value extends string>(props: SegmentedProps<Value>): VNode {
  const { label, visibleLabel = false, value, options, onChange } = props;
  const group = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const open = options.filter(({ disabled }) => disabled !== true);
    const at = open.findIndex((option) => option.value === value);
    const next = open[(at + by + open.length) % open.length];
    if (next === undefined) return;
    onChange(next.value);
    group.current?.querySelector<HTMLElement>(`[data-value="${CSS.escape(next.value)}"]`)?.focus();
  };
  return (
    <div class="field">
      {visibleLabel && <span class="field-label">{label}</span>}
      <div ref={group} class="segmented" role="radiogroup" aria-label={label} onKeyDown={move}>
        {options.map((option) => (
          <button
            key={option.value}
            type="button"
            role="radio"
            data-value={option.value}
            aria-checked={option.value === value}
            tabIndex={option.value === value ? 0 : -1}
            disabled={option.disabled}
            title={option.title}
            onClick={() => onChange(option.value)}
          >
            {option.label}
          </button>
        ))}
      </div>
    </div>
  );
}
