/**
 * One reading of one session, in the thread: pages, exports, what is added meanwhile. Owns: its bounds. Does not: who may read
 * (reading.ts).
 */
import {
  type ReplayEntry,
  type RecordHeader,
  type JournalGap,
  type JournalPosition,
  Timeline,
  comparePositions,
  parseHeader,
  toAsciicast,
  toHar,
  toOcsf,
} from '@sluice/recording';
import { TimelineEntry } from '@sluice/api';
import { openCursor, sealCursor } from './cursor.js';
import { toApi } from './entries.js';
import type { LiveRecord, SessionQuestion, ReadingStart, Replay } from './messages.js';
import { type StoredRecord, readSession } from './session-records.js';
import { wantedOf } from './wanted.js';

/** Bytes of text that are collected before they are sent, and that a page has at the most (and one entry more). */
const CHUNK_BYTES = 64 * 1024;
const MAX_PAGE_BYTES = 8 * 1024 * 1024;
/** Entries that are looked through for one page: where little is found, the page ends, and the next one goes on. */
const MAX_PAGE_LOOKED_AT = 50_000;
/** Those before the command that it begins with are passed over, which costs less: a million commands and their answers in one go. */
const MAX_PAGE_PASSED_OVER = 2_500_000;
/** Bytes of records that may wait for somebody who follows a session and does not keep up. */
const MAX_LIVE_BYTES = 8 * 1024 * 1024;

/** The caller's own mistake, or one that they should be told of. */
export class ReadingError extends Error {
  readonly status: 400 | 409;

  constructor(status: 400 | 409, message: string) {
    super(message);
    this.status = status;
  }
}

/** One reading of one session. Sends text in chunks, the next one when the last was taken. */
export class SessionReader {
  readonly #start: ReadingStart;
  readonly #request: SessionQuestion;
  readonly #send: (bytes: Uint8Array) => void;
  #text: string[] = [];
  #length = 0;
  #taken: (() => void) | undefined;
  readonly #live: { header: RecordHeader; payload: Buffer }[] = [];
  #liveBytes = 0;
  #wake: (() => void) | undefined;
  #cancelled = false;

  readonly #replaying: Promise<Replay | undefined>;
  #replay: Replay | undefined;

  /** `replay`: of the protocol of that session. */
  constructor(
    start: ReadingStart,
    request: SessionQuestion,
    replay: Promise<Replay | undefined>,
    send: (bytes: Uint8Array) => void,
  ) {
    this.#replaying = replay;
    this.#start = start;
    this.#request = request;
    this.#send = send;
  }

