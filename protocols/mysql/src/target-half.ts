/**
 * The target's half: knows which answer each packet belongs to, checks that it may come now, and gives the client and the
 * record the same bytes: as they came where nothing changes them. Rows pass in whole chunks, however long they are. Does not:
 * read the client (protocols/mysql/src/client-half.ts).
 */
import { HIDDEN_REASONS, type HiddenCounts, type HiddenReason, type RowRoom, Unmasked } from '@sluice/contract';
import { unexpected } from '@sluice/wire';
import { CAPABILITY } from './capabilities.js';
import { ClientOutput } from './client-output.js';
import { asNullable, readDefinition, withMetadata } from './definitions.js';
import { LongRow, framedPieces, header } from './long-row.js';
import { HEADER_BYTES, MAX_PACKET, NOTHING, framed, packetsOf, payloadLength } from './packets.js';
import { refusedFile, unmaskable } from './refusal.js';
import { ERR, LOCAL_INFILE, STATUS, endOfRows, ok, readError, readOk, warningsIn } from './replies.js';
import type { ReplyPart } from './reply.js';
import { textRow } from './results.js';
import type { CommandState } from './command-state.js';
import type { Shared, OwedAnswer } from './shared.js';

/** A packet that is no row and is longer than this is none. Bytes. */
const MAX_REPLY_BYTES = 1024 * 1024;

