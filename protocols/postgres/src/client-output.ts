/**
 * The client's side of replies. Owns what of a chunk goes out and on record, and in which form. Does not own which reply
 * may come (`target-half.ts`).
 */
import { type Deny, HIDDEN_REASONS, type HiddenColumns, type HiddenReason, Outdated, Unmasked } from '@sluice/contract';
import { Arena } from '@sluice/wire';
import type { Shared } from './shared.js';
import { NOTHING, messageLength } from './messages.js';
import type { RowEditor } from './masked/editor.js';
import type { CountedRows } from './masked/rows.js';
import type { CommandState } from './pipeline.js';
import { OUTDATED, RUN_AGAIN, cutOff, hiddenColumns, outdated, unmaskable } from './refusal.js';
import { inEncoding } from './text-encoding.js';

/** What is sent of rows at a time before the client has taken it, in bytes. TLS makes a copy of it, and stops others meanwhile. */
const MAX_SLICE_BYTES = 1024 * 1024;

/**
 * What of the target's chunks goes to the client and into the record, and in which form. Both get the same: bytes as they
 * came where nothing changes them, what an editor made of rows, what stands in place of an error.
 */
export class ClientOutput {
  readonly #shared: Shared;
  /** A result could not be masked: the client was told, and gets nothing more until the target is ready again. */
  discarding = false;
  /** Where, in the current chunk, the bytes start that belong to the current command's record. */
  from = 0;
  /** Where, in the current chunk, the bytes start that the client has not been sent. */
  #run = 0;
  readonly #arena = new Arena();
  /** What came behind rows that another thread is masking; undefined while none is. */
  #held: Buffer[] | undefined;
  readonly #goOn: (held: Buffer) => void;
  /** The client has had a part of rows that another thread has masked. */
  amidRows = false;

  /** `goOn` gets what was held, once what it came behind has gone. */
  constructor(shared: Shared, goOn: (held: Buffer) => void) {
    this.#shared = shared;
    this.#goOn = goOn;
  }

  /** Rows are being masked in another thread: what comes behind them has to be held. */
  get waits(): boolean {
    return this.#held !== undefined;
  }

  /** For later. A copy: the chunk's memory is read into again. */
  hold(bytes: Buffer): void {
    this.#held?.push(Buffer.from(bytes));
  }

  /** A new chunk, of so many bytes. */
  begin(size: number): void {
    this.#arena.begin(size);
    this.from = 0;
    this.#run = 0;
  }

  /** Sends what passes up to `at`, then these bytes in place of those up to `next`. */
  replace(chunk: Buffer, at: number, next: number, bytes?: Buffer): void {
    const { wires } = this.#shared;
    const run = this.#run;
    if (run < at) wires.send('client', run === 0 && at === chunk.length ? chunk : chunk.subarray(run, at));
    if (bytes && bytes.length > 0) wires.send('client', bytes);
    this.#run = next;
  }

