/**
 * Rows that masks change, however many packets they come in. Owns: the row that is coming where it is a long one, and the wait for room
 * for it. Does not: the masks, nor what else the target sends (target-half.ts).
 */
import { type PacketEditor, type RowRoom, Unmasked } from '@sluice/contract';
import { unexpected } from '@sluice/wire';
import type { ClientOutput } from './client-output.js';
import type { CommandState } from './command-state.js';
import { LongRow } from './long-row.js';
import { HEADER_BYTES, MAX_PACKET, payloadLength } from './packets.js';
import { EOF } from './replies.js';
import { RowPieces } from './rewritten-row.js';
import type { Shared } from './shared.js';

/** A row of so many bytes is not copied to be put together anew. */
const LONG_BYTES = 64 * 1024;

/** What whoever cuts packets does where a row cannot be masked. */
export interface RowRefusal {
  /** The client is told, and has nothing more of the answer. */
  stop(state: CommandState, why: Unmasked): void;
  /** The same where its meter has ended. */
  cut(state: CommandState): void;
  /** Nor of so many bytes of the current packet. `continues`: another one belongs to the same row. */
  drop(left: number, continues: boolean): void;
}

export class MaskedRows {
  readonly #shared: Shared;
  readonly #output: ClientOutput;
  readonly #refusal: RowRefusal;
  #long: LongRow | undefined;
  /** It waits for room: nothing is read meanwhile. */
  waits = false;

  constructor(shared: Shared, output: ClientOutput, refusal: RowRefusal) {
    this.#shared = shared;
    this.#output = output;
    this.#refusal = refusal;
  }

  /** A row of several packets is coming. */
  get isLong(): boolean {
    return this.#long !== undefined;
  }

  /**
   * Takes rows of one packet each, of which at least the first is whole, and those behind it that are plainly rows. Returns where it
   * stopped.
   */
  take(state: CommandState, chunk: Buffer, start: number): number {
    const editor = editorOf(state);
    const last = chunk.length - HEADER_BYTES - 1;
    let at = start;
    for (;;) {
      if (editor.runs && state.full && !state.meter) {
        const behind = this.#output.giveRun(state, editor.runs, at);
        if (behind > at) return behind;
      }
      const next = at + HEADER_BYTES + payloadLength(chunk, at);
      if (!this.#row(state, editor, chunk, at, next)) return next;
      at = next;
      if (at > last) return at;
      const size = payloadLength(chunk, at);
      // What begins with another byte may be the end of them.
      if (size === 0 || size === MAX_PACKET || (chunk[at + HEADER_BYTES] as number) >= EOF) return at;
      if (at + HEADER_BYTES + size > chunk.length) return at;
      if (state.meter && !state.meter.take(1, HEADER_BYTES + size)) return at;
    }
  }

  /** False: it cannot be masked. */
  #row(state: CommandState, editor: PacketEditor, chunk: Buffer, at: number, next: number): boolean {
    const output = this.#output;
    const start = at + HEADER_BYTES;
    const isLong = next - at >= LONG_BYTES;
    const pieces = isLong ? new RowPieces() : undefined;
    if (!pieces) output.rows.open(chunk.length - at);
    state.rows++;
    try {
      if (!editor.rewrite(chunk, start, next, pieces ?? output.rows)) {
        output.rows.drop();
        output.packet(state, at, next - at);
        return true;
      }
    } catch (failure) {
      output.rows.drop();
      if (!(failure instanceof Unmasked)) throw failure;
      output.replace(state, at, next, undefined);
      this.#refusal.stop(state, failure);
      return false;
    }
    output.replace(state, at, next, undefined);
    if (pieces) output.givePieces(state, pieces.pieces);
    else output.giveRow(state);
    return true;
  }

  /** The first packet of a row of several, whose header ends at `at`. */
  begin(size: number): void {
    this.#long = new LongRow(this.#room);
    this.#begin(this.#long, size);
  }

  /** Takes what there is of a long row, and returns where it stopped: before a header that is not whole, at the end, or behind it. */
  collect(chunk: Buffer, start: number): number {
    const long = this.#long;
    if (!long) return start;
    for (let at = start; ; ) {
      at += long.take(chunk.subarray(at));
      this.#output.skip(at);
      if (long.left > 0) return at;
      if (!long.continues) {
        this.#end(long);
        return at;
      }
      if (chunk.length - at < HEADER_BYTES) return at;
      this.#begin(long, payloadLength(chunk, at));
      at += HEADER_BYTES;
      this.#output.skip(at);
      if (this.#long !== long) return at;
    }
  }

  /** Another packet of a long row begins: it may have to wait until others have given room back. */
  #begin(long: LongRow, size: number): void {
    try {
      long.begin(size);
    } catch (failure) {
      if (!(failure instanceof Unmasked)) throw failure;
      return this.#refuse(failure, size, size === MAX_PACKET);
    }
    const { wait } = this.#room;
    if (!wait) return;
    this.waits = true;
    const granted = wait.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    this.#shared.port.later(granted, (failure) => {
      this.waits = false;
      if (failure === undefined) return;
      if (!(failure instanceof Unmasked)) throw failure;
      this.#refuse(failure, long.left, long.continues);
      this.#output.flush();
    });
  }

  /** The client is told, and has nothing of what is left of the row. */
  #refuse(why: Unmasked, left: number, continues: boolean): void {
    this.#long = undefined;
    this.#room.clear();
    this.#refusal.drop(left, continues);
    const state = this.#shared.owed?.state;
    if (state) this.#refusal.stop(state, why);
  }

  #end(long: LongRow): void {
    const state = this.#shared.owed?.state;
    if (!state) throw unexpected('the target sent rows that it had not described');
    const editor = editorOf(state);
    this.#long = undefined;
    state.rows++;
    const row = long.taken();
    if (state.meter && !state.meter.take(1, row.length)) {
      this.#room.clear();
      return this.#refusal.cut(state);
    }
    const made = new RowPieces();
    try {
      if (!editor.rewrite(row, 0, row.length, made)) made.keep(row, 0, row.length);
    } catch (failure) {
      if (!(failure instanceof Unmasked)) throw failure;
      this.#room.clear();
      return this.#refusal.stop(state, failure);
    }
    this.#output.givePieces(state, made.pieces);
    this.#output.flush();
    void this.#shared.wires.flushed('client').then(() => this.#room.left());
  }

  get #room(): RowRoom {
    const { masks } = this.#shared;
    if (!masks) throw unexpected('the target sent rows to be masked where nothing is masked');
    return masks.room;
  }
}

function editorOf({ editor }: CommandState): PacketEditor {
  if (!editor || editor === 'pass') throw unexpected('the target sent rows that it had not described');
  return editor;
}
