/** The whole panel: state, keys, and the regions from header to evidence. */

import type { VNode } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { messageOf } from '../../base/errors.ts';
import { t } from '../../base/l10n.ts';
import type { PanelHost } from '../../protocol/panel.ts';
import type { RunMaps } from '../../trace/runMaps.ts';
import type { Trace } from '../../trace/schema.ts';
import { MANY_PATCHES } from '../../heatmap/constants.ts';
import { storedState, storeState } from '../host.ts';
import { brushAttended, brushAttending, brushRegion, brushToken, type Brush } from '../logic/brushing.ts';
import { stageMapOf } from '../logic/stageMap.ts';
import type { Target } from '../logic/gaze.ts';
import { placeOf, preferencesOf, reduce, type Command, type View } from '../logic/view.ts';
import { restoreView } from '../logic/storedView.ts';
import type { PanelModel } from '../panelModel.ts';
import { Announcer } from './Announcer.tsx';
import { usePictureDrop } from './drop.ts';
import { Empty } from './Empty.tsx';
import { Evidence } from './Evidence.tsx';
import { Family } from './Family.tsx';
import { Header } from './Header.tsx';
import { Help, toggleHelp } from './Help.tsx';
import { useKeys } from './keys.ts';
import { Notice } from './Notice.tsx';
import type { Scene } from './scene.ts';
import { Stage } from './Stage.tsx';
import { Steps } from './Steps.tsx';
import { useTarget } from './useTarget.ts';

const REMEMBER_MS = 300;
const NONE: readonly number[] = [];

interface AppProps {
  model: PanelModel;
  host: PanelHost;
}

export function App({ model, host }: AppProps): VNode {
  const [view, change] = useView(model, host);
  const [notice, setNotice] = useState<string>();
  const [alone, setAlone] = useState(false);
  const [lit, light] = useState<readonly number[]>(NONE);
  const [hovered, setHovered] = useState<number>();
  const [hoveredLatent, setHoveredLatent] = useState<number>();
  // A command ends what the resting pointer shows: keys must not be outdone by it.
  const dispatch = useCallback(
    (command: Command) => {
      setHoveredLatent(undefined);
      change(command);
    },
    [change],
  );
  const call = useCallback<Scene['call']>(
    (action) => {
      setNotice(undefined);
      action(host).catch((error: unknown) => setNotice(messageOf(error)));
    },
    [host],
  );
  useEffect(() => model.onProblem(setNotice), [model]);
  const { trace, fileName, canRun, locked, history, family, progress } = model.state;
  const scene = useScene(
    model,
    view,
    dispatch,
    { hovered, setHovered, hoveredLatent, setHoveredLatent, alone, setAlone, lit, light },
    call,
  );
  const dropping = usePictureDrop(canRun && locked === undefined, (files) =>
    call((to) => to.addHelpers(files)),
  );
  useKeys(scene, toggleHelp);
  // It tells of the whole run, which a key press does not change.
  const header = useMemo(
    () => trace && <Header {...{ trace, fileName, canRun, locked, history, call }} />,
    [trace, model.traceVersion, fileName, canRun, locked, history, call],
  );
  // A key whose slices are still being read changes nothing of what is drawn.
  const work = useMemo(
    () =>
      scene && (
        <main class="work">
          <Steps scene={scene} />
          <Stage scene={scene} />
          <Evidence scene={scene} />
          <Announcer scene={scene} />
        </main>
      ),
    [scene],
  );
  return (
    <div class="panel" data-empty={scene === undefined}>
      {header}
      {family !== undefined && trace !== undefined && <Family family={family} shown={trace.id} call={call} />}
      {notice !== undefined && <Notice text={notice} dismiss={() => setNotice(undefined)} />}
      {progress !== undefined && scene !== undefined && (
        <p class="progress-line" role="status">
          {progress}
        </p>
      )}
      {work ?? <Empty connected={model.connected} canRun={canRun} progress={progress} call={call} />}
      <Help />
      {dropping && <div class="drop-target">{t('Drop to add helper images')}</div>}
    </div>
  );
}

/**
 * The view with its commands; stored on every change, so that a reload shows the same. How things are drawn
 * and laid out is the reader's, so a new panel begins as the last one was left.
 */
function useView(model: PanelModel, host: PanelHost): [View, (command: Command) => void] {
  const [view, setView] = useState(() => restoreView(storedState()));
  const [, setVersion] = useState(0);
  const isNew = useRef(storedState() === undefined || storedState() === null);
  const dispatch = useCallback(
    (command: Command) => setView((current) => reduce(current, command, model.state.trace)),
    [model],
  );
  useEffect(() => {
    const adopt = (): void => {
      if (!isNew.current || !model.connected) return;
      isNew.current = false;
      setView((current) => ({ ...current, ...preferencesOf(restoreView(model.state.preferences)) }));
    };
    model.onChange((change) => {
      adopt();
      const { trace } = model.state;
      if (change === 'run-started' && trace !== undefined) dispatch({ type: 'run-started', id: trace.id });
      setVersion(model.version);
    });
    model.onSelect(({ latent, token, ...values }) => {
      if (latent !== undefined) dispatch({ type: 'latent', latent });
      dispatch({ type: 'set', values });
      if (token !== undefined) dispatch({ type: 'token', token });
    });
    // The host may have answered before the first effect ran.
    adopt();
    setVersion(model.version);
  }, [model]);
  useEffect(() => {
    if (!isNew.current) storeState(view);
  }, [view]);
  model.lookedAt = () => (model.state.trace === undefined ? {} : placeOf(view, model.state.trace));
  useRemembered(view, host, isNew);
  return [view, dispatch];
}

