/**
 * "Get model…": a checkpoint from the Hugging Face hub. A copy on this machine is offered first; the server is asked
 * for sizes when a model was chosen, and for the model itself when its size was seen and agreed to.
 */

import { join } from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod';
import type { FolderKind } from '../files/modelFolder.ts';
import { checkRevision, hubEndpoint, parseRepository } from '../hub/address.ts';
import { findCached } from '../hub/cache.ts';
import { AccessError } from '../hub/failures.ts';
import {
  checkRoom,
  fetchOffer,
  readOffer,
  roomFor,
  type FetchProgress,
  type Offer,
  type Room,
} from '../hub/getModel.ts';
import { KNOWN_CHECKPOINTS, type KnownCheckpoint } from '../hub/known.ts';
import { Hub } from '../hub/server.ts';
import { inBytes } from '../process/memory.ts';
import { withToken } from './hubToken.ts';
import { selectAdapter, selectModel } from './modelCommand.ts';
import type { Reporter } from './report.ts';
import { requireTrust } from './trust.ts';
import { askSecret, choose, chooseOrType, showProgress, type Button, type Choice } from './window.ts';

interface Services {
  context: vscode.ExtensionContext;
  reporter: Reporter;
}

/** What one call of the command works with. */
interface Errand extends Services {
  endpoint: string;
  /** Asks the person for a token; absent in a call from code. */
  ask?: () => Promise<string | undefined>;
}

/** Second argument of `ilvr.getModel` when it is called from code: no dialog is shown, and nothing is asked. */
const callOptions = z.strictObject({
  /** Absolute path of the model's own folder; made if need be. */
  folder: z.string(),
  revision: z.string().default('main'),
});

/** Folder in which the folders of models lie, if it was chosen once. */
const PARENT_KEY = 'ilvr.modelsFolder';

/**
 * @param name "owner/name"; asked for if absent
 * @param options see `callOptions`
 * @returns the model's folder, or undefined when a dialog was left
 */
export async function getModel(
  services: Services,
  name?: unknown,
  options?: unknown,
): Promise<string | undefined> {
  requireTrust('Models are fetched in trusted workspaces only');
  const endpoint = hubEndpoint();
  if (options !== undefined) return getFromCode({ ...services, endpoint }, name, options);
  const typed = typeof name === 'string' ? name : await chooseRepository(endpoint);
  if (typed === undefined) return undefined;
  const ask = (): Promise<string | undefined> => askToken(endpoint);
  return getByDialog({ ...services, endpoint, ask }, parseRepository(typed, endpoint));
}

async function getFromCode(services: Errand, name: unknown, options: unknown): Promise<string> {
  const { folder, revision } = callOptions.parse(options);
  const repository = parseRepository(z.string().parse(name), services.endpoint);
  const offer = await askOffer(services, repository, checkRevision(revision));
  await fetchInto(services, offer, folder);
  return folder;
}

async function getByDialog(errand: Errand, repository: string): Promise<string | undefined> {
  const cached = await findCached(repository, 'main');
  if (cached !== undefined) {
    const use = await chooseCopy(repository, cached.folder, errand.endpoint);
    if (use === undefined) return undefined;
    if (use === 'cached') return openModel(errand, cached.kind, cached.folder);
  }
  const offer = await askOffer(errand, repository, 'main');
  const folder = await choosePlace(errand, offer);
  if (folder === undefined) return undefined;
  await fetchInto(errand, offer, folder);
  const open: Button = {
    title: offer.kind === 'model' ? vscode.l10n.t('Open this model') : vscode.l10n.t('Use this adapter'),
    run: () => openModel(errand, offer.kind, folder),
  };
  errand.reporter.inform(vscode.l10n.t('{0} is whole and checked: {1}', repository, folder), open);
  return folder;
}

async function chooseRepository(endpoint: string): Promise<string | undefined> {
  const picked = await chooseOrType(
    KNOWN_CHECKPOINTS.map(itemOf),
    (value) => ({ label: value, description: vscode.l10n.t('from {0}', endpoint) }),
    {
      title: vscode.l10n.t('Which model?'),
      placeholder: vscode.l10n.t('owner/name on {0}; its size is shown before anything is fetched', endpoint),
    },
  );
  return picked?.label;
}

function itemOf({ repository, base, family, latents }: KnownCheckpoint): Choice {
  if (family === undefined) {
    return {
      label: repository,
      description: base,
      detail: vscode.l10n.t('A base model, without latents'),
    };
  }
  const detail = latents
    ? vscode.l10n.t('Its latents run and are shown')
    : vscode.l10n.t('Its latent protocol is not supported yet: it runs as a plain {0}', base);
  return { label: repository, description: family, detail };
}

