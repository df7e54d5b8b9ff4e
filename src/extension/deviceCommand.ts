/** "Choose device": all of them tried, what each lacks, and CUDA's files to be got on wish. */

import * as vscode from 'vscode';
import { UserError } from '../base/errors.ts';
import type { CudaOffer } from '../hub/getCuda.ts';
import { isFoundElsewhere, runtimeFolder } from '../process/cudaFiles.ts';
import { inBytes } from '../process/memory.ts';
import type { DeviceReport } from '../protocol/engine.ts';
import { DEVICE_CHOICES, DEVICE_FACTS, deviceLabel, isOffered, type DeviceChoice } from '../tensor/device.ts';
import type { EngineService } from './engineService.ts';
import { deviceSetting, saveSetting } from './settings.ts';
import { requireTrust } from './trust.ts';
import { choose, showProgress, showWork, type Choice } from './window.ts';

interface DeviceItem extends Choice {
  choice: DeviceChoice | 'get-cuda';
  /** Why it does not work. */
  why?: string;
}

/**
 * Sets "ilvr.device".
 * @param choice asked for if it is none
 * @param enginePath beside whose modules the runtime lies
 * @returns what was set; undefined when the list was left
 */
export async function selectDevice(
  engine: EngineService,
  enginePath: string,
  choice?: unknown,
): Promise<DeviceChoice | undefined> {
  requireTrust('Settings of the engine are chosen in trusted workspaces only');
  const given = DEVICE_CHOICES.find((each) => each === choice) ?? (await ask(engine, enginePath));
  if (given === undefined) return undefined;
  await saveSetting('device', given === 'auto' ? undefined : given);
  return given;
}

async function ask(engine: EngineService, enginePath: string): Promise<DeviceChoice | undefined> {
  for (;;) {
    const reports = await showWork(vscode.l10n.t('ILVR: looking for devices …'), () => engine.devices());
    const offer = await cudaOffer(enginePath);
    const picked = await choose(itemsOf(reports, deviceSetting(), offer), {
      title: vscode.l10n.t('Where do models run?'),
      placeholder: vscode.l10n.t('Every device was tried with a small product'),
    });
    if (picked === undefined) return undefined;
    if (picked.choice !== 'get-cuda') {
      if (picked.why !== undefined) throw doesNotWork(picked.choice, picked.why);
      return picked.choice;
    }
    await getCuda(enginePath, offer!);
  }
}

function itemsOf(
  reports: readonly DeviceReport[],
  current: DeviceChoice,
  offer: CudaOffer | undefined,
): DeviceItem[] {
  const icon = (choice: DeviceChoice): string => (choice === current ? 'check' : 'blank');
  const first = reports.find(({ works }) => works);
  const auto: DeviceItem = {
    choice: 'auto',
    label: 'auto',
    icon: icon('auto'),
    description: first === undefined ? '' : `→ ${deviceLabel(first.device)}`,
    detail: vscode.l10n.t('The first that works, in this order'),
  };
  const items = reports.map(({ device, works, detail }): DeviceItem => ({
    choice: device,
    label: deviceLabel(device),
    icon: works ? icon(device) : 'circle-slash',
    description: works ? vscode.l10n.t('works') : vscode.l10n.t('does not work'),
    detail,
    ...(!works && { why: detail }),
  }));
  if (offer === undefined) return [auto, ...items];
  return [
    auto,
    ...items,
    {
      choice: 'get-cuda',
      label: vscode.l10n.t('Get CUDA’s files…'),
      icon: 'cloud-download',
      description: vscode.l10n.t('{0} from PyPI', inBytes(offer.fetched)),
      detail: offer.parts.map(({ title }) => title).join(', '),
    },
  ];
}

/** What would be fetched; undefined where nothing is missing, or this system has no CUDA. */
async function cudaOffer(enginePath: string): Promise<CudaOffer | undefined> {
  if (!isOffered('cuda', `${process.platform}-${process.arch}`)) return undefined;
  // Imported when it is wanted: the window starts without the hub.
  const { offerCuda } = await import('../hub/getCuda.ts');
  const offer = await offerCuda(runtimeFolder(enginePath), isFoundElsewhere);
  return offer.parts.length === 0 ? undefined : offer;
}

/** Asks once more, with all sizes, and fetches; cancelled, what has come is kept. */
async function getCuda(enginePath: string, offer: CudaOffer): Promise<void> {
  const folder = runtimeFolder(enginePath);
  const { fetched, kept, free } = offer;
  const get = {
    label: vscode.l10n.t('Get {0} from PyPI', inBytes(fetched)),
    description: vscode.l10n.t('{0} are kept; {1} free', inBytes(kept), inBytes(free)),
    detail: folder,
    icon: 'cloud-download',
  };
  const not = { label: vscode.l10n.t('Not now'), icon: 'close' };
  const title = vscode.l10n.t('CUDA’s provider of the runtime, and NVIDIA’s libraries');
  if ((await choose([get, not], { title, ignoreFocusOut: true })) !== get) return;
  const { fetchCuda } = await import('../hub/getCuda.ts');
  await showProgress(vscode.l10n.t('Getting {0}', 'CUDA'), async (report, cancellation) => {
    const cancel = new AbortController();
    cancellation.onCancellationRequested(() => cancel.abort());
    await fetchCuda(offer, folder, { signal: cancel.signal }, ({ file, done, total }) =>
      report(
        vscode.l10n.t(
          '{0} of {1} ({2} %) · {3}',
          inBytes(done),
          inBytes(total),
          Math.floor((100 * done) / Math.max(1, total)),
          file,
        ),
      ),
    );
  });
}

function doesNotWork(choice: DeviceChoice, found: string): UserError {
  const { needs, remedy, label } =
    choice === 'auto' ? { needs: '', remedy: '', label: choice } : DEVICE_FACTS[choice];
  return new UserError({ problem: `${label} cannot be used`, expected: needs, found, remedy });
}
