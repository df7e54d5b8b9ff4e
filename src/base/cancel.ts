/** The part of an AbortSignal that code without a platform needs. */
export interface CancelSignal {
  readonly aborted: boolean;
  /** @throws what the signal was aborted with */
  throwIfAborted(): void;
}