  /**
   * Rows that may not pass as they are: what the editor makes of them goes to the client and into the record. `counted`: as of
   * `RowEditor.push`.
   */
  edited(chunk: Buffer, at: number, next: number, editor: RowEditor | undefined, counted?: CountedRows): void {
    const command = this.#shared.pipeline.head?.command;
    if (command) this.take(command, chunk, at);
    this.from = next;
    let late: Promise<Buffer> | undefined;
    const made = this.masked(() => {
      const pushed = editor?.push(chunk.subarray(at, next), this.#arena.take, counted);
      if (!(pushed instanceof Promise)) return pushed;
      late = pushed;
      return NOTHING;
    });
    this.replace(chunk, at, next, made);
    if (late && editor) this.#waitFor(late, editor, chunk, next);
  }

  /** Nothing passes from `at` on until this has resolved. Where it rejects, the client is told why, and nothing of that answer passes. */
  until(found: Promise<void>, command: CommandState, chunk: Buffer, at: number): void {
    this.closeChunk(chunk, at);
    this.replace(chunk, at, at);
    this.#held = [Buffer.from(chunk.subarray(at))];
    this.#arena.abandon();
    const { later, wires } = this.#shared;
    found.then(
      () => later(() => this.#release()),
      (error: unknown) =>
        later(() => {
          const why = error instanceof Unmasked ? error : new Unmasked('The result could not be masked.');
          if (this.#outlives(command, why)) return this.#shared.fail(OUTDATED, why.message, RUN_AGAIN);
          wires.send('client', this.stop(command, why));
          this.#release();
        }),
    );
  }

  /** What it has changed its client could still commit: that ends with the session alone. */
  #outlives(command: CommandState, error: Unmasked): boolean {
    if (!(error instanceof Outdated && error.remains)) return false;
    const { pipeline, status } = this.#shared;
    if (status === 'I' && (pipeline.head?.type === 'query' || pipeline.syncing)) return false;
    this.#stop(command, `${OUTDATED}: ${error.message}`);
    return true;
  }

  #release(): void {
    const held = Buffer.concat(this.#held ?? []);
    this.#held = undefined;
    if (held.length > 0) this.#goOn(held);
  }

  /** The answer goes on where it stopped when the rows are there. */
  #waitFor(rows: Promise<Buffer>, editor: RowEditor, chunk: Buffer, at: number): void {
    this.closeChunk(chunk, at);
    this.#held = [];
    // What is held is taken up without a new read, so that nothing has waited for what was sent before.
    this.#arena.abandon();
    const arrived = (make: () => Buffer): void => this.#shared.later(() => this.#give(this.masked(make), editor));
    rows.then(
      (made) => arrived(() => made),
      (error: unknown) =>
        arrived(() => {
          throw error instanceof Unmasked ? error : new Unmasked('The result could not be masked.');
        }),
    );
  }

  /** Slice by slice, as the client takes them: then what came behind them. */
  #give(rows: Buffer, editor: RowEditor): void {
    const { wires } = this.#shared;
    if (rows.length > MAX_SLICE_BYTES || this.amidRows) {
      wires.send('client', rows.subarray(0, MAX_SLICE_BYTES));
      this.amidRows = rows.length > MAX_SLICE_BYTES;
      const rest = rows.subarray(MAX_SLICE_BYTES);
      void wires.flushed('client').then(() =>
        this.#shared.later(() => {
          editor.sent(!this.amidRows);
          this.#give(rest, editor);
        }),
      );
      return;
    }
    if (rows.length > 0) wires.send('client', rows);
    editor.sent(true);
    this.#release();
  }

  /** Rows out of an editor, into the record as far as they fit. What cannot be masked is left out, and the client told. */
  masked(make: () => Buffer | undefined): Buffer {
    const command = this.#shared.pipeline.head?.command;
    if (this.discarding || !command) return NOTHING;
    try {
      const rows = make();
      if (!rows) throw new Unmasked('The target sent rows that it had not described.');
      this.#takeMade(command, rows);
      return this.#arena.keepable(rows);
    } catch (error) {
      if (!(error instanceof Unmasked)) throw error;
      return this.stop(command, error);
    }
  }

  #takeMade(command: CommandState, made: Buffer): void {
    const { recorder } = this.#shared;
    let fitting = 0;
    while (fitting < made.length && !command.full) {
      const next = fitting + 1 + messageLength(made, fitting);
      if (!recorder.fits(command, next)) break;
      fitting = next;
    }
    recorder.take(command, made.subarray(0, fitting));
  }

  /**
   * The client is told that its statement failed, by a budget where one has ended, and what the target still sends for it, and for all that was sent with
   * it, is read and dropped. The status that ends it is the target's own.
   */
  stop(command: CommandState, error: Unmasked): Buffer {
    const ended = command.meter?.ended;
    if (ended) return this.#ended(command, ended);
    const isOutdated = error instanceof Outdated;
    this.#stop(command, `${isOutdated ? OUTDATED : '42501'}: ${error.message}`);
    const words = isOutdated ? outdated(error.message) : unmaskable(error.message);
    return inEncoding(words, this.#shared.encoding);
  }

  /** The same where a bound or a budget ends, behind what has passed up to `at`. The target's work is cancelled. */
  cut(command: CommandState, deny: Deny, chunk: Buffer, at: number): Buffer {
    this.take(command, chunk, at);
    return this.#ended(command, deny);
  }

  #ended(command: CommandState, deny: Deny): Buffer {
    this.#stop(command, deny.message);
    this.#shared.cancel(command);
    return inEncoding(cutOff(deny), this.#shared.encoding);
  }

  #stop(command: CommandState, summary: string): void {
    const { pipeline } = this.#shared;
    this.discarding = true;
    command.full = true;
    command.failed = true;
    command.summary = summary;
    if (pipeline.head?.type !== 'query') this.#shared.intake.stopped(pipeline.syncing);
  }

  /**
   * The client gets the description at `at` as it is, before it what it has to be told of the rows, or is told in place of it
   * that they cannot be masked.
   */
  editedBy(command: CommandState, chunk: Buffer, at: number, make: () => RowEditor | undefined): Buffer | undefined {
    if (!command.masking || this.discarding) return undefined;
    try {
      const editor = make();
      command.editor = editor ?? 'pass';
      if (editor?.hidden) this.#announce(command, chunk, at, editor.hidden);
      return undefined;
    } catch (error) {
      if (!(error instanceof Unmasked)) throw error;
      return this.stop(command, error);
    }
  }

  /** Counts hidden columns, and tells the client of them before the message at `at`. The record has it too. */
  #announce(command: CommandState, chunk: Buffer, at: number, { columns, notice }: HiddenColumns): void {
    const counts: Partial<Record<HiddenReason, number>> = { ...command.hidden };
    for (const reason of HIDDEN_REASONS) {
      const more = columns[reason];
      if (more !== undefined) counts[reason] = (counts[reason] ?? 0) + more;
    }
    command.hidden = counts;
    if (!notice) return;
    const bytes = inEncoding(hiddenColumns(notice), this.#shared.encoding);
    this.replace(chunk, at, at, bytes);
    this.instead(command, chunk, at, at, bytes);
    command.bytes += bytes.length;
  }

  /** Behind the rows: what only showed in them. */
  announceLate(command: CommandState, chunk: Buffer, at: number): void {
    if (!command.editor || command.editor === 'pass' || this.discarding) return;
    const late = command.editor.late();
    if (late) this.#announce(command, chunk, at, late);
  }

  /** The record, too, has what the client was given. */
  instead(command: CommandState | undefined, chunk: Buffer, at: number, end: number, clean: Buffer): void {
    if (!command) return;
    this.take(command, chunk, at);
    this.from = end;
    if (!command.full) this.#takeMade(command, clean);
  }

  /** An answer that is not described on its own starts, in the record, with its statement's description. */
  describe(command: CommandState): void {
    command.described = true;
    const description = command.statement?.description;
    if (description && this.#shared.recorder.fits(command, description.length)) {
      this.#shared.recorder.take(command, description);
    }
  }

  /** A message of the current command went by: it is part of the record while it fits. */
  passed(command: CommandState | undefined, chunk: Buffer, at: number, end: number): void {
    if (command && !this.#shared.recorder.fits(command, end - this.from)) this.take(command, chunk, at);
  }

  /** The record takes what lies between the last mark and here. */
  take(command: CommandState, chunk: Buffer, to: number): void {
    if (this.discarding) {
      this.from = to;
      return;
    }
    if (!command.described && this.#shared.pipeline.head?.type === 'execute') this.describe(command);
    if (this.from < to && command.kept + (to - this.from) <= this.#shared.limits.recordedAnswer) {
      this.#shared.recorder.take(command, chunk.subarray(this.from, to));
    }
    this.from = to;
  }

  end(command: CommandState, chunk: Buffer, end: number, outcome: 'ok' | 'error' | 'suspended'): void {
    if (!command.full) this.take(command, chunk, end);
    this.from = end;
    this.#shared.recorder.end(command, outcome);
  }

  /** The chunk is about to go: what it holds of an answer that goes on is recorded. */
  closeChunk(chunk: Buffer, at: number): void {
    const command = this.#shared.pipeline.head?.command;
    if (!command) return;
    if (!command.full) this.take(command, chunk, at);
    this.#shared.recorder.flush(command);
  }
}
