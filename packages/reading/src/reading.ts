/**
 * The record as the gateway reads it: a thread is asked. Owns: the thread, who may read how much at a time, and what goes into
 * the index. Does not: who may see which session (packages/control).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { RecordHeader, Journal } from '@sluice/recording';
import type { IndexedSession, IndexChange, SessionFilter } from '@sluice/store';
import { changeOf } from './changes.js';
import type {
  ThreadAnswer,
  Expired,
  FromThread,
  KeepTimes,
  Question,
  LiveRecord,
  SessionQuestion,
  ReadingStart,
  SearchAnswer,
  Sought,
  ToThread,
} from './messages.js';

/**
 * Records of a session that is followed are given to the thread together: a message for each would cost the one who is watched several times
 * what their statement costs. How long they wait for others, in milliseconds, and how many bytes do.
 */
const GATHER_MS = 20;
const MAX_GATHERED_BYTES = 256 * 1024;
/** How long what changed may wait before the index has it, in milliseconds. */
const BATCH_MS = 200;
/** Readings that one caller may have at a time, besides those that follow an open session, and those. */
const MAX_READINGS = 4;
const MAX_FOLLOWED = 16;
/** Megabytes: a thread that needs more is ended, and the gateway is not. */
const MAX_THREAD_MB = 1024;
/** The first thread starts so long after the gateway, unless somebody asks before, in milliseconds. */
const FIRST_START_MS = 3_000;
/** One that failed is replaced after this, doubled each time until one has answered something. */
const RESTART_MS = 1_000;
const MAX_RESTART_MS = 60_000;

/** Whoever stops the gateway waits for the index no longer than this: it may be in the middle of being made anew. Milliseconds. */
const CLOSING_MS = 2_000;

/** The compiled file, also for tests, which run the sources. */
const THREAD = new URL('../dist/thread.js', import.meta.url);

/** Why something cannot be read; `status` as in HTTP. */
export class ReadFailure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What is read, as it comes. Whoever does not want the rest calls `cancel`. */
export interface SessionReading {
  readonly chunks: AsyncIterable<Buffer>;
  /** Resolves at the end with the cursor of the next page, where there is one; never rejects. */
  readonly next: Promise<string | undefined>;
  /** Gives it a record that was added to the session. */
  live(header: string, payload: Uint8Array): void;
  cancel(): void;
  /** Whoever asked has taken all of it, or is gone. Until then a page, which is made as a whole, counts as one that they read. */
  release(): void;
}

interface ChunkReceiver {
  onChunk(bytes: Uint8Array): void;
  onEnd(next: string | undefined, failure: ReadFailure | undefined): void;
}

/**
 * What the rest of the gateway sees of the record on disk: it asks a thread, in which everything is read. Lives here: the
 * thread, who may read how much at a time, and what is added to the index of sessions. Does not: who may see which session.
 */
export class Readings {
  readonly #start: Omit<ReadingStart, 'end' | 'live'>;
  readonly #journal: Journal;
  readonly #flush: () => void;
  readonly #onFailure: (message: string) => void;
  #thread: Worker | undefined;
  /** Running while there is no thread. */
  #opening: NodeJS.Timeout | undefined;
  /** The thread that was there ended by itself: nobody has the next one started by asking. */
  #failed = false;
  #restart = RESTART_MS;
  #closed = false;
  /** Sessions whose beginning was recorded, and whose end was not. */
  readonly #live = new Set<string>();
  #serial = 0;
  readonly #questions = new Map<number, PromiseWithResolvers<ThreadAnswer>>();
  readonly #streams = new Map<number, ChunkReceiver>();
  readonly #busy = new Map<string, number>();
  #pending: { header: RecordHeader; start: Journal['place'] }[] = [];
  #batch: NodeJS.Timeout | undefined;

  /**
   * @param index file of the index; made of the journal where it is missing
   * @param flush puts what is still in memory into the journal
   * @param replays address of the module that knows the protocols: `Replays` of messages.ts
   * @param packages addresses of the code of protocols in packages of somebody else, by package
   */
  constructor(
    journal: Journal,
    index: string,
    flush: () => void,
    onFailure: (message: string) => void,
    replays: string,
    packages: Readonly<Record<string, string>> = {},
  ) {
    this.#start = { folder: journal.folder, process: journal.process, index, replays, packages };
    this.#journal = journal;
    this.#flush = flush;
    this.#onFailure = onFailure;
    this.#opening = setTimeout(() => this.#open(), FIRST_START_MS).unref();
  }

