/** Names of tensors: releases of transformers differ, we use those of 4.50. */

/** A file's tensor name → the name of transformers 4.50. */
export function canonicalName(name: string): string {
  if (name.startsWith('model.visual.')) return name.slice('model.'.length);
  if (name.startsWith('model.language_model.')) return `model.${name.slice('model.language_model.'.length)}`;
  return name;
}

/** A name of transformers 4.50 → the one that releases from 4.52 on use. */
export function newerName(name: string): string {
  if (name.startsWith('visual.')) return `model.${name}`;
  return name.startsWith('model.') ? `model.language_model.${name.slice('model.'.length)}` : name;
}
