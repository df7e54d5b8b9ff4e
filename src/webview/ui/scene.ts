/** What every part of the panel draws from: one immutable value per render. */

import type { PanelHost } from '../../protocol/panel.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';
import type { Analyses } from '../analyses.ts';
import type { Decoded } from '../draw/pictures.ts';
import type { Brush } from '../logic/brushing.ts';
import type { Shown } from '../logic/resolve.ts';
import type { StageMap } from '../logic/stageMap.ts';
import type { Command, View } from '../logic/view.ts';

export interface Scene {
  trace: Trace;
  /** Grows with every event: the trace itself changes in place. */
  version: number;
  maps: RunMaps;
  view: View;
  shown: Shown;
  /** How many latents have maps at hand, from the first on. */
  covered: number;
  pictures: ReadonlyMap<string, Decoded>;
  /** Why a picture cannot be shown, by its id. */
  problems: ReadonlyMap<string, string>;
  /** Token under the pointer or the keyboard's cursor. */
  token: number | undefined;
  stage: StageMap;
  brush: Brush | undefined;
  analyses: Analyses;
  /** Patches of the picture on the stage that a tab points at. */
  lit: readonly number[];
  light: (patches: readonly number[]) => void;
  /** What is wished is being read, and has been for a while; this is what was drawn before it. */
  busy: boolean;
  canRun: boolean;
  /** Outlines of patches are drawn although not asked for: a high-contrast theme. */
  highContrast: boolean;
  /** The picture has so many patches that outlines would hide them. */
  many: boolean;
  /** The picture is shown without its map, for as long as a key or a button is held. */
  alone: boolean;
  setAlone: (alone: boolean) => void;
  dispatch: (command: Command) => void;
  /** The pointer entered or left a token. */
  hoverToken: (token: number | undefined) => void;
  /** Shows a latent's map on the stage while the pointer rests on it. */
  hoverLatent: (latent: number | undefined) => void;
  /** Calls the host; what goes wrong is shown as a notice. */
  call: (action: (host: PanelHost) => Promise<void>) => void;
}