  /** Resolves at the end, with the cursor of the next page where there is one. */
  async run(): Promise<string | undefined> {
    const { session } = this.#request;
    this.#replay = await this.#replaying;
    switch (this.#request.as) {
      case 'page':
        return this.#page(this.#request);
      case 'ocsf':
        for await (const line of toOcsf(session, this.#entries())) await this.#write(`${line}\n`);
        break;
      case 'asciicast':
        await this.#needsOutput();
        for await (const line of toAsciicast(session, this.#entries(), this.#request.command))
          await this.#write(`${line}\n`);
        break;
      case 'har':
        for await (const piece of toHar(session, this.#entries(), this.#request.command)) await this.#write(piece);
        break;
      case 'events':
        await this.#events(this.#request.follow);
        break;
      default:
        this.#request satisfies never;
    }
    await this.#flush();
    return undefined;
  }

  /** The chunk that was sent last has left. */
  taken(): void {
    this.#taken?.();
    this.#taken = undefined;
  }

  /** Records that were added to the session. */
  live(records: readonly LiveRecord[]): void {
    for (const { header: text, payload } of records) {
      const header = parseHeader(Buffer.from(text));
      if (!header) continue;
      this.#liveBytes += text.length + payload.length;
      if (this.#liveBytes > MAX_LIVE_BYTES) {
        // The reading ends: nobody waits for its last chunk to be taken.
        this.#live.length = 0;
        this.taken();
      } else this.#live.push({ header, payload: Buffer.from(payload) });
    }
    this.#wake?.();
  }

  cancel(): void {
    this.#cancelled = true;
    this.taken();
    this.#wake?.();
  }

  async #page({
    session,
    limit,
    cursor: given,
    wanted = {},
  }: Extract<SessionQuestion, { as: 'page' }>): Promise<string | undefined> {
    const cursor = given === undefined ? undefined : openCursor(session.id, given);
    if (given !== undefined && !cursor)
      throw new ReadingError(400, 'This cursor is not good any more: begin again without one.');
    const timeline = new Timeline(session.id, session.started);
    /** Where parts of answers begin whose end was not seen. */
    const unfinished = new Map<number, JournalPosition>();
    const isWanted = wantedOf(wanted);
    let [entries, bytes, lookedAt, passedOver] = [0, 0, 0, 0];
    let next: string | undefined;
    await this.#write('[');
    /** Where the next page reads from, so that it finds the same gaps: where the last record begins, and not behind it. */
    let last = cursor?.from ?? session.from;
    for await (const one of this.#records(last)) {
      const { start } = one;
      let all: readonly ReplayEntry[];
      if ('what' in one) all = [timeline.gap(one)];
      else {
        const { header, payload } = one;
        last = start;
        if (header.k === 'part' && !unfinished.has(header.id)) unfinished.set(header.id, start);
        if (header.k === 'end') unfinished.delete(header.id);
        all = timeline.entries(header, payload);
      }
      const order = cursor ? comparePositions(start, cursor.after) : 1;
      if (order < 0) continue;
      let seen = order === 0 ? (cursor?.entries ?? 0) : 0;
      for (const entry of all.slice(seen)) {
        seen++;
        const has = isWanted(entry);
        if (has === 'before' && ++passedOver < MAX_PAGE_PASSED_OVER) continue;
        if (has === true) {
          const text = this.#json(entry);
          await this.#write(entries === 0 ? text : `,${text}`);
          bytes += text.length;
          entries++;
        }
        if (entries < limit && bytes < MAX_PAGE_BYTES && ++lookedAt < MAX_PAGE_LOOKED_AT) continue;
        const [earliest = last] = [...unfinished.values()].sort(comparePositions);
        next = sealCursor(session.id, { from: earliest, after: start, entries: seen });
        break;
      }
      if (next !== undefined) break;
    }
    await this.#write(']');
    await this.#flush();
    return next;
  }

  async #events(follow: boolean): Promise<void> {
    const { session } = this.#request;
    const timeline = new Timeline(session.id, session.started);
    const see = async (entries: readonly ReplayEntry[]): Promise<void> => {
      // Server-sent events (WHATWG HTML section 9.2).
      for (const entry of entries) await this.#write(`data: ${this.#json(entry)}\n\n`);
    };
    for await (const one of this.#records(session.from)) await see(entriesOf(timeline, one));
    if (!follow) return;
    for (;;) {
      await this.#flush();
      while (this.#live.length === 0 && this.#liveBytes === 0 && !this.#cancelled) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
      if (this.#liveBytes > MAX_LIVE_BYTES) throw new ReadingError(409, 'More happens than is read in time.');
      this.#liveBytes = 0;
      for (const { header, payload } of this.#live.splice(0)) {
        await see(timeline.entries(header, payload));
        if (header.k === 'closed') return;
      }
    }
  }

  /** What `toOcsf` and `toAsciicast` go through twice. */
  #entries(): AsyncIterable<ReplayEntry> {
    return { [Symbol.asyncIterator]: () => this.#timeline() };
  }

  async *#timeline(): AsyncGenerator<ReplayEntry> {
    const { session } = this.#request;
    const timeline = new Timeline(session.id, session.started);
    for await (const one of this.#records(session.from)) yield* entriesOf(timeline, one);
  }

  async #needsOutput(): Promise<void> {
    let why = '';
    for await (const entry of this.#entries()) {
      if (entry.type === 'output') return;
      if (entry.type === 'gap') why ||= ` ${entry.summary}`;
    }
    throw new ReadingError(409, `Session ${this.#request.session.id} has no output of a terminal or a program.${why}`);
  }

  async *#records(from: JournalPosition): AsyncGenerator<StoredRecord | JournalGap> {
    for await (const one of readSession(this.#start, this.#request, from)) {
      if (this.#cancelled) throw new ReadingError(409, 'Nobody waits for this any more.');
      if (one !== 'busy') yield one;
    }
  }

  /** An answer that is not as described is not sent. */
  #json(entry: ReplayEntry): string {
    return JSON.stringify(TimelineEntry.parse(toApi(entry, this.#replay)));
  }

  async #write(text: string): Promise<void> {
    this.#text.push(text);
    this.#length += text.length;
    if (this.#length >= CHUNK_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#cancelled) throw new ReadingError(409, 'Nobody waits for this any more.');
    if (this.#length === 0) return;
    const bytes = Buffer.from(this.#text.join(''));
    this.#text = [];
    this.#length = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#taken = resolve;
    this.#send(bytes);
    await promise;
  }
}

const entriesOf = (timeline: Timeline, one: StoredRecord | JournalGap): readonly ReplayEntry[] =>
  'what' in one ? [timeline.gap(one)] : timeline.entries(one.header, one.payload);
