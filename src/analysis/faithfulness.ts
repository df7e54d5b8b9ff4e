/** Faithfulness: whether the patches that a map puts first are those that the latent's state depends on. */

import * as z from 'zod';
import { message } from '../base/l10n.ts';
import { COSINE, SHARE } from './check.ts';
import { analysis, numbers } from './definition.ts';

/** Why a map has no order: all of its attention is 0, or it is the same at every patch. */
export const WITHOUT_ORDER = ['no-look', 'even'] as const;

/** What a measure is when patches are taken away or given back. P + 1 fractions. */
const curves = z.strictObject({
  /** [P + 1]: without the first patches of the map's order; absent where it has none. */
  deletion: numbers(1).optional(),
  /** [P + 1]: with the first patches of the map's order alone; absent where it has none. */
  insertion: numbers(1).optional(),
  /** The same by the order of what all latents look at. */
  sinkDeletion: numbers(1).optional(),
  sinkInsertion: numbers(1).optional(),
  /** [R, P + 1]: without the first patches of random orders. */
  random: numbers(2),
  /** [P + 1]: all patches moved by that share towards the picture's mean feature; not with a mask. */
  mean: numbers(1).optional(),
});

export const faithfulness = analysis({
  version: 2,
  needs: 'model',
  secondRun: false,
  parameters: z.strictObject({
    /** Counted from 1. */
    block: z.int().min(1).default(1),
    /** Of the block, counted from 1; 0: all of it. */
    latent: z.int().min(0).default(1),
    /** Counted from 1; 0: the one whose latents look at the pictures most. */
    layer: z.int().min(0).default(0),
    map: z.enum(['attention', 'similarity']).default('attention'),
    /** How a patch is taken away. */
    hide: z.enum(['features', 'mask']).default('features'),
    /** Steps from none to all patches. */
    points: z.int().min(2).max(32).default(6),
    /** Random orders. */
    orders: z.int().min(3).max(100).default(8),
    seed: z.int().min(0).default(0),
  }),
  offered: {
    block: { label: message('Block') },
    latent: { label: message('Latent (0: all)') },
    map: {
      label: message('Map'),
      options: { attention: message('attention'), similarity: message('similarity') },
    },
    layer: { label: message('Layer (0: looks most)') },
    hide: {
      label: message('Patches are'),
      options: { features: message('the picture’s mean'), mask: message('hidden by the mask') },
    },
    orders: { label: message('Random orders') },
  },
  result: z.strictObject({
    /** Whose attention is the map, counted from 0. */
    layer: z.int().min(0),
    /** [P + 1], from 0 to 1: of the patches. */
    fractions: numbers(1),
    latents: z.array(
      z.strictObject({
        /** In the run's order. */
        latent: z.int().min(0),
        /** Why its map has no order, and so no score; absent where it has one. */
        withoutOrder: z.enum(WITHOUT_ORDER).optional(),
        /** Cosine of the state after the latent with its own. */
        state: curves,
        /** Nats: change of the answer's log-probability where the words are read with the latents so made. */
        answer: curves,
      }),
    ),
  }),
  check({ layer, fractions, latents }, claims) {
    claims.index('the layer', layer, claims.run.layers);
    const count = fractions.shape[0]!;
    claims.array('fractions', fractions, [count], SHARE);
    for (const { latent, withoutOrder, state, answer } of latents) {
      claims.index('a latent', latent, claims.run.latents);
      const hasMap = [state, answer].every(({ deletion, insertion }) => deletion && insertion);
      if (!hasMap && withoutOrder === undefined)
        claims.fail('a latent', 'with the curves of its map', 'none');
      for (const [part, bounds] of [
        [state, COSINE],
        [answer, undefined],
      ] as const) {
        const { random, ...single } = part;
        claims.array('random orders', random, [random.shape[0]!, count], bounds);
        for (const curve of Object.values(single))
          if (curve !== undefined) claims.array('a curve', curve, [count], bounds);
      }
    }
  },
  tab: 'faithfulness',
  title: message('Faithfulness of a map'),
  method: message(
    'Patches are taken away in the order of the latent’s map (deletion), or given back in it (insertion): their features ' +
      'become the picture’s mean, or the mask hides them from the block’s latents. Measured are the cosine of the state ' +
      'after the latent with its own, and the change of the answer’s log-probability where the words are read over the ' +
      'whole picture with the latents so made. Score: area between the map’s curve and the mean of random orders; a map that is ' +
      'the same at every patch has no order, and so no score.',
  ),
  source: message(
    'Deletion and insertion: Petsiuk et al., arXiv 1806.07421. Random and sink orders as baselines are ours.',
  ),
  limits: message(
    'A patch’s features already hold what the tower mixed into them from elsewhere. Mean features are nothing that the ' +
      'model was trained on. A map can be faithful to a latent that no word needs: the answer’s curve then stays flat.',
  ),
});
