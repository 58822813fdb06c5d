/**
 * The target's half: knows which answer each packet belongs to, checks that it may come now, and what the client has in its place. Rows
 * pass in whole chunks, however long they are. Does not: read the client (client-half.ts), put what goes out together
 * (client-output.ts), mask rows (masked-rows.ts).
 */
import { Unmasked } from '@sluice/contract';
import { SmallPieces, unexpected } from '@sluice/wire';
import { CAPABILITY } from './capabilities.js';
import { ClientOutput } from './client-output.js';
import { type CommandState, hide } from './command-state.js';
import { asNullable, readDefinition, withMetadata } from './definitions.js';
import { MaskedRows } from './masked-rows.js';
import { HEADER_BYTES, MAX_PACKET, NOTHING, framed, payloadLength } from './packets.js';
import { INTERRUPTED, definedAnew, refusal, refusedFile, unmaskable } from './refusal.js';
import { EOF, ERR, LOCAL_INFILE, STATUS, endOfRows, ok, readError, readOk, warningsIn } from './replies.js';
import type { ReplyPart } from './reply.js';
import { textRow } from './results.js';
import { Standing } from './standing.js';
import type { Shared, OwedAnswer } from './shared.js';

/** On record, of a statement that has no rows to keep back. */
const RAN_ANEW = 'something that it reads was defined anew while it waited, and it has run by that';

