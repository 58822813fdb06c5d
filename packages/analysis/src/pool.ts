import { Worker } from 'node:worker_threads';
import type { Facts, Parameter } from '@sluice/contract';

/**
 * Texts longer than this are analysed in a worker, so that a huge or hostile one cannot stall the other sessions. In
 * characters: what can be made of fewer keeps this thread for some milliseconds at the worst (nested comments).
 */
export const INLINE_LIMIT = 4 * 1024;

export interface PoolOptions {
  readonly threads?: number;
  /** How long one text may take, in milliseconds. */
  readonly timeout?: number;
  /** How many texts may wait. */
  readonly queue?: number;
}

export interface PoolContext {
  readonly parameters?: readonly Parameter[];
  /** The names that the text may EXECUTE, looked up beforehand. */
  readonly prepared?: Readonly<Record<string, string>>;
}

export interface Job {
  readonly id: number;
  readonly major: number;
  readonly text: string;
  readonly context: PoolContext;
}

export interface Done {
  readonly facts: Facts;
  /** This thread's grammar should not be used again. */
  readonly exhausted: boolean;
}

interface Waiting extends Job {
  readonly settle: (facts: Facts) => void;
}

/** Threads that analyse long texts. A text that takes too long is given up together with its thread. */
export class AnalysisPool {
  readonly #threads: number;
  readonly #timeout: number;
  readonly #longest: number;
  readonly #waiting: Waiting[] = [];
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  #serial = 0;
  #closed = false;

  constructor({ threads = 1, timeout = 5_000, queue = 256 }: PoolOptions = {}) {
    this.#threads = threads;
    this.#timeout = timeout;
    this.#longest = queue;
  }

  /** Always resolves: what could not be analysed in time is unknown. */
  analyze(major: number, text: string, context: PoolContext = {}): Promise<Facts> {
    if (this.#closed) return Promise.resolve(gaveUp('came while the gateway was shutting down'));
    if (this.#waiting.length >= this.#longest)
      return Promise.resolve(gaveUp('came while too many long statements were waiting to be analysed'));
    const { promise, resolve } = Promise.withResolvers<Facts>();
    this.#waiting.push({ id: ++this.#serial, major, text, context, settle: resolve });
    this.#next();
    return promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { settle } of this.#waiting.splice(0)) settle(gaveUp('came while the gateway was shutting down'));
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #next(): void {
    const job = this.#waiting[0];
    if (!job) return;
    const worker = this.#idle.pop() ?? (this.#all.size < this.#threads ? this.#hire() : undefined);
    if (!worker) return;
    this.#waiting.shift();
    this.#run(worker, job);
  }

  #run(worker: Worker, { settle, ...job }: Waiting): void {
    const onMessage = ({ facts, exhausted }: Done): void => finish(facts, !exhausted);
    const onGone = (): void => finish(gaveUp('could not be analysed'), false);
    const finish = (facts: Facts, keep: boolean): void => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      worker.off('exit', onGone);
      // A thread that is given up may still fail; nobody is waiting for it.
      if (keep) worker.off('error', onGone);
      if (keep) this.#idle.push(worker);
      else this.#dismiss(worker);
      settle(facts);
      this.#next();
    };
    worker.on('message', onMessage);
    worker.on('error', onGone);
    worker.on('exit', onGone);
    const timer = setTimeout(() => finish(gaveUp('takes too long to analyse'), false), this.#timeout);
    worker.postMessage(job satisfies Job);
  }

  #hire(): Worker {
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    worker.unref();
    this.#all.add(worker);
    return worker;
  }

  #dismiss(worker: Worker): void {
    this.#all.delete(worker);
    void worker.terminate();
  }
}

export const openPool = (options?: PoolOptions): AnalysisPool => new AnalysisPool(options);

function gaveUp(reason: string): Facts {
  return {
    actions: [{ statement: 0, depth: 0, verb: 'unknown', effects: ['unknown'], resources: [], reasons: [reason] }],
    confidence: 'opaque',
    statements: [{ type: 'none' }],
  };
}
