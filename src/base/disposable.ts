/** Lifetimes: whoever creates something that must be released registers it with its owner. */

export interface Disposable {
  dispose(): void;
}

/** An owner of disposables; disposing it releases them, last registered first. */
export class DisposableStore implements Disposable {
  private items: Disposable[] = [];
  private disposed = false;

  /** Ties `item` to this owner and returns it. An item that comes too late is released at once. */
  add<T extends Disposable>(item: T): T {
    if (this.disposed) item.dispose();
    else this.items.push(item);
    return item;
  }

  dispose(): void {
    this.disposed = true;
    for (const item of this.items.toReversed()) item.dispose();
    this.items = [];
  }
}
