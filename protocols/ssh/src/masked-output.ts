/**
 * A program's output on its way through the editors that mask it. Owns: what they hold, and for how long. Does not: record,
 * send, know of channels.
 */
import type { StreamEditor } from '@sluice/contract';
import type { Clock } from './clock.js';
import { STDERR } from './messages.js';

export interface MaskedOutputPort {
  /** Bytes that may go on. */
  deliver(bytes: Buffer, type: number): void;
  /** A mask could not be applied: nothing more may go on. */
  failed(): void;
}

/** The two output streams of a program on their way through the editors that mask them. Does not: record, send, know of channels. */
export class MaskedOutput {
  readonly #editors: { readonly out: StreamEditor; readonly err: StreamEditor };
  readonly #clock: Clock;
  readonly #port: MaskedOutputPort;
  /** What has come in this turn of the event loop, in order. */
  #gathered: { readonly type: number; readonly chunks: Buffer[] }[] = [];
  readonly #cancelRelease = new Map<StreamEditor, () => void>();
  #over = false;

  constructor(stream: () => StreamEditor, clock: Clock, port: MaskedOutputPort) {
    this.#editors = { out: stream(), err: stream() };
    this.#clock = clock;
    this.#port = port;
  }

  /** Copies the bytes. */
  push(bytes: Buffer, type: number): void {
    if (this.#over) return;
    // An editor looks again at what it holds: once for all that comes in a turn, and not for each of a thousand packets.
    if (this.#gathered.length === 0) this.#clock.endOfTurn(() => this.#editGathered());
    const last = this.#gathered.at(-1);
    const copy = Buffer.from(bytes);
    if (last?.type === type) last.chunks.push(copy);
    else this.#gathered.push({ type, chunks: [copy] });
  }

  /** The program prints nothing more: what the editors hold goes on. */
  end(): void {
    if (this.#over) return;
    this.#editGathered();
    this.#guard(() => {
      this.#port.deliver(this.#editors.out.end(), 0);
      this.#port.deliver(this.#editors.err.end(), STDERR);
    });
    this.stop();
  }

  /** Drops what is held and all that still comes. */
  stop(): void {
    this.#over = true;
    this.#gathered = [];
    for (const cancel of this.#cancelRelease.values()) cancel();
    this.#cancelRelease.clear();
  }

  #editGathered(): void {
    const gathered = this.#gathered;
    this.#gathered = [];
    this.#guard(() => {
      for (const { type, chunks } of gathered) {
        const editor = this.#editors[type === STDERR ? 'err' : 'out'];
        this.#port.deliver(editor.push(Buffer.concat(chunks)), type);
        this.#releaseLater(editor, type);
      }
    });
  }

  /** What an editor holds goes on when nothing has followed it for as long as it is worth waiting. */
  #releaseLater(editor: StreamEditor, type: number): void {
    this.#cancelRelease.get(editor)?.();
    this.#cancelRelease.delete(editor);
    if (editor.held === 0 || this.#over) return;
    const release = (): void => this.#guard(() => this.#port.deliver(editor.release(), type));
    this.#cancelRelease.set(editor, this.#clock.after(editor.maxHoldMs, release));
  }

  /** A mask that cannot be applied lets nothing through. */
  #guard(act: () => void): void {
    if (this.#over) return;
    try {
      act();
    } catch {
      this.stop();
      this.#port.failed();
    }
  }
}
