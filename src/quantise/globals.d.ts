/** What Node's own types leave to the DOM's: only what ./kernel.ts uses. */
declare namespace WebAssembly {
  interface Module {
    readonly brand: 'module';
  }
  const Module: new (bytes: Uint8Array) => Module;
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, () => void>>);
    readonly exports: Record<string, unknown>;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
}