async function chooseCopy(
  repository: string,
  folder: string,
  endpoint: string,
): Promise<'cached' | 'fetch' | undefined> {
  const items = [
    {
      label: vscode.l10n.t('Open the copy in the Hugging Face cache'),
      detail: folder,
      icon: 'folder-opened',
      use: 'cached' as const,
    },
    {
      label: vscode.l10n.t('Ask the hub for it'),
      detail: endpoint,
      icon: 'cloud-download',
      use: 'fetch' as const,
    },
  ];
  const title = vscode.l10n.t('{0} is on this machine', repository);
  return (await choose(items, { title, ignoreFocusOut: true }))?.use;
}

/** Asks where to, with the size and the free disk of each place. */
async function choosePlace({ context }: Services, offer: Offer): Promise<string | undefined> {
  const own = join(context.globalStorageUri.fsPath, 'models');
  let parent = context.globalState.get<string>(PARENT_KEY) ?? own;
  for (;;) {
    const folder = join(parent, offer.repository.replace('/', '--'));
    const room = await roomFor(offer, folder);
    const fetch = {
      label:
        room.missing === 0
          ? vscode.l10n.t('Check what is there')
          : vscode.l10n.t('Get {0} into this folder', inBytes(room.missing)),
      description: describeRoom(room),
      detail: folder,
      icon: 'cloud-download',
    };
    const another = { label: vscode.l10n.t('Another folder…'), icon: 'folder-opened' };
    const title = vscode.l10n.t('{0}: {1}', offer.repository, inBytes(offer.bytes));
    const picked = await choose([fetch, another], { title, ignoreFocusOut: true });
    if (picked === undefined) return undefined;
    if (picked === fetch) {
      checkRoom(room, folder);
      return folder;
    }
    parent = (await askFolder()) ?? parent;
    await context.globalState.update(PARENT_KEY, parent);
  }
}

function describeRoom({ cached, free }: Room): string {
  if (cached === 0) return vscode.l10n.t('{0} free', inBytes(free));
  return vscode.l10n.t('{0} free · {1} copied from the Hugging Face cache', inBytes(free), inBytes(cached));
}

async function askFolder(): Promise<string | undefined> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      title: vscode.l10n.t('Folder for models'),
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: vscode.l10n.t('Select'),
    })) ?? [];
  return folder?.fsPath;
}

function askOffer(errand: Errand, repository: string, revision: string): Promise<Offer> {
  return withHub(errand, repository, vscode.l10n.t('Asking {0}', errand.endpoint), (hub) =>
    readOffer(hub, repository, revision),
  );
}

function fetchInto(errand: Errand, offer: Offer, folder: string): Promise<void> {
  const title = vscode.l10n.t('Getting {0}', offer.repository);
  return withHub(errand, offer.repository, title, (hub, report) =>
    fetchOffer(hub, offer, folder, (progress) => report(textOf(progress))),
  );
}

function askToken(endpoint: string): Promise<string | undefined> {
  return askSecret(
    vscode.l10n.t('Access token for {0}', endpoint),
    vscode.l10n.t(
      'The server gives this model to known users only, or has no such model. A token that may read it is made at {0}/settings/tokens; it stays in VS Code’s secret storage.',
      endpoint,
    ),
  );
}

/** Does something with the hub, shown with a cancel button; a token is asked for if the server asks. */
async function withHub<T>(
  { context, reporter, endpoint, ask }: Errand,
  repository: string,
  title: string,
  work: (hub: Hub, report: (message: string) => void) => Promise<T>,
): Promise<T> {
  try {
    return await withToken({ secrets: context.secrets, endpoint, ask }, async (token) =>
      showProgress(title, async (report, cancellation) => {
        const cancel = new AbortController();
        cancellation.onCancellationRequested(() => cancel.abort());
        return work(new Hub({ endpoint, token, signal: cancel.signal }), report);
      }),
    );
  } catch (error) {
    if (error instanceof AccessError) {
      const page = vscode.Uri.parse(`${endpoint}/${repository}`, true);
      reporter.show(error, [
        { title: vscode.l10n.t('Open its page'), run: () => vscode.env.openExternal(page) },
      ]);
    }
    throw error;
  }
}

/** "1.2 GB of 7.5 GB (16 %) · model-00001-of-00002.safetensors" */
function textOf({ file, done, total }: FetchProgress): string {
  const share = total === 0 ? 100 : Math.floor((done / total) * 100);
  return vscode.l10n.t('{0} of {1} ({2} %) · {3}', inBytes(done), inBytes(total), share, file);
}

async function openModel({ context }: Services, kind: FolderKind, folder: string): Promise<string> {
  if (kind === 'adapter') await selectAdapter(folder);
  else await selectModel(context, vscode.Uri.file(folder));
  return folder;
}
