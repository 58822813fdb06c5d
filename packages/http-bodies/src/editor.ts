/** What every kind of body has in common. Types only. */

/** Edits a body as it passes. `push` and `end` throw `Unmasked` where it must not pass. */
export interface Editor {
  /** Takes bytes cut anywhere and gives those that may go. */
  push(bytes: Buffer): Buffer;
  end(): Buffer;
  /** Bytes that were kept and that `release` may give after a while. */
  readonly held: number;
  release(): Buffer;
}

export const NO_BYTES: Buffer = Buffer.alloc(0);
