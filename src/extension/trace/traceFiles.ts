/**
 * Opens traces that are in files. The host's own thread reads small ones; large ones are read in a process, which puts
 * their arrays into a temporary file, so that the host neither holds them nor stands still. Knows nothing of VS Code.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UserError } from '../../base/errors.ts';
import { readPlainFile, sizeOfFile } from '../../files/plainFile.ts';
import type { Trace } from '../../trace/schema.ts';
import { MemoryContainer, type Container } from '../../traceFile/container.ts';
import { readManifest } from '../../traceFile/manifest.ts';
import { containerOf, OpenTrace, requireLength } from '../../traceFile/openTrace.ts';
import { unpackInChild } from '../unpack/unpacker.ts';
import { AbsentContainer, openTemporary } from './containers.ts';

/** A file of so many bytes is read in the host, within 20 ms. */
const SMALL = 2 ** 18;

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
   * A trace's file on this computer.
   * @throws UserError if it is no trace. One whose arrays are missing or cut off opens all the same, with its text.
   */
  async openPath(file: string): Promise<OpenTrace> {
    return this.complete(await this.readPath(file), (read) => containerOf(read, file));
  }

  /**
   * A trace's file that can only be had whole.
   * @param readBeside the bytes of a file beside it, by its name
   * @throws UserError as openPath
   */
  async openWhole(
    name: string,
    bytes: Uint8Array,
    readBeside: (name: string) => Promise<Uint8Array>,
  ): Promise<OpenTrace> {
    return this.complete(await this.readBytes(name, bytes), async ({ trace, arrays }) => {
      const container = new MemoryContainer(await readBeside(arrays.file));
      requireLength(container, trace, arrays.file);
      return container;
    });
  }

  /** Removes what was unpacked. */
  async close(): Promise<void> {
    const folder = await this.folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  private async readPath(file: string): Promise<Read> {
    if ((await sizeOfFile(file, 'trace')) > SMALL) return this.unpack({ file });
    const bytes = await readPlainFile(file, { what: 'trace', maxBytes: SMALL });
    return this.readBytes(path.basename(file), bytes);
  }

  private async readBytes(name: string, bytes: Uint8Array): Promise<Read> {
    if (bytes.length > SMALL) return this.unpack({ bytes, name });
    return readManifest(new TextDecoder().decode(bytes), name);
  }

  private async unpack(what: { file: string } | { bytes: Uint8Array; name: string }): Promise<Read> {
    this.folder ??= mkdtemp(path.join(tmpdir(), 'ilvr-unpacked-'));
    const into = path.join(await this.folder, `${this.unpacked++}.bin`);
    const { trace, arrays } = await unpackInChild(this.options.unpackWorker, { ...what, into });
    return { trace, arrays: arrays === 'unpacked' ? await openTemporary(into) : arrays };
  }

  /** A trace without its arrays is still worth reading; what is missing is told, now and where it is asked for. */
  private async complete(
    { trace, arrays }: Read,
    beside: (read: { trace: Trace; arrays: { file: string } }) => Promise<Container>,
  ): Promise<OpenTrace> {
    if (!('file' in arrays)) return new OpenTrace(trace, arrays);
    try {
      return new OpenTrace(trace, await beside({ trace, arrays }));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.options.warn(error);
      return new OpenTrace(trace, new AbsentContainer(error));
    }
  }
}
