/** A small model folder, data and configs for tests of training runs. */

import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asWeight, readStoredTensors, readTensor } from '../../../src/checkpoint/formats/safetensors.ts';
import { writeSafetensors } from '../../../src/checkpoint/formats/writeSafetensors.ts';
import { EXAMPLES, temporaryFolder } from '../../fixtures/cli.ts';
import { bundledModel } from '../../fixtures/paths.ts';

/** The bundled model with one layer of each tower. */
export async function writeSmallModel(): Promise<string> {
  const folder = temporaryFolder();
  const others = ['model.safetensors', 'ilvr_export.json'];
  for (const name of readdirSync(bundledModel))
    if (!others.includes(name)) copyFileSync(join(bundledModel, name), join(folder, name));
  const config = JSON.parse(readFileSync(join(bundledModel, 'config.json'), 'utf8')) as {
    vision_config: object;
  };
  const vision = { ...config.vision_config, depth: 1, fullatt_block_indexes: [0] };
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ ...config, num_hidden_layers: 1, latent_size: 2, vision_config: vision }),
  );
  const stored = await readStoredTensors(join(bundledModel, 'model.safetensors'));
  const kept = [...stored].filter(([name]) => !/(layers|blocks)\.[1-9]/.test(name));
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    kept.map(([name, tensor]) => ({
      name,
      shape: tensor.shape,
      read: () => readTensor(asWeight(name, tensor)),
    })),
  );
  return folder;
}

/** A config file in a folder of its own. */
export function writeConfig(settings: Record<string, unknown>): string {
  const file = join(temporaryFolder(), 'train.json');
  const config = { data: join(EXAMPLES, 'samples.jsonl'), run: 'run', steps: 4, batch: 1, ...settings };
  writeFileSync(file, JSON.stringify(config, null, 2));
  return file;
}