/** Sends what the reader changed to the host, once dragging and sliding have come to rest. */
function useRemembered(view: View, host: PanelHost, isNew: { current: boolean }): void {
  const preferences = JSON.stringify(preferencesOf(view));
  const sent = useRef(preferences);
  useEffect(() => {
    if (isNew.current || sent.current === preferences) return undefined;
    const timer = setTimeout(() => {
      sent.current = preferences;
      void host.remember(JSON.parse(preferences) as object).catch(() => undefined);
    }, REMEMBER_MS);
    return () => clearTimeout(timer);
  }, [preferences, host]);
}

/** What the pointer or a held key shows without its being selected. */
interface Pointing {
  hovered: number | undefined;
  setHovered: (token: number | undefined) => void;
  hoveredLatent: number | undefined;
  setHoveredLatent: (latent: number | undefined) => void;
  /** The picture is to be seen without its map. */
  alone: boolean;
  setAlone: (alone: boolean) => void;
  lit: readonly number[];
  light: (patches: readonly number[]) => void;
}

function useScene(
  model: PanelModel,
  view: View,
  dispatch: (command: Command) => void,
  pointing: Pointing,
  call: Scene['call'],
): Scene | undefined {
  const { hovered, hoveredLatent, setHovered, setHoveredLatent, alone, setAlone, lit, light } = pointing;
  const { trace, canRun } = model.state;
  const { maps, version, traceVersion } = model;
  const { decoded: pictures, problems } = model.pictures;
  const highContrast = useHighContrast();
  const drawn = useTarget(model, { view, token: hovered ?? view.token, pointed: hoveredLatent });
  const target = drawn?.target;
  const busy = drawn?.busy ?? false;
  return useMemo(() => {
    if (trace === undefined || maps === undefined || target === undefined) return undefined;
    const { shown, token } = target;
    const grid = shown.picture?.grid ?? { rows: 0, columns: 0 };
    return {
      trace,
      version: traceVersion,
      maps,
      view: target.view,
      shown,
      covered: target.covered,
      pictures,
      problems,
      token,
      stage: stageOf(trace, maps, target),
      brush: brushOf(trace, maps, target),
      analyses: model.analyses,
      lit,
      light,
      busy,
      canRun,
      highContrast,
      many: grid.rows * grid.columns >= MANY_PATCHES,
      alone,
      setAlone,
      dispatch,
      hoverToken: setHovered,
      hoverLatent: setHoveredLatent,
      call,
    };
  }, [trace, version, maps, target, pictures, problems, busy, canRun, highContrast, alone, lit, call]);
}

/** The map of a latent that is pointed at comes before all others. */
function stageOf(trace: Trace, maps: RunMaps, { shown, token, pointed, view }: Target): Scene['stage'] {
  const latent = trace.latents[pointed ?? -1];
  if (latent === undefined) return stageMapOf(trace, maps, shown, token, view);
  return stageMapOf(trace, maps, { ...shown, latent, latentIndex: pointed! }, undefined, view);
}

/** What is lit up in the steps: a token that is looked at comes first, then a region, then the latent. */
function brushOf(trace: Trace, maps: RunMaps, { shown, view, token, paid }: Target): Brush | undefined {
  const { latent, latentIndex, picture, selector } = shown;
  const { layer, heads } = selector;
  if (token !== undefined) return brushToken(trace, maps, token, layer);
  if (view.region !== undefined && picture !== undefined)
    return brushRegion(trace, maps, picture, view.region, selector, paid);
  if (latent === undefined) return undefined;
  return view.shading === 'attending'
    ? brushAttending(trace, maps, latentIndex, layer, paid)
    : brushAttended(trace, maps, latent, layer, heads);
}

/** Follows the theme: VS Code sets a class on the body, the system a media query. */
function useHighContrast(): boolean {
  const [highContrast, setHighContrast] = useState(isHighContrast);
  const latest = useRef(highContrast);
  useEffect(() => {
    const update = (): void => {
      if (latest.current !== isHighContrast()) setHighContrast((latest.current = isHighContrast()));
    };
    const observer = new MutationObserver(update);
    observer.observe(document.body, { attributes: true, attributeFilter: ['class'] });
    return () => observer.disconnect();
  }, []);
  return highContrast;
}

function isHighContrast(): boolean {
  return (
    /vscode-high-contrast/.test(document.body.className) || matchMedia('(forced-colors: active)').matches
  );
}
