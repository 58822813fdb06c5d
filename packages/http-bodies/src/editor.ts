/** What every kind of body has in common. Types only. */

/** Edits a body as it passes. `push` and `end` throw `Unmasked` where it must not pass. */
export interface Editor {
  /** Takes bytes cut anywhere and gives those that may go. */
  push(bytes: Buffer): Buffer;
  end(): Buffer;
  /** Bytes that were kept and that `release` may give after a while. */
  readonly held: number;
  release(): Buffer;
  /** What is kept waits for this, which never rejects: ask for it by `release` then, behind `end` too. Absent: it waits for nobody. */
  readonly waits?: Promise<void> | undefined;
}

/** What is done to the events of a stream, where masks of one event after the other do not do. */
export interface EventEditor {
  /** What goes in place of an event: its other lines, its name, and its data. */
  event(others: Buffer, name: string, data: Buffer): Buffer;
  end(): Buffer;
  release(): Buffer;
  readonly held: number;
  readonly waits: Promise<void> | undefined;
}

export const NO_BYTES: Buffer = Buffer.alloc(0);

/** One after the other; what is one already stays what it is. */
export function joined(pieces: readonly Buffer[]): Buffer {
  if (pieces.length < 2) return pieces[0] ?? NO_BYTES;
  return Buffer.concat(pieces);
}
