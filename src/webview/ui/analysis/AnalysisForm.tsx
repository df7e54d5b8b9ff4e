/** What a reader can set before an analysis is computed. */

import type { VNode } from 'preact';
import { t } from '../../../base/l10n.ts';
import type { ParameterField } from '../../../analysis/field.ts';

/** Values by the parameters' names, as the analysis takes them. */
export type Parameters = Record<string, unknown>;

interface FormProps {
  fields: readonly ParameterField[];
  /** What was changed; the others hold what their fields do. */
  changed: Parameters;
  disabled: boolean;
  onChange: (changed: Parameters) => void;
}

export function AnalysisForm({ fields, changed, disabled, onChange }: FormProps): VNode | null {
  if (fields.length === 0) return null;
  return (
    <fieldset class="analysis-form" disabled={disabled}>
      <legend class="hidden">{t('How it is computed')}</legend>
      {fields.map((field) => (
        <Field
          key={field.name}
          field={field}
          value={changed[field.name] ?? field.value}
          set={(value) => onChange({ ...changed, [field.name]: value })}
        />
      ))}
    </fieldset>
  );
}

/** All values, changed or not. */
export function valuesOf(fields: readonly ParameterField[], changed: Parameters): Parameters {
  return Object.fromEntries(fields.map(({ name, value }) => [name, changed[name] ?? value]));
}

interface FieldProps {
  field: ParameterField;
  value: unknown;
  set: (value: unknown) => void;
}

function Field({ field, value, set }: FieldProps): VNode {
  const { label } = field;
  if (field.kind === 'switch') {
    return (
      <label class="analysis-switch">
        <input
          type="checkbox"
          checked={value === true}
          onChange={(event) => set(event.currentTarget.checked)}
        />
        {label}
      </label>
    );
  }
  if (field.kind === 'several') return <Several {...field} chosen={value as string[]} set={set} />;
  return (
    <label class="analysis-field">
      <span class="field-label">{label}</span>
      {field.kind === 'one' ? (
        <select value={value as string} onChange={(event) => set(event.currentTarget.value)}>
          {field.options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      ) : field.kind === 'number' ? (
        <input
          type="number"
          class="text-input"
          min={field.min}
          max={field.max}
          step={field.isWhole ? 1 : 0.05}
          value={value as number}
          onChange={(event) => {
            const next = event.currentTarget.valueAsNumber;
            if (Number.isFinite(next)) set(next);
          }}
        />
      ) : (
        <input
          type="text"
          class="text-input"
          inputMode="numeric"
          placeholder={t('those of the answer')}
          title={t('Positions in the answer, counted from 1, with commas; empty: those of the answer')}
          value={(value as number[]).map((token) => token + 1).join(', ')}
          onChange={(event) => set(tokensOf(event.currentTarget.value))}
        />
      )}
    </label>
  );
}

/** "12, 14": indices of tokens. What is no position is left out. */
function tokensOf(text: string): number[] {
  return text
    .split(/[\s,;]+/)
    .map(Number)
    .filter((position) => Number.isInteger(position) && position > 0)
    .map((position) => position - 1);
}

/** At least one stays. */
function Several({
  label,
  options,
  chosen,
  set,
}: Extract<ParameterField, { kind: 'several' }> & {
  chosen: string[];
  set: (value: string[]) => void;
}): VNode {
  const toggle = (value: string, isOn: boolean): void => {
    const next = options
      .map((option) => option.value)
      .filter((other) => (other === value ? isOn : chosen.includes(other)));
    if (next.length > 0) set(next);
  };
  return (
    <div class="analysis-field" role="group" aria-label={label}>
      <span class="field-label">{label}</span>
      <span class="analysis-several">
        {options.map((option) => (
          <label key={option.value} class="analysis-switch">
            <input
              type="checkbox"
              checked={chosen.includes(option.value)}
              disabled={chosen.length === 1 && chosen[0] === option.value}
              onChange={(event) => toggle(option.value, event.currentTarget.checked)}
            />
            {option.label}
          </label>
        ))}
      </span>
    </div>
  );
}