/** A packet that is no row and is longer than this is none. Bytes. */
const MAX_REPLY_BYTES = 1024 * 1024;
/** What is kept of one answer: the description of 4096 columns, which is the most that servers have, takes less. Bytes. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

export class TargetHalf {
  readonly #shared: Shared;
  readonly #output: ClientOutput;
  readonly #masked: MaskedRows;
  readonly #tracks: boolean;
  /** The start of a packet whose rest has not come. */
  #partial: Buffer[] = [];
  readonly #pieces = new SmallPieces();
  #size = 0;
  #needed = HEADER_BYTES;
  /** Bytes of the current row that are still to come, whether its next packet belongs to it, and whether the client has nothing of it. */
  #passing = 0;
  #chain = false;
  #dropping = false;
  /** How a result is described, kept back until it is known what its rows go through. */
  #description: Buffer[] = [];
  #rows: (string | null)[][] = [];
  /** Bytes of both, as they came. */
  #kept = 0;
  /** Its error. */
  #error: Buffer | undefined;
  /** A result could not be masked: the client was told, and the rest of the answer is dropped. */
  #discarding = false;
  readonly #standing: Standing;

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#output = new ClientOutput(shared);
    this.#standing = new Standing(shared.port, () => this.#again());
    this.#masked = new MaskedRows(shared, this.#output, {
      stop: (state, why) => this.#output.give(state, this.#stop(state, why)),
      cut: (state) => this.#cut(state),
      drop: (left, continues) => {
        this.#passing = left;
        this.#chain = continues;
        this.#dropping = true;
      },
    });
    this.#tracks = (shared.capabilities & CAPABILITY.sessionTrack) !== 0;
  }

  /** Nothing more of the target may be read. */
  get waits(): boolean {
    return this.#masked.waits || this.#standing.waits;
  }

  /** The client has had whole packets only. */
  get betweenPackets(): boolean {
    return this.#dropping || (this.#passing === 0 && !this.#chain);
  }

  receive(bytes: Buffer): void {
    if (this.#standing.waits) return this.#keep(bytes);
    try {
      this.#receive(bytes);
    } finally {
      this.#output.flush();
      if (!this.#shared.owed) this.#output.rest();
    }
  }

  /** A packet that was cut is made whole by itself: the rest of the chunk is not copied for it. */
  #receive(bytes: Buffer): void {
    this.#output.open(bytes.length);
    let chunk = bytes;
    while (this.#size > 0) {
      const missing = this.#needed - this.#size;
      if (chunk.length < missing) return this.#keep(chunk);
      const whole = Buffer.concat([...this.#partial, chunk.subarray(0, missing)]);
      this.#partial = [];
      this.#size = 0;
      chunk = chunk.subarray(missing);
      this.#take(whole);
    }
    if (chunk.length > 0) this.#take(chunk);
    const { owed } = this.#shared;
    if (owed?.state) this.#shared.recorder.flush(owed.state);
  }

  #take(chunk: Buffer): void {
    this.#output.begin(chunk);
    const at = this.#packets(chunk);
    this.#output.pass(at);
    if (at < chunk.length) this.#keep(chunk.subarray(at));
  }

  /** Takes what there is, and returns where it stopped. */
  #packets(chunk: Buffer): number {
    let at = 0;
    for (;;) {
      if (this.#masked.isLong) {
        at = this.#masked.collect(chunk, at);
        if (this.#masked.isLong) return this.#wait(at, HEADER_BYTES);
      }
      if (this.#passing > 0) {
        const part = Math.min(this.#passing, chunk.length - at);
        at += part;
        this.#passing -= part;
        if (this.#dropping) this.#output.skip(at);
        if (this.#passing > 0) return at;
      }
      if (chunk.length - at < HEADER_BYTES) return this.#wait(at, HEADER_BYTES);
      const size = payloadLength(chunk, at);
      if (this.#chain) {
        if (this.#dropping) this.#dropRow(at, size);
        else if (!this.#goesOn(at, size)) return at;
        at += HEADER_BYTES;
        continue;
      }
      // The first byte says what it is.
      if (size > 0 && chunk.length - at === HEADER_BYTES) return this.#wait(at, HEADER_BYTES + 1);
      const { owed } = this.#shared;
      if (!owed) return this.#unasked(chunk, at, size);
      const isRow = owed.reply.isRow(chunk[at + HEADER_BYTES] as number, size);
      const next = at + HEADER_BYTES + size;
      if (isRow && !owed.own) {
        const taken = this.#resultRows(owed, chunk, at, size);
        if (taken === undefined) return this.#wait(at, HEADER_BYTES + size);
        at = taken;
        continue;
      }
      if (size > MAX_REPLY_BYTES) throw unexpected(`the target sent a packet of ${size} bytes`);
      if (chunk.length < next) return this.#wait(at, HEADER_BYTES + size);
      if (isRow) this.#ownRow(owed, chunk, at, next);
      else if (!this.#standing.isKnown(owed)) return this.#wait(at, HEADER_BYTES + size);
      else this.#packet(owed, chunk, at, next);
      at = next;
    }
  }

  /** Takes up what was kept. */
  #again(): void {
    const rest = Buffer.concat(this.#partial);
    this.#partial = [];
    this.#size = 0;
    this.receive(rest);
  }

  #wait(at: number, needed: number): number {
    this.#needed = needed;
    return at;
  }

  #keep(bytes: Buffer): void {
    this.#pieces.add(this.#partial, bytes);
    this.#size += bytes.length;
  }

  /** A target that ends the session says so. */
  #unasked(chunk: Buffer, at: number, size: number): number {
    if (chunk.length < at + HEADER_BYTES + size) return this.#wait(at, HEADER_BYTES + size);
    if (chunk[at + HEADER_BYTES] !== ERR) throw unexpected('the target sent a packet that answers nothing');
    const { message } = readError(chunk.subarray(at + HEADER_BYTES, at + HEADER_BYTES + size));
    throw unexpected(`the target ended the session: ${message}`);
  }

  /** Takes up a row at `at`, or several from there on. Returns where it stopped; undefined: the row has to be whole. */
  #resultRows({ state }: OwedAnswer, chunk: Buffer, at: number, size: number): number | undefined {
    const inside = at + HEADER_BYTES;
    if (this.#discarding) {
      this.#dropRow(at, size);
      return inside;
    }
    const isMasked = state?.masking !== undefined && state.editor !== 'pass';
    if (isMasked && size !== MAX_PACKET && chunk.length < inside + size) return undefined;
    // A long row that masks change is counted when it is whole.
    if (state?.meter && !(isMasked && size === MAX_PACKET) && !state.meter.take(1, HEADER_BYTES + size)) {
      this.#output.pass(at);
      this.#output.skip(at);
      this.#cut(state);
      this.#dropRow(at, size);
      return inside;
    }
    if (state && isMasked) {
      if (size !== MAX_PACKET) return this.#masked.take(state, chunk, at);
      this.#output.pass(at);
      this.#output.skip(inside);
      this.#masked.begin(size);
      return inside;
    }
    if (state?.full && size !== MAX_PACKET && inside + size <= chunk.length) return this.#passRows(state, chunk, at);
    if (state) state.rows++;
    this.#rowPacket(at, size);
    return inside;
  }

  /**
   * Rows that are whole, of which the record has none, and those behind them that are plainly rows: they have their numbers and pass.
   * Written for results of millions of rows.
   */
  #passRows(state: CommandState, chunk: Buffer, start: number): number {
    const end = chunk.length;
    let { sequence } = this.#shared;
    let rows = 0;
    let at = start;
    let next = start + HEADER_BYTES + payloadLength(chunk, start);
    for (;;) {
      chunk[at + 3] = sequence;
      sequence = (sequence + 1) & 0xff;
      rows++;
      at = next;
      if (at + HEADER_BYTES >= end) break;
      const size = payloadLength(chunk, at);
      next = at + HEADER_BYTES + size;
      // What begins with another byte may be the end of them.
      if (size === 0 || size === MAX_PACKET || next > end || (chunk[at + HEADER_BYTES] as number) >= EOF) break;
      if (state.meter && !state.meter.take(1, HEADER_BYTES + size)) break;
    }
    state.rows += rows;
    this.#output.packets(state, rows, at - start);
    return at;
  }

  /** The client is told why it has no more of the answer, and the target's work is cancelled. */
  #cut(state: CommandState): void {
    const why = state.meter?.ended;
    if (!why) return;
    this.#discarding = true;
    state.full = true;
    state.summary = why.message;
    this.#output.give(state, refusal(why));
    this.#shared.cancel(state);
  }

  /** Another packet of a row that passes as it is. False: the client has the start of what it may not have, and nothing else can be said. */
  #goesOn(at: number, size: number): boolean {
    const state = this.#shared.owed?.state;
    if (state?.meter && !state.meter.take(0, HEADER_BYTES + size)) {
      state.summary = state.meter.ended?.message ?? '';
      this.#shared.cancel(state);
      this.#shared.fail(NOTHING);
      return false;
    }
    this.#rowPacket(at, size);
    return true;
  }

  /** The client has nothing of it. */
  #dropRow(at: number, size: number): void {
    this.#output.pass(at);
    this.#output.skip(at + HEADER_BYTES);
    this.#passing = size;
    this.#chain = size === MAX_PACKET;
    this.#dropping = true;
  }

  /** A packet of a row that passes as it is. */
  #rowPacket(at: number, size: number): void {
    this.#output.packet(this.#shared.owed?.state, at, HEADER_BYTES + size);
    this.#passing = size;
    this.#chain = size === MAX_PACKET;
    this.#dropping = false;
  }

  /** A row that answers a question of the gateway's own. */
  #ownRow({ state }: OwedAnswer, chunk: Buffer, at: number, next: number): void {
    this.#keeps(next - at);
    this.#rows.push(textRow(chunk.subarray(at + HEADER_BYTES, next)));
    this.#output.replace(state, at, next, undefined);
  }

  /** A target must not be able to fill the memory with what is kept until the client has it. */
  #keeps(bytes: number): void {
    this.#kept += bytes;
    if (this.#kept > MAX_KEPT_BYTES) throw unexpected('the target describes a result in more bytes than any has');
  }

  /** Everything but rows. */
  #packet(owed: OwedAnswer, chunk: Buffer, at: number, next: number): void {
    const payload = chunk.subarray(at + HEADER_BYTES, next);
    const part = owed.reply.take(payload);
    if (part.type === 'ok' || part.type === 'eof') this.#rowsEnd(owed, part, at);
    const instead = this.#instead(owed, part, payload, chunk[at + 3] as number);
    if (instead === undefined) this.#output.packet(owed.state, at, next - at);
    else this.#output.replace(owed.state, at, next, instead === 'nothing' ? undefined : instead);
    if (part.type === 'definition' && part.last && this.#description.length > 0) this.#describe(owed);
    if (!part.ends) return;
    this.#output.pass(next);
    this.#over(owed, part);
  }

  /** What the client has in place of a packet; undefined: the packet. */
  #instead(owed: OwedAnswer, part: ReplyPart, payload: Buffer, sequence: number): Buffer | 'nothing' | undefined {
    switch (part.type) {
      case 'ok':
      case 'eof':
        return this.#result(owed, part, payload);
      case 'error':
        return this.#failed(owed, payload);
      case 'file':
        return this.#file(owed, part.name, sequence);
      case 'prepared':
        owed.prepared?.(part.id, part.parameters);
        return owed.own ? 'nothing' : undefined;
      case 'count':
      case 'definition':
        if (owed.own || this.#discarding) return 'nothing';
        if (owed.state && this.#standing.changed !== undefined) return this.#anew(owed.state, this.#standing.changed);
        return this.#described(owed, part.type === 'count' ? payload : this.#definition(payload));
      default:
        return owed.own || this.#discarding ? 'nothing' : undefined;
    }
  }

  #definition(payload: Buffer): Buffer {
    return this.#shared.addsMetadata ? withMetadata(payload) : payload;
  }

  /** Undefined: it passes as it came. Definitions alone describe no rows. */
  #described({ state, reply }: OwedAnswer, payload: Buffer): Buffer | 'nothing' | undefined {
    if (state?.masking && state.phase !== 'prepare' && reply.kind !== 'fields') {
      this.#keeps(payload.length);
      this.#description.push(Buffer.from(payload));
      return 'nothing';
    }
    return this.#shared.addsMetadata ? payload : undefined;
  }

  /** OK or EOF: what the target reports is taken up, and taken out where the client has not asked for it. */
  #result(
    owed: OwedAnswer,
    part: Extract<ReplyPart, { type: 'ok' | 'eof' }>,
    payload: Buffer,
  ): Buffer | 'nothing' | undefined {
    const { session, file } = this.#shared;
    const { state } = owed;
    const isOk = payload.length !== 5 || part.type === 'ok';
    const read = isOk ? readOk(payload) : undefined;
    session.status = part.status;
    const changed = read && session.reported(read);
    const warnings = state?.masking?.warnings ?? 0;
    if (state) {
      if (read && read.changes.length > 0) state.reported = true;
      if (this.#standing.changed !== undefined && !this.#discarding) state.summary = RAN_ANEW;
      state.masking?.completed(state.results++);
      // A cursor's rows are still to be fetched.
      if (!part.cursor) state.editor = undefined;
      this.#summarise(state, read?.affected, read?.info);
    }
    if (owed.own || this.#discarding) return 'nothing';
    if (file.type === 'refused') return refusedFile();
    const more = part.ends && owed.moreFollow;
    if (!more && !changed && warnings === 0) return undefined;
    if (!read) return endOfRows(payload, more ? part.status | STATUS.moreResults : part.status, warnings);
    const one = changed ?? read;
    const status = more ? one.status | STATUS.moreResults : one.status;
    return ok({ ...one, status, warnings: warningsIn(one.warnings, warnings) }, this.#tracks);
  }

  /** What the gateway itself has to say of rows comes behind them. */
  #rowsEnd({ state }: OwedAnswer, { cursor }: Extract<ReplyPart, { type: 'ok' | 'eof' }>, at: number): void {
    const editor = state?.editor;
    if (!state || !editor || editor === 'pass' || cursor || this.#discarding) return;
    hide(state, editor.late?.());
    const { behind = [] } = editor;
    if (behind.length === 0) return;
    this.#output.pass(at);
    state.rows += behind.length;
    for (const row of behind) this.#output.give(state, row);
  }

  #summarise(state: CommandState, affected: number | undefined, info: Buffer | undefined): void {
    const said = info && info.length > 0 ? `: ${info.toString('utf8')}` : '';
    const rows = state.rows - state.rowsBefore;
    state.rowsBefore = state.rows;
    const one = affected === undefined || rows > 0 ? `${rows} rows` : `${affected} affected${said}`;
    state.summary = state.summary === '' ? one : `${state.summary}; ${one}`.slice(0, 1000);
  }

  #failed(owed: OwedAnswer, payload: Buffer): Buffer | 'nothing' | undefined {
    if (owed.own) this.#error = Buffer.from(payload);
    if (owed.own || this.#discarding) return 'nothing';
    const clean = owed.state?.masking?.error(payload) ?? payload;
    if (owed.state) {
      const { code, sqlstate, message } = readError(clean);
      const late = code === INTERRUPTED ? owed.state.late : undefined;
      const said = late ? readError(late) : { code, sqlstate, message };
      owed.state.summary = `${said.sqlstate}: ${said.message} (${said.code})`;
      if (late) return late;
    }
    return clean === payload ? undefined : clean;
  }

  /** Only the file that a statement names which was let through: a target could ask for any. */
  #file({ state, own }: OwedAnswer, name: Buffer, sequence: number): Buffer | 'nothing' {
    const shared = this.#shared;
    const wanted = name.toString('utf8');
    const named = state?.facts.actions.some(({ resources }) =>
      resources.some((one) => one.type === 'file' && one.access === 'read' && one.name === wanted),
    );
    if (named && !own && shared.capabilities & CAPABILITY.localFiles) {
      shared.file = { type: 'sending', shift: (sequence - shared.sequence) & 0xff };
      return Buffer.concat([Buffer.from([LOCAL_INFILE]), name]);
    }
    shared.file = { type: 'refused' };
    shared.wires.send('upstream', framed(NOTHING, sequence + 1));
    return 'nothing';
  }

  /** A result is described whole: what its rows go through is known before they come. */
  #describe({ state }: OwedAnswer): void {
    const [count, ...definitions] = this.#description;
    this.#description = [];
    this.#kept = 0;
    if (!state?.masking || !count) return;
    const editor = this.#unlessUnmasked(state, () =>
      state.masking?.rows(state.results, definitions.map(readDefinition), state.format, state.meter),
    );
    if (Buffer.isBuffer(editor)) return this.#output.give(state, editor);
    state.editor = editor ?? 'pass';
    hide(state, editor?.hidden);
    this.#output.give(state, count);
    definitions.forEach((one, at) => this.#output.give(state, editor?.nullable.has(at) ? asNullable(one) : one));
  }

  /** @returns an error for the client where something cannot be masked: the rest of the answer is dropped then */
  #unlessUnmasked<T>(state: CommandState, act: () => T): T | Buffer {
    try {
      return act();
    } catch (failure) {
      if (!(failure instanceof Unmasked)) throw failure;
      return this.#stop(state, failure);
    }
  }

  /** @returns what the client has in place of rows that come from elsewhere than was judged */
  #anew(state: CommandState, why: string): Buffer {
    this.#discarding = true;
    state.summary = why;
    return definedAnew(why);
  }

  /** @returns what the client has in place of the rest of the answer */
  #stop(state: CommandState, { message }: Unmasked): Buffer {
    this.#discarding = true;
    state.summary = message;
    const ended = state.meter?.ended;
    if (!ended) return unmaskable(message);
    state.full = true;
    this.#shared.cancel(state);
    return refusal(ended);
  }

  #over(owed: OwedAnswer, part: ReplyPart): void {
    const noFile = this.#shared.file.type === 'refused';
    const failed = part.type === 'error' || this.#discarding || noFile;
    this.#discarding = false;
    this.#standing.over();
    this.#description = [];
    this.#kept = 0;
    const [rows, error] = [this.#rows, this.#error];
    this.#rows = [];
    this.#error = undefined;
    if (noFile && owed.state) owed.state.summary = readError(refusedFile()).message;
    this.#shared.owed = undefined;
    this.#shared.file = { type: 'none' };
    owed.state?.masking?.ended();
    // Nobody waits for an answer any more.
    if (!owed.own && (failed || !owed.moreFollow)) this.#shared.sequence = 0;
    const cursor = 'cursor' in part && part.cursor;
    if (owed.state) this.#record(owed.state, failed, cursor && !failed);
    // What comes of it may have something to say of its own.
    this.#output.flush();
    owed.own?.(rows, failed, error);
    owed.ended(failed ? 'error' : 'ok', cursor);
  }

  #record(state: CommandState, failed: boolean, cursor: boolean): void {
    if (failed) this.#shared.recorder.end(state, 'error');
    else this.#shared.recorder.end(state, cursor ? 'suspended' : 'ok');
  }
}