export class TargetHalf {
  readonly #shared: Shared;
  readonly #output: ClientOutput;
  readonly #tracks: boolean;
  /** The start of a packet whose rest has not come. */
  #partial: Buffer[] = [];
  #size = 0;
  #needed = HEADER_BYTES;
  /** Bytes of the current row that are still to come, whether its next packet belongs to it, and whether the client has nothing of it. */
  #passing = 0;
  #chain = false;
  #dropping = false;
  /** Where, in the current chunk, the bytes start that the client has not been sent, and that the record has not. */
  #run = 0;
  #from = 0;
  /** How a result is described, kept back until it is known what its rows go through. */
  #description: Buffer[] = [];
  #rows: (string | null)[][] = [];
  /** A result could not be masked: the client was told, and the rest of the answer is dropped. */
  #discarding = false;
  /** A row of several packets that masks change, and whether it waits for room: nothing is read meanwhile. */
  #long: LongRow | undefined;
  #waits = false;

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#output = new ClientOutput((bytes) => shared.wires.send('client', bytes));
    this.#tracks = (shared.capabilities & CAPABILITY.sessionTrack) !== 0;
  }

  /** Nothing more of the target may be read. */
  get waits(): boolean {
    return this.#waits;
  }

  /** The client has had whole packets only. */
  get betweenPackets(): boolean {
    return this.#dropping || (this.#passing === 0 && !this.#chain);
  }

  receive(bytes: Buffer): void {
    try {
      this.#receive(bytes);
    } finally {
      this.#output.flush();
    }
  }

  #receive(bytes: Buffer): void {
    let chunk = bytes;
    if (this.#size > 0) {
      this.#keep(bytes);
      if (this.#size < this.#needed) return;
      chunk = Buffer.concat(this.#partial);
      this.#partial = [];
      this.#size = 0;
    }
    this.#run = 0;
    this.#from = 0;
    const at = this.#packets(chunk);
    this.#pass(chunk, at);
    const { owed } = this.#shared;
    if (owed?.state) this.#shared.recorder.flush(owed.state);
    if (at < chunk.length) this.#keep(chunk.subarray(at));
  }

  /** Takes what there is, and returns where it stopped. */
  #packets(chunk: Buffer): number {
    let at = 0;
    for (;;) {
      if (this.#long) {
        at = this.#collect(this.#long, chunk, at);
        if (this.#long) return at;
      }
      if (this.#passing > 0) {
        const part = Math.min(this.#passing, chunk.length - at);
        at += part;
        this.#passing -= part;
        if (this.#dropping) this.#skip(at);
        if (this.#passing > 0) return at;
      }
      if (chunk.length - at < HEADER_BYTES) return this.#wait(at, HEADER_BYTES);
      const size = payloadLength(chunk, at);
      if (this.#chain) {
        if (this.#dropping) this.#dropRow(chunk, at, size);
        else this.#rowPacket(chunk, at, size);
        at += HEADER_BYTES;
        continue;
      }
      // The first byte says what it is.
      if (size > 0 && chunk.length - at === HEADER_BYTES) return this.#wait(at, HEADER_BYTES + 1);
      const { owed } = this.#shared;
      if (!owed) return this.#unasked(chunk, at, size);
      const row = owed.reply.isRow(chunk[at + HEADER_BYTES] as number, size);
      if (row && this.#rowPasses(owed, chunk, at, size)) {
        at += HEADER_BYTES;
        continue;
      }
      const next = at + HEADER_BYTES + size;
      const isOwn = !row || owed.own !== undefined;
      if (isOwn && size > MAX_REPLY_BYTES) throw unexpected(`the target sent a packet of ${size} bytes`);
      if (chunk.length < next) return this.#wait(at, HEADER_BYTES + size);
      if (row) this.#editedRow(owed, chunk, at, next);
      else this.#packet(owed, chunk, at, next);
      at = next;
    }
  }

  #wait(at: number, needed: number): number {
    this.#needed = needed;
    return at;
  }

  #keep(bytes: Buffer): void {
    this.#partial.push(Buffer.from(bytes));
    this.#size += bytes.length;
  }

  /** A target that ends the session says so. */
  #unasked(chunk: Buffer, at: number, size: number): number {
    if (chunk.length < at + HEADER_BYTES + size) return this.#wait(at, HEADER_BYTES + size);
    if (chunk[at + HEADER_BYTES] !== ERR) throw unexpected('the target sent a packet that answers nothing');
    const { message } = readError(chunk.subarray(at + HEADER_BYTES, at + HEADER_BYTES + size));
    throw unexpected(`the target ended the session: ${message}`);
  }

  /** Takes up a row that passes or is dropped as it comes. False: it has to be whole. */
  #rowPasses(owed: OwedAnswer, chunk: Buffer, at: number, size: number): boolean {
    const { own, state } = owed;
    if (own) return false;
    const isEdited = state?.masking !== undefined && state.editor !== 'pass';
    if (isEdited && !this.#discarding) {
      if (size !== MAX_PACKET) return false;
      this.#pass(chunk, at);
      this.#skip(at + HEADER_BYTES);
      this.#long = new LongRow(this.#room);
      this.#beginLong(this.#long, size);
      return true;
    }
    if (this.#discarding) this.#dropRow(chunk, at, size);
    else {
      if (state) state.rows++;
      this.#rowPacket(chunk, at, size);
    }
    return true;
  }

  get #room(): RowRoom {
    const { masks } = this.#shared;
    if (!masks) throw unexpected('the target sent rows to be masked where nothing is masked');
    return masks.room;
  }

  /** Takes what there is of a long row, and returns where it stopped. */
  #collect(long: LongRow, chunk: Buffer, start: number): number {
    for (let at = start; ; ) {
      at += long.take(chunk.subarray(at));
      this.#skip(at);
      if (long.left > 0) return at;
      if (!long.continues) {
        this.#endLong(long);
        return at;
      }
      if (chunk.length - at < HEADER_BYTES) return this.#wait(at, HEADER_BYTES);
      this.#beginLong(long, payloadLength(chunk, at));
      at += HEADER_BYTES;
      this.#skip(at);
      if (this.#long !== long) return at;
    }
  }

  /** Another packet of a long row begins: it may have to wait until others have given room back. */
  #beginLong(long: LongRow, size: number): void {
    try {
      long.begin(size);
    } catch (failure) {
      if (!(failure instanceof Unmasked)) throw failure;
      return this.#refuseLong(failure, size, size === MAX_PACKET);
    }
    const { wait } = this.#room;
    if (!wait) return;
    this.#waits = true;
    const granted = wait.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    this.#shared.port.later(granted, (failure) => {
      this.#waits = false;
      if (failure === undefined) return;
      if (!(failure instanceof Unmasked)) throw failure;
      this.#refuseLong(failure, long.left, long.continues);
      this.#output.flush();
    });
  }

  /** The client is told, and has nothing of what is left of the row. */
  #refuseLong(why: Unmasked, left: number, continues: boolean): void {
    const { owed } = this.#shared;
    this.#long = undefined;
    this.#room.clear();
    this.#passing = left;
    this.#chain = continues;
    this.#dropping = true;
    if (owed?.state) this.#give(owed, this.#stop(owed.state, why));
  }

  #endLong(long: LongRow): void {
    const { owed, wires } = this.#shared;
    const state = owed?.state;
    const editor = state?.editor;
    if (!state || !editor || editor === 'pass') throw unexpected('the target sent rows that it had not described');
    this.#long = undefined;
    state.rows++;
    const made = this.#unlessUnmasked(state, () => editor.pieces(long.taken()));
    if (Buffer.isBuffer(made)) {
      this.#room.clear();
      return this.#give(owed, made);
    }
    this.#giveRow(state, made);
    this.#output.flush();
    void wires.flushed('client').then(() => this.#room.left());
  }

  /** The client has nothing of it. */
  #dropRow(chunk: Buffer, at: number, size: number): void {
    this.#pass(chunk, at);
    this.#skip(at + HEADER_BYTES);
    this.#passing = size;
    this.#chain = size === MAX_PACKET;
    this.#dropping = true;
  }

  #skip(to: number): void {
    this.#run = to;
    this.#from = to;
  }

  /** A packet of a row that passes as it is: numbered, and recorded while it fits. */
  #rowPacket(chunk: Buffer, at: number, size: number): void {
    const state = this.#shared.owed?.state;
    this.#number(chunk, at);
    this.#passing = size;
    if (state) {
      this.#admit(state, chunk, at, HEADER_BYTES + size);
      state.bytes += HEADER_BYTES + size;
    }
    this.#chain = size === MAX_PACKET;
    this.#dropping = false;
  }

  /** The record has whole packets, in order, up to the first that does not fit. */
  #admit(state: CommandState, chunk: Buffer, at: number, size: number): void {
    const wasOpen = !state.full;
    if (!this.#shared.recorder.fits(state, at - this.#from + size) && wasOpen) this.#take(chunk, at);
  }

  #number(chunk: Buffer, at: number): void {
    const { sequence } = this.#shared;
    if (chunk[at + 3] !== sequence) chunk[at + 3] = sequence;
    this.#shared.sequence = (sequence + 1) & 0xff;
  }

  /** The record takes what lies between the last mark and here. */
  #take(chunk: Buffer, to: number): void {
    const { owed, recorder } = this.#shared;
    if (owed?.state && to > this.#from) recorder.take(owed.state, chunk.subarray(this.#from, to));
    this.#from = to;
  }

  /** What passes up to here goes to the client. */
  #pass(chunk: Buffer, to: number): void {
    if (this.#shared.owed?.state && !this.#shared.owed.state.full) this.#take(chunk, to);
    this.#from = to;
    if (this.#run < to) this.#output.add(chunk.subarray(this.#run, to));
    this.#run = to;
  }

  /** Something of the gateway's own in place of what lies between. */
  #replace(owed: OwedAnswer, chunk: Buffer, at: number, next: number, payload: Buffer | undefined): void {
    this.#pass(chunk, at);
    this.#skip(next);
    if (payload) this.#give(owed, payload);
  }

  /** A packet of the gateway's own, behind what the client has been given. */
  #give({ state }: OwedAnswer, payload: Buffer): void {
    const shared = this.#shared;
    const packet = framed(payload, shared.sequence);
    shared.sequence = (shared.sequence + packetsOf(payload.length)) & 0xff;
    this.#output.add(packet);
    if (!state) return;
    state.bytes += packet.length;
    if (shared.recorder.fits(state, packet.length)) shared.recorder.take(state, packet);
  }

  /** Everything but rows. */
  #packet(owed: OwedAnswer, chunk: Buffer, at: number, next: number): void {
    const payload = chunk.subarray(at + HEADER_BYTES, next);
    const part = owed.reply.take(payload);
    if (part.type === 'ok' || part.type === 'eof') this.#rowsEnd(owed, part, chunk, at);
    const instead = this.#instead(owed, part, payload, chunk[at + 3] as number);
    if (instead === undefined) {
      this.#number(chunk, at);
      if (owed.state) {
        this.#admit(owed.state, chunk, at, next - at);
        owed.state.bytes += next - at;
      }
    } else this.#replace(owed, chunk, at, next, instead === 'nothing' ? undefined : instead);
    if (part.type === 'definition' && part.last && this.#description.length > 0) this.#describe(owed);
    if (!part.ends) return;
    this.#pass(chunk, next);
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
        return undefined;
      case 'count':
      case 'definition':
        if (owed.own || this.#discarding) return 'nothing';
        return this.#described(owed.state, part.type === 'count' ? payload : this.#definition(payload));
      default:
        return owed.own || this.#discarding ? 'nothing' : undefined;
    }
  }

  #definition(payload: Buffer): Buffer {
    return this.#shared.addsMetadata ? withMetadata(payload) : payload;
  }

  /** Undefined: it passes as it came. */
  #described(state: CommandState | undefined, payload: Buffer): Buffer | 'nothing' | undefined {
    if (state?.masking && state.phase !== 'prepare') {
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
  #rowsEnd(owed: OwedAnswer, { cursor }: Extract<ReplyPart, { type: 'ok' | 'eof' }>, chunk: Buffer, at: number): void {
    const { state } = owed;
    const editor = state?.editor;
    if (!state || !editor || editor === 'pass' || cursor || this.#discarding) return;
    hide(state, editor.late?.());
    const { behind = [] } = editor;
    if (behind.length === 0) return;
    this.#pass(chunk, at);
    state.rows += behind.length;
    for (const row of behind) this.#give(owed, row);
  }

  #summarise(state: CommandState, affected: number | undefined, info: Buffer | undefined): void {
    const said = info && info.length > 0 ? `: ${info.toString('utf8')}` : '';
    const rows = state.rows - state.rowsBefore;
    state.rowsBefore = state.rows;
    const one = affected === undefined || rows > 0 ? `${rows} rows` : `${affected} affected${said}`;
    state.summary = state.summary === '' ? one : `${state.summary}; ${one}`.slice(0, 1000);
  }

  #failed(owed: OwedAnswer, payload: Buffer): Buffer | 'nothing' | undefined {
    if (owed.own || this.#discarding) return 'nothing';
    const clean = owed.state?.masking?.error(payload) ?? payload;
    if (owed.state) {
      const { code, sqlstate, message } = readError(clean);
      owed.state.summary = `${sqlstate}: ${message} (${code})`;
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
  #describe(owed: OwedAnswer): void {
    const { state } = owed;
    const [count, ...definitions] = this.#description;
    this.#description = [];
    if (!state?.masking || !count) return;
    const editor = this.#unlessUnmasked(state, () =>
      state.masking?.rows(state.results, definitions.map(readDefinition), state.format),
    );
    if (Buffer.isBuffer(editor)) return this.#give(owed, editor);
    state.editor = editor ?? 'pass';
    hide(state, editor?.hidden);
    this.#give(owed, count);
    definitions.forEach((one, at) => this.#give(owed, editor?.nullable.has(at) ? asNullable(one) : one));
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

  /** @returns what the client has in place of the rest of the answer */
  #stop(state: CommandState, { message }: Unmasked): Buffer {
    this.#discarding = true;
    state.summary = message;
    return unmaskable(message);
  }

  #over(owed: OwedAnswer, part: ReplyPart): void {
    const noFile = this.#shared.file.type === 'refused';
    const failed = part.type === 'error' || this.#discarding || noFile;
    this.#discarding = false;
    this.#description = [];
    const rows = this.#rows;
    this.#rows = [];
    if (noFile && owed.state) owed.state.summary = readError(refusedFile()).message;
    this.#shared.owed = undefined;
    this.#shared.file = { type: 'none' };
    // Nobody waits for an answer any more.
    if (!owed.own && (failed || !owed.moreFollow)) this.#shared.sequence = 0;
    const cursor = 'cursor' in part && part.cursor;
    if (owed.state) this.#record(owed.state, failed, cursor && !failed);
    // What comes of it may have something to say of its own.
    this.#output.flush();
    owed.own?.(rows, failed);
    owed.ended(failed ? 'error' : 'ok', cursor);
  }

  #record(state: CommandState, failed: boolean, cursor: boolean): void {
    if (failed) this.#shared.recorder.end(state, 'error');
    else this.#shared.recorder.end(state, cursor ? 'suspended' : 'ok');
  }

  /** A row that is the gateway's own, or that masks change. */
  #editedRow(owed: OwedAnswer, chunk: Buffer, at: number, next: number): void {
    const row = chunk.subarray(at + HEADER_BYTES, next);
    if (owed.own) {
      this.#rows.push(textRow(row));
      return this.#replace(owed, chunk, at, next, undefined);
    }
    const { state } = owed as { state: CommandState };
    const { editor } = state;
    if (!editor || editor === 'pass') throw unexpected('the target sent rows that it had not described');
    this.#pass(chunk, at);
    this.#skip(next);
    state.rows++;
    const made = this.#unlessUnmasked(state, () => editor.pieces(row));
    if (Buffer.isBuffer(made)) this.#give(owed, made);
    else this.#giveRow(state, made);
  }

  /** A row that masks have changed, in pieces. */
  #giveRow(state: CommandState, pieces: readonly Buffer[]): void {
    const shared = this.#shared;
    const { recorder, sequence } = shared;
    let payload = 0;
    for (const { length } of pieces) payload += length;
    const packets = packetsOf(payload);
    const size = payload + packets * HEADER_BYTES;
    const fits = recorder.fits(state, size);
    for (const bytes of packets === 1 ? [header(payload, sequence), ...pieces] : framedPieces(pieces, sequence)) {
      this.#output.add(bytes);
      if (fits) recorder.take(state, bytes);
    }
    state.bytes += size;
    shared.sequence = (sequence + packets) & 0xff;
  }
}

/** Counts columns that are NULL, for the record. */
function hide(state: CommandState, columns: HiddenCounts | undefined): void {
  if (!columns) return;
  const counts: Partial<Record<HiddenReason, number>> = { ...state.hidden };
  for (const reason of HIDDEN_REASONS) {
    const more = columns[reason];
    if (more !== undefined) counts[reason] = (counts[reason] ?? 0) + more;
  }
  state.hidden = counts;
}
