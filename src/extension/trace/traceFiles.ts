/**
 * Opens traces that are in files. The host's own thread reads small ones; large ones are read in a thread, which puts
 * their arrays into a temporary file, so that the host neither holds them nor stands still.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { messageOf, UserError } from '../../base/errors.ts';
import { readPlainFile, sizeOfFile } from '../../files/plainFile.ts';
import type { Trace } from '../../trace/schema.ts';
import { MemoryContainer, type Container } from '../../traceFile/container.ts';
import { readManifest } from '../../traceFile/manifest.ts';
import { containerOf, OpenTrace, requireLength } from '../../traceFile/openTrace.ts';
import { unpackInThread } from '../unpack/unpacker.ts';
import { AbsentContainer, openTemporary } from './containers.ts';

/** A file of so many bytes is read in the host, within 20 ms. */
const SMALL = 2 ** 18;
/** Of a file on a virtual file system, which can only be had whole. */
const MAX_VIRTUAL = 2 ** 28;

export interface TraceFilesOptions {
  /** The bundle of unpack/worker.ts. */
  unpackWorker: string;
  /** Told when a trace opens without its arrays. */
  warn: (error: UserError) => void;
}

/** A manifest, and its container or the name of the file beside it. */
interface Read {
  trace: Trace;
  arrays: Container | { file: string };
}

export class TraceFiles {
  private readonly options: TraceFilesOptions;
  private folder: Promise<string> | undefined;
  private unpacked = 0;

  constructor(options: TraceFilesOptions) {
    this.options = options;
  }

  /**
   * @throws UserError if it is no trace. One whose arrays are missing or cut off opens all the same, with its text.
   */
  async open(file: vscode.Uri): Promise<OpenTrace> {
    return file.scheme === 'file' ? this.openPath(file.fsPath) : this.openVirtual(file);
  }

  /** The same with a path. */
  async openPath(file: string): Promise<OpenTrace> {
    const { trace, arrays } = await this.readPath(file);
    const container = isContainer(arrays)
      ? arrays
      : await this.orAbsent(() => containerOf({ trace, arrays }, file));
    return new OpenTrace(trace, container);
  }

  /** Removes what was unpacked. */
  async close(): Promise<void> {
    const folder = await this.folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  private async readPath(file: string): Promise<Read> {
    if ((await sizeOfFile(file, 'trace')) > SMALL) return this.unpack({ file });
    const bytes = await readPlainFile(file, { what: 'trace', maxBytes: SMALL });
    return readManifest(new TextDecoder().decode(bytes), path.basename(file));
  }

  private async openVirtual(file: vscode.Uri): Promise<OpenTrace> {
    const bytes = await readVirtual(file);
    const name = path.posix.basename(file.path);
    const { trace, arrays }: Read =
      bytes.length > SMALL
        ? await this.unpack({ bytes, name })
        : await readManifest(new TextDecoder().decode(bytes), name);
    if (isContainer(arrays)) return new OpenTrace(trace, arrays);
    const container = await this.orAbsent(async () => {
      const beside = vscode.Uri.joinPath(file, '..', arrays.file);
      const whole = new MemoryContainer(await readVirtual(beside));
      requireLength(whole, trace, beside.toString(true));
      return whole;
    });
    return new OpenTrace(trace, container);
  }

  private async unpack(what: { file: string } | { bytes: Uint8Array; name: string }): Promise<Read> {
    this.folder ??= mkdtemp(path.join(tmpdir(), 'ilvr-unpacked-'));
    const into = path.join(await this.folder, `${this.unpacked++}.bin`);
    const { trace, arrays } = await unpackInThread(this.options.unpackWorker, { ...what, into });
    return { trace, arrays: arrays === 'unpacked' ? await openTemporary(into) : arrays };
  }

  /** A trace without its arrays is still worth reading; what is missing is told, now and where it is asked for. */
  private async orAbsent(open: () => Promise<Container>): Promise<Container> {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.options.warn(error);
      return new AbsentContainer(error);
    }
  }
}

function isContainer(arrays: Read['arrays']): arrays is Container {
  return 'read' in arrays;
}

async function readVirtual(file: vscode.Uri): Promise<Uint8Array> {
  const refused = (found: string, cause?: unknown): UserError =>
    new UserError(
      {
        problem: 'This trace cannot be opened from there',
        expected: `a file of at most ${MAX_VIRTUAL / 2 ** 20} MB`,
        found,
        where: file.toString(true),
        remedy: 'Copy it to a folder on this computer and open it there.',
      },
      { cause },
    );
  try {
    const { size } = await vscode.workspace.fs.stat(file);
    if (size > MAX_VIRTUAL) throw refused(`${Math.ceil(size / 2 ** 20)} MB`);
    return await vscode.workspace.fs.readFile(file);
  } catch (error) {
    throw error instanceof UserError ? error : refused(messageOf(error), error);
  }
}
