/** What the models of all pages with a state of their own share. */

export abstract class PageModel {
  /** Raised by every change, so that a view can tell two states of one object apart. */
  version = 0;
  private readonly listeners: (() => void)[] = [];
  /** Whether the next frame is waited for. */
  private pending = false;

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Tells listeners once per frame. */
  protected changed(): void {
    this.version++;
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      for (const listener of this.listeners) listener();
    });
  }
}
