/**
 * What of the target's chunks goes to the client and into the record, and in which form: both get the same. Owns: the marks in the
 * current chunk, the numbers of packets, and that all of a chunk goes in few writes, since each costs more than a row does. Does not:
 * decide what passes (target-half.ts, masked-rows.ts).
 */
import type { RowRuns } from '@sluice/contract';
import { Arena, LARGE_WRITE_BYTES } from '@sluice/wire';
import type { CommandState } from './command-state.js';
import { framedPieces, header } from './long-row.js';
import { HEADER_BYTES, NOTHING, framed, packetsOf } from './packets.js';
import { RewrittenRows } from './rewritten-row.js';
import type { Shared } from './shared.js';

/** Pieces of so many bytes are not copied to be written together with others. */
const LARGE_BYTES = 64 * 1024;

export class ClientOutput {
  readonly #shared: Shared;
  /** Servers write results 16 KiB at a time, and masks mostly make less of them. */
  readonly #arena = new Arena(LARGE_WRITE_BYTES);
  /** Rows that masks make anew, which go behind all that was added before. */
  readonly rows = new RewrittenRows(this.#arena.take);
  #chunk: Buffer = NOTHING;
  /** Where, in the chunk, the bytes start that the client has not been sent, and that the record has not. */
  #run = 0;
  #from = 0;
  #pieces: Buffer[] = [];

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /** So many bytes have come. */
  open(size: number): void {
    this.#arena.begin(size);
    this.rows.begin(size);
  }

  /** A part of these, behind others, whose memory stays what it is until all have been taken. */
  begin(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#run = 0;
    this.#from = 0;
  }

  /** A packet passes, of which so many bytes are known: it has its number, and is recorded while it fits. */
  packet(state: CommandState | undefined, at: number, size: number): void {
    const shared = this.#shared;
    this.#chunk[at + 3] = shared.sequence;
    shared.sequence = (shared.sequence + 1) & 0xff;
    if (!state) return;
    state.bytes += size;
    // The record has whole packets, in order, up to the first that does not fit.
    if (!state.full && !shared.recorder.fits(state, at - this.#from + size)) this.#record(at);
  }

  /** So many packets pass, one behind the other, of which the record has none: they have their numbers already. */
  packets(state: CommandState, count: number, bytes: number): void {
    const shared = this.#shared;
    shared.sequence = (shared.sequence + count) & 0xff;
    state.bytes += bytes;
  }

  /** What passes up to here goes to the client. */
  pass(to: number): void {
    const state = this.#shared.owed?.state;
    if (state && !state.full) this.#record(to);
    this.#from = to;
    if (this.#run < to) this.add(this.#chunk.subarray(this.#run, to));
    this.#run = to;
  }

  /** The client has nothing of what lies before this and has not passed. */
  skip(to: number): void {
    this.#run = to;
    this.#from = to;
  }

  /** Something of the gateway's own in place of what lies between. */
  replace(state: CommandState | undefined, at: number, next: number, payload: Buffer | undefined): void {
    this.pass(at);
    this.skip(next);
    if (payload) this.give(state, payload);
  }

  /** A packet of the gateway's own, behind what the client has been given. */
  give(state: CommandState | undefined, payload: Buffer): void {
    const { recorder, sequence } = this.#shared;
    const packet = framed(payload, sequence);
    this.#counted(state, packetsOf(payload.length), packet.length);
    this.add(packet);
    if (state && recorder.fits(state, packet.length)) recorder.take(state, packet);
  }

  /** A long row that masks have changed. */
  givePieces(state: CommandState, pieces: readonly Buffer[]): void {
    const { recorder, sequence } = this.#shared;
    let payload = 0;
    for (const { length } of pieces) payload += length;
    const packets = packetsOf(payload);
    const size = payload + packets * HEADER_BYTES;
    const fits = recorder.fits(state, size);
    for (const bytes of packets === 1 ? [header(payload, sequence), ...pieces] : framedPieces(pieces, sequence)) {
      this.add(bytes);
      if (fits) recorder.take(state, bytes);
    }
    this.#counted(state, packets, size);
  }

  /** The row that `rows` has been given is whole. */
  giveRow(state: CommandState): void {
    const { recorder, sequence } = this.#shared;
    const { rows } = this;
    const tooLong = rows.close(sequence);
    if (tooLong) return this.give(state, tooLong);
    const size = rows.lastSize;
    this.#counted(state, 1, size);
    if (!state.full && recorder.fits(state, size)) recorder.take(state, rows.last);
  }

  /** As many rows as an editor makes in one go of what stands here, of which the record has none. Returns where it stopped. */
  giveRun(state: CommandState, runs: RowRuns, at: number): number {
    const shared = this.#shared;
    this.pass(at);
    const run = this.rows.run(runs, this.#chunk, at, shared.sequence);
    state.rows += run.rows;
    this.#counted(state, run.rows, this.rows.lastSize);
    this.skip(run.at);
    return run.at;
  }

  #counted(state: CommandState | undefined, packets: number, bytes: number): void {
    this.#shared.sequence = (this.#shared.sequence + packets) & 0xff;
    if (state) state.bytes += bytes;
  }

  /** The record takes what lies between the last mark and here. */
  #record(to: number): void {
    const { owed, recorder } = this.#shared;
    if (owed?.state && to > this.#from) recorder.take(owed.state, this.#chunk.subarray(this.#from, to));
    this.#from = to;
  }

  /** Kept until `flush`. */
  add(bytes: Buffer): void {
    this.#addRows();
    this.#pieces.push(bytes);
  }

  #addRows(): void {
    const made = this.rows.taken();
    if (made) this.#pieces.push(made);
  }

  flush(): void {
    this.#addRows();
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    this.#pieces = [];
    if (pieces.length === 1) return this.#send(pieces[0] as Buffer);
    let small: Buffer[] = [];
    for (const piece of pieces) {
      if (piece.length < LARGE_BYTES) {
        small.push(piece);
        continue;
      }
      this.#together(small);
      this.#send(piece);
      small = [];
    }
    this.#together(small);
  }

  #together(pieces: readonly Buffer[]): void {
    const [first] = pieces;
    if (first) this.#send(pieces.length === 1 ? first : Buffer.concat(pieces));
  }

  /** An answer is over, and all of it was flushed. */
  rest(): void {
    this.#arena.rest(() => this.#shared.wires.flushed('client'));
  }

  #send(bytes: Buffer): void {
    this.#shared.wires.send('client', this.#arena.keepable(bytes));
  }
}
