/** PCA: gathers the vectors that the first layer is fed; the arithmetic is ../../analysis/pca.ts. */

import { computePca } from '../../analysis/pca.ts';
import type { AnalysisParameters, AnalysisResult } from '../../analysis/table.ts';
import { UserError } from '../../base/errors.ts';
import type { NumericArray } from '../../tensor/array.ts';
import type { ModelRun, RunnerContext } from './modelRun.ts';

export async function runPca(
  { model, run, pictures }: ModelRun,
  parameters: AnalysisParameters<'pca'>,
  { progress, pause }: RunnerContext<'pca'>,
): Promise<AnalysisResult<'pca'>> {
  const { imagePad } = model.checkpoint.config.tokens;
  if (run.latents.length === 0 && parameters.fit === 'latents') {
    throw new UserError({
      problem: 'There are no latents to find directions of',
      remedy: 'Find the directions of all points: fit "all".',
    });
  }
  progress({ code: 'find-directions' });
  await pause();
  const words = run.tokens.filter(({ kind }) => kind !== 'latent').map(({ id }) => id);
  const ids = [...new Set([...run.promptIds, ...words])].filter((id) => id !== imagePad);
  const { tokenizer } = model.checkpoint;
  return computePca(
    {
      latents: vectorsOf(run.latents, model.checkpoint.config.text.hiddenSize),
      pictures: pictures.map(({ picture, features }) => ({ picture: picture.id, features })),
      words: { ids, texts: ids.map((id) => tokenizer.tokenText(id)), embeddings: await model.embed(ids) },
    },
    parameters,
    pause,
  );
}

function vectorsOf(latents: ModelRun['run']['latents'], width: number): NumericArray {
  const data = new Float32Array(latents.length * width);
  latents.forEach(({ vector }, i) => data.set(vector, i * width));
  return { shape: [latents.length, width], data };
}
