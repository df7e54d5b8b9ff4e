/** Settings of an evaluation in words: the header of a results file names them as the options do. */

const NAMES: Readonly<Record<string, string>> = {
  system: 'system prompt',
  minPixels: 'fewest pixels of a picture',
  maxPixels: 'most pixels of a picture',
  latents: 'latent blocks',
  protocol: 'changed rules of the latent protocol',
  seed: 'seed',
  temperature: 'temperature',
  topP: 'top-p',
  topK: 'top-k',
  repetitionPenalty: 'repetition penalty',
  maxTokens: 'longest answer',
  force: 'forced tokens',
  question: 'question asked',
  weights: 'weights',
  intervention: 'what is fed at the latents',
  tests: 'tests',
  swapAmong: 'samples that a swap chooses among',
};

/** What stands for a setting that a header does not name. */
const ABSENT: Readonly<Record<string, string>> = {
  system: "the chat template's own",
  minPixels: "the checkpoint's own",
  maxPixels: "the checkpoint's own",
  topK: "the checkpoint's own",
  protocol: 'none',
  question: "each sample's own",
  weights: 'float32',
  intervention: "the model's own latents",
  swapAmong: 'none',
};

/** "temperature" of "temperature"; a setting that is not known here keeps its name. */
export function settingName(key: string): string {
  return NAMES[key] ?? key;
}

export function settingText(key: string, value: unknown): string {
  if (value === undefined || value === null) return ABSENT[key] ?? 'not given';
  if (typeof value === 'string') return key === 'question' || key === 'system' ? `“${value}”` : value;
  if (typeof value === 'object') return objectText(key, value);
  return `${JSON.stringify(value)}${key === 'maxTokens' ? ' tokens' : ''}`;
}

/** Tokens by their index as --force takes them; other values as JSON. */
function objectText(key: string, value: object): string {
  const entries = Object.entries(value) as [string, unknown][];
  if (entries.length === 0) return 'none';
  return key === 'force'
    ? entries.map(([index, id]) => `${index}:${String(id)}`).join(',')
    : JSON.stringify(value);
}

/** "temperature: 0; seed: 3" */
export function settingsText(settings: Readonly<Record<string, unknown>>, keys: readonly string[]): string {
  return keys.map((key) => `${settingName(key)}: ${settingText(key, settings[key])}`).join('; ');
}