  /** A record was appended. Those that say where sessions begin and end go into the index. */
  note(header: RecordHeader): void {
    if (header.k !== 'opened' && header.k !== 'closed' && header.k !== 'approval') return;
    if (header.k === 'opened') this.#live.add(header.s);
    if (header.k === 'closed') this.#live.delete(header.s);
    // A thread that is yet to start reads it from the journal.
    if (!this.#thread) return;
    this.#pending.push({ header, start: this.#journal.place });
    this.#batch ??= setTimeout(() => this.#sendChanges(), BATCH_MS).unref();
  }

  /** Sessions on record, newest first, those of now included. Rejects with a ReadFailure. */
  async list(caller: string, filter: SessionFilter): Promise<readonly IndexedSession[]> {
    return (await this.#ask(caller, { type: 'list', filter })).sessions;
  }

  /** Undefined when there is no such session on record. Rejects with a ReadFailure. */
  async find(caller: string, id: string): Promise<IndexedSession | undefined> {
    return (await this.#ask(caller, { type: 'find', id })).sessions[0];
  }

  /** What is damaged of what a session was recorded in, as sentences: it may lack what it did there. Rejects with a ReadFailure. */
  async damages(caller: string, session: IndexedSession): Promise<readonly string[]> {
    this.#flush();
    return (await this.#ask(caller, { type: 'damages', session, to: this.#journal.place })).damages ?? [];
  }

  /** Commands that are looked for, the newest first. Rejects with a ReadFailure. */
  async search(caller: string, sought: Omit<Sought, 'to'>): Promise<SearchAnswer> {
    this.#flush();
    const question = { type: 'search', sought: { ...sought, to: this.#journal.place } } as const;
    return (await this.#ask(caller, question)).search ?? { found: [], damages: [] };
  }

  /**
   * Begins to read a session as it is on record now.
   *
   * @throws ReadFailure when the caller reads too much at a time
   */
  read(caller: string, wanted: SessionQuestionWithoutEnd): SessionReading {
    this.#flush();
    const thread = this.#running();
    const done = this.#occupy(caller, wanted.as === 'events' && wanted.follow);
    const id = ++this.#serial;
    const { promise: next, resolve: settleNext } = Promise.withResolvers<string | undefined>();
    const post = (message: ToThread): void => {
      if (this.#streams.has(id)) thread.postMessage(message);
    };
    const cancel = (): void => {
      post({ type: 'cancel', id });
      this.#streams.get(id)?.onEnd(undefined, undefined);
    };
    const queue = new Chunks(() => post({ type: 'more', id }), cancel);
    this.#streams.set(id, {
      onChunk: (bytes) => queue.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      onEnd: (cursor, failure) => {
        this.#streams.delete(id);
        if (wanted.as !== 'page') done();
        settleNext(cursor);
        queue.end(failure);
      },
    });
    const request = { ...wanted, to: this.#journal.place } as SessionQuestion;
    thread.postMessage({ type: 'read', id, request } satisfies ToThread);
    return {
      chunks: queue,
      next,
      live: gathered((records) => post({ type: 'live', id, records })),
      cancel,
      release: done,
    };
  }

  /** Segments of which nobody needs the record any more. Rejects with a ReadFailure. */
  async expired(keep: KeepTimes): Promise<readonly Expired[]> {
    return (await this.#ask('', { type: 'expired', keep })).expired;
  }

  /** There are no segments before this one any more. */
  forget(before: number): void {
    this.#thread?.postMessage({ type: 'forget', before } satisfies ToThread);
  }

  async close(): Promise<void> {
    if (this.#pending.length > 0) {
      this.#sendChanges();
      // Whatever is not in the index by then is read from the journal at the next start.
      const written = this.#ask('', { type: 'find', id: '' }).catch(() => undefined);
      await Promise.race([written, sleep(CLOSING_MS, undefined, { ref: false })]);
    }
    this.#closed = true;
    clearTimeout(this.#batch);
    clearTimeout(this.#opening);
    await this.#thread?.terminate();
  }

  /** The journal has the records by then: the place that is sent along is behind all of them. */
  #sendChanges(): void {
    clearTimeout(this.#batch);
    this.#batch = undefined;
    this.#flush();
    const position = this.#journal.place;
    const changes = this.#pending.splice(0).flatMap(({ header, start }): IndexChange[] => {
      const change = changeOf(header, start, position);
      return change ? [change] : [];
    });
    this.#thread?.postMessage({ type: 'changes', changes, position } satisfies ToThread);
  }

  async #ask(caller: string, question: Question): Promise<ThreadAnswer> {
    if (this.#pending.length > 0) this.#sendChanges();
    const thread = this.#running();
    const done = this.#occupy(caller, false);
    const id = ++this.#serial;
    const asked = Promise.withResolvers<ThreadAnswer>();
    this.#questions.set(id, asked);
    thread.postMessage({ type: 'ask', id, question } satisfies ToThread);
    try {
      return await asked.promise;
    } finally {
      done();
    }
  }

  /** Counts one reading of a caller, and returns what ends it. */
  #occupy(caller: string, follows: boolean): () => void {
    const key = `${follows ? 'follows' : 'reads'} ${caller}`;
    const [count, most] = [this.#busy.get(key) ?? 0, follows ? MAX_FOLLOWED : MAX_READINGS];
    if (count >= most) {
      const what = follows ? 'sessions are followed' : 'recordings are read';
      throw new ReadFailure(429, `${most} ${what} for you already, which is the most at a time. Wait for one to end.`);
    }
    this.#busy.set(key, count + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#busy.get(key) ?? 1) - 1;
      if (left > 0) this.#busy.set(key, left);
      else this.#busy.delete(key);
    };
  }

  #running(): Worker {
    if (!this.#failed && !this.#closed) this.#open();
    if (!this.#thread)
      throw new ReadFailure(503, 'The record cannot be read at the moment. Try again in a few seconds.');
    return this.#thread;
  }

  #open(): void {
    if (this.#thread) return;
    clearTimeout(this.#opening);
    this.#failed = false;
    this.#flush();
    this.#pending = [];
    const start: ReadingStart = { ...this.#start, end: this.#journal.place, live: [...this.#live] };
    const thread = new Worker(THREAD, {
      workerData: start,
      resourceLimits: { maxOldGenerationSizeMb: MAX_THREAD_MB },
    });
    thread.unref();
    let why = 'it ended';
    thread.on('message', (message: FromThread) => this.#onMessage(message));
    thread.on('error', (error) => (why = error.message));
    thread.on('exit', () => this.#gone(why));
    this.#thread = thread;
  }

  #gone(why: string): void {
    this.#thread = undefined;
    this.#failed = true;
    if (!this.#closed) this.#onFailure(why);
    const failure = new ReadFailure(503, 'The record could not be read. The log of the gateway says why.');
    for (const { reject } of this.#questions.values()) reject(failure);
    this.#questions.clear();
    for (const stream of this.#streams.values()) stream.onEnd(undefined, failure);
    // What it had not put into the index is read from the journal by the next one.
    if (this.#closed) return;
    this.#opening = setTimeout(() => this.#open(), this.#restart).unref();
    this.#restart = Math.min(this.#restart * 2, MAX_RESTART_MS);
  }

  #onMessage(message: FromThread): void {
    switch (message.type) {
      case 'answer':
        this.#restart = RESTART_MS;
        this.#questions.get(message.id)?.resolve(message.answer);
        this.#questions.delete(message.id);
        break;
      case 'chunk':
        this.#streams.get(message.id)?.onChunk(message.bytes);
        break;
      case 'done':
        this.#streams.get(message.id)?.onEnd(message.next, undefined);
        break;
      case 'failed': {
        const { id, status } = message;
        if (status === undefined) this.#onFailure(message.message);
        const failure =
          status === undefined
            ? new ReadFailure(500, 'The record could not be read. The log of the gateway says why.')
            : new ReadFailure(status, message.message);
        this.#questions.get(id)?.reject(failure);
        this.#questions.delete(id);
        this.#streams.get(id)?.onEnd(undefined, failure);
        break;
      }
      default:
        message satisfies never;
    }
  }
}

/** A request without what `Readings` adds to it. */
export type SessionQuestionWithoutEnd = SessionQuestion extends infer R
  ? R extends SessionQuestion
    ? Omit<R, 'to'>
    : never
  : never;

/** Chunks on their way from the thread to one reader; the thread sends the next one when the last was taken. */
class Chunks implements AsyncIterable<Buffer> {
  readonly #more: () => void;
  readonly #cancel: () => void;
  #chunk: Buffer | undefined;
  #ended = false;
  #failure: ReadFailure | undefined;
  #wake: (() => void) | undefined;

  constructor(more: () => void, cancel: () => void) {
    this.#more = more;
    this.#cancel = cancel;
  }

  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#wake?.();
  }

  end(failure: ReadFailure | undefined): void {
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        while (!this.#chunk && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
        const chunk = this.#chunk;
        this.#chunk = undefined;
        if (chunk) {
          yield chunk;
          this.#more();
        } else if (this.#failure) throw this.#failure;
        else return;
      }
    } finally {
      if (!this.#ended) this.#cancel();
    }
  }
}

/** Sends what it is given in one go, a little later. */
function gathered(send: (records: readonly LiveRecord[]) => void): SessionReading['live'] {
  let waiting: LiveRecord[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const sendAll = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const records = waiting;
    waiting = [];
    bytes = 0;
    send(records);
  };
  return (header, payload) => {
    waiting.push({ header, payload });
    bytes += header.length + payload.length;
    if (bytes > MAX_GATHERED_BYTES) sendAll();
    else timer ??= setTimeout(sendAll, GATHER_MS).unref();
  };
}
