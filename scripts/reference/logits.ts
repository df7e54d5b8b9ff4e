/**
 * Logits of a prompt with a picture, for checkModel.py: what a model folder, with or without an adapter, gives
 * here, to be compared with what Python's own libraries make of the same folders.
 *
 *   npx tsx scripts/reference/logits.ts MODEL ANSWERS.safetensors [ADAPTER]
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { encodePrompt, promptParts } from '../../src/checkpoint/text/chatTemplate.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { processImage } from '../../src/checkpoint/pixels/image.ts';
import { writeSafetensors } from '../../src/checkpoint/formats/writeSafetensors.ts';
import { Model } from '../../src/inference/model.ts';

const PICTURE = fileURLToPath(new URL('../../examples/map-01.png', import.meta.url));
const QUESTION = 'Go down, then right. Where do you stand?';

const [folder, answers, adapter] = process.argv.slice(2);
if (folder === undefined || answers === undefined)
  throw new Error('usage: logits.ts MODEL ANSWERS.safetensors [ADAPTER]');
const model = await Model.open(await openCheckpoint(folder, { adapter }), 'cpu');
const { checkpoint } = model;
const image = await processImage(await readFile(PICTURE), PICTURE, checkpoint.processor);
const { grid } = image;
const { ids } = encodePrompt(checkpoint, { parts: promptParts(QUESTION, 1, 'first') }, [image.mergedTokens]);
const features = await model.encodeImage(image.pixelValues, grid);
const { embeddings, positions } = await model.embedPrompt(ids, [{ features, grid }]);
const { hidden } = await model.prefill(model.newCache(), embeddings, positions);
const logits = await model.logits(hidden);
const patches = grid.height * grid.width;
await writeSafetensors(answers, [
  { name: 'input_ids', shape: [1, ids.length], read: () => Float32Array.from(ids) },
  {
    name: 'pixel_values',
    shape: [patches, image.pixelValues.length / patches],
    read: () => image.pixelValues,
  },
  { name: 'image_grid_thw', shape: [1, 3], read: () => Float32Array.of(1, grid.height, grid.width) },
  { name: 'logits', shape: logits.shape, read: () => logits.data },
]);
await model.release();
