/** Containers of the window's own: of a run that goes on, and of a trace whose arrays are not there. */

import { rm } from 'node:fs/promises';
import type { UserError } from '../../base/errors.ts';
import type { ArrayRef } from '../../trace/schema.ts';
import { FileContainer, requireSum, type Container } from '../../traceFile/container.ts';

/** A container whose file is opened when it is first read: a run's may not be there yet, and grows. */
export class LateContainer implements Container {
  private readonly file: string;
  private opened: Promise<FileContainer> | undefined;

  constructor(file: string) {
    this.file = file;
  }

  /** Of a run that goes on: nothing that is referred to lies beyond it. */
  get size(): number {
    return Infinity;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return (await this.open()).read(offset, length);
  }

  verify(ref: ArrayRef, bytes: Uint8Array): void {
    requireSum(ref, bytes, this.file);
  }

  async close(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    await (await opened?.catch(() => undefined))?.close();
  }

  private async open(): Promise<FileContainer> {
    this.opened ??= FileContainer.open(this.file);
    try {
      return await this.opened;
    } catch (error) {
      // It may be there the next time.
      this.opened = undefined;
      throw error;
    }
  }
}

/** The arrays of a trace of which only the manifest is there. */
export class AbsentContainer implements Container {
  readonly size = 0;
  private readonly why: UserError;

  constructor(why: UserError) {
    this.why = why;
  }

  async read(): Promise<Uint8Array> {
    throw this.why;
  }

  verify(): void {
    throw this.why;
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

/** A container in a file of ours, which goes when it is closed. */
export async function openTemporary(file: string): Promise<Container> {
  const container = await FileContainer.open(file);
  return {
    size: container.size,
    read: (offset, length) => container.read(offset, length),
    verify: (ref, bytes) => container.verify(ref, bytes),
    close: async () => {
      await container.close();
      await rm(file, { force: true });
    },
  };
}
