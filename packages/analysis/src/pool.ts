/**
 * Threads that analyse long texts. Owns who is next, how many may wait and for how long one may run. Does not own what is short
 * enough for the thread of the sessions (packages/judging/src/judge.ts).
 */
import { Worker } from 'node:worker_threads';
import type { Dialect, Facts, Parameter } from '@sluice/contract';
import { FairQueue } from './fair-queue.js';

/**
 * Texts longer than this are analysed in a worker, so that a huge or hostile one cannot stall the other sessions. In
 * characters: what can be made of fewer keeps this thread for some milliseconds at the worst (nested comments).
 */
export const MAX_INLINE_CHARACTERS = 4 * 1024;

/** Of texts up to this some hundred are analysed in a second; of longer ones each takes up to seconds. Characters. */
export const MAX_QUICK_CHARACTERS = 64 * 1024;

export interface PoolOptions {
  /** One more than may be busy with texts that are not quick: those never keep the others waiting. At least 2. */
  readonly threads?: number;
  /** How long one text may take, in milliseconds. */
  readonly timeout?: number;
  /** How many texts may wait, of all owners and of one. */
  readonly queue?: number;
  readonly ownQueue?: number;
}

/** Who wants to know, and whether a statement waits for it or only somebody who is curious. */
export interface Asker {
  readonly owner: string;
  readonly urgency: 'live' | 'explain';
}

const NOBODY: Asker = { owner: '', urgency: 'live' };

export interface PoolContext {
  readonly parameters?: readonly Parameter[];
  /** What the names stand for that the text executes, as far as they are known. */
  readonly prepared?: Readonly<Record<string, string>>;
}

export interface Job {
  readonly id: number;
  readonly dialect: Dialect;
  readonly text: string;
  readonly context: PoolContext;
}

export interface Done {
  readonly facts: Facts;
  /** This thread's grammar should not be used again. */
  readonly exhausted: boolean;
}

interface WaitingJob extends Job {
  readonly lane: Lane;
  readonly resolve: (facts: Facts) => void;
}

/** In the order in which they are served. */
const LANES = ['quick', 'slow', 'explain'] as const;
type Lane = (typeof LANES)[number];

/** A text that takes too long is given up together with its thread. */
export class AnalysisPool {
  readonly #worker: URL;
  readonly #threads: number;
  readonly #timeout: number;
  readonly #maxWaiting: number;
  readonly #maxOwn: number;
  readonly #queues: Readonly<Record<Lane, FairQueue<WaitingJob>>> = {
    quick: new FairQueue(),
    slow: new FairQueue(),
    explain: new FairQueue(),
  };
  /** How many of the threads are busy with texts that are not quick. */
  #slow = 0;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  #serial = 0;
  #closed = false;

  constructor(worker: URL, { threads = 2, timeout = 5_000, queue = 256, ownQueue = 32 }: PoolOptions = {}) {
    this.#worker = worker;
    this.#threads = Math.max(2, threads);
    this.#timeout = timeout;
    this.#maxWaiting = queue;
    this.#maxOwn = ownQueue;
  }

  /** Always resolves: what could not be analysed in time is unknown. */
  analyze(
    dialect: Dialect,
    text: string,
    context: PoolContext = {},
    { owner, urgency }: Asker = NOBODY,
  ): Promise<Facts> {
    if (this.#closed) return Promise.resolve(gaveUp(CLOSING));
    // What is only explained takes no place from statements.
    const { quick, slow, explain } = this.#queues;
    const [queues, share] = urgency === 'explain' ? [[explain], EXPLAIN_SHARE] : [[quick, slow], 1];
    if (sum(queues.map((queue) => queue.sizeOf(owner))) >= this.#maxOwn * share)
      return Promise.resolve(gaveUp('came while too many long statements of yours were waiting to be analysed'));
    if (sum(queues.map(({ size }) => size)) >= this.#maxWaiting * share)
      return Promise.resolve(gaveUp('came while too many long statements were waiting to be analysed'));
    const { promise, resolve } = Promise.withResolvers<Facts>();
    const live: Lane = text.length <= MAX_QUICK_CHARACTERS ? 'quick' : 'slow';
    const lane = urgency === 'explain' ? 'explain' : live;
    this.#queues[lane].push(owner, { id: ++this.#serial, dialect, text, context, lane, resolve });
    this.#next();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const queue of Object.values(this.#queues))
      for (let job = queue.shift(); job; job = queue.shift()) job.resolve(gaveUp(CLOSING));
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #next(): void {
    const mayBeSlow = this.#slow < this.#threads - 1;
    const lane = LANES.find((one) => this.#queues[one].size > 0 && (one === 'quick' || mayBeSlow));
    if (!lane) return;
    const worker = this.#idle.pop() ?? (this.#all.size < this.#threads ? this.#hire() : undefined);
    const job = worker && this.#queues[lane].shift();
    if (worker && job) this.#run(worker, job);
  }

  #run(worker: Worker, { resolve, lane, ...job }: WaitingJob): void {
    const slow = lane === 'quick' ? 0 : 1;
    this.#slow += slow;
    const onMessage = ({ facts, exhausted }: Done): void => finish(facts, !exhausted);
    const onGone = (): void => finish(gaveUp('could not be analysed'), false);
    const finish = (facts: Facts, keep: boolean): void => {
      clearTimeout(timer);
      this.#slow -= slow;
      worker.off('message', onMessage);
      worker.off('exit', onGone);
      // A thread that is given up may still fail; nobody is waiting for it.
      if (keep) worker.off('error', onGone);
      if (keep) this.#idle.push(worker);
      else this.#dismiss(worker);
      resolve(facts);
      this.#next();
    };
    worker.on('message', onMessage);
    worker.on('error', onGone);
    worker.on('exit', onGone);
    const timer = setTimeout(() => finish(gaveUp('takes too long to analyse'), false), this.#timeout);
    worker.postMessage(job satisfies Job);
  }

  #hire(): Worker {
    const worker = new Worker(this.#worker);
    worker.unref();
    this.#all.add(worker);
    return worker;
  }

  #dismiss(worker: Worker): void {
    this.#all.delete(worker);
    void worker.terminate();
  }
}

/** Of the places that statements have. */
const EXPLAIN_SHARE = 1 / 8;
const CLOSING = 'came while the gateway was shutting down';
const sum = (sizes: readonly number[]): number => sizes.reduce((all, one) => all + one, 0);

/** `worker`: the file that a thread runs; it answers each `Job` with a `Done`. */
export const openPool = (worker: URL, options?: PoolOptions): AnalysisPool => new AnalysisPool(worker, options);

function gaveUp(reason: string): Facts {
  return {
    actions: [{ statement: 0, depth: 0, verb: 'unknown', effects: ['unknown'], resources: [], reasons: [reason] }],
    confidence: 'opaque',
    statements: [{ type: 'none' }],
  };
}
