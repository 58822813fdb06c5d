/**
 * Answers that wait to have their signatures checked, by a thread of their own. Owns: how many wait, and for how long one may take. Does not:
 * check them (verifier.ts), or say whose turn it is of those who send some (packages/console-server).
 */
import { Worker } from 'node:worker_threads';
import { SamlError } from './error.js';

/** Answers that wait at a time. */
const MAX_WAITING = 20;
/** For so long one may be checked, in milliseconds: what takes longer is none that anybody sends in earnest. */
const MAX_CHECK_MS = 10_000;
/** Of the thread. MiB. */
const MAX_HEAP_MIB = 256;
/** The compiled file, also for tests. */
const VERIFIER = new URL('../dist/verifier.js', import.meta.url);

/** An answer, and whose signatures it needs. */
export interface Signed {
  readonly xml: string;
  readonly idp: string;
  readonly certificates: readonly string[];
  readonly entityId: string;
  readonly callback: string;
  readonly clockSkew: number;
}

/** An element as node-saml reads it: names without their prefixes. */
export interface Element {
  readonly $?: Readonly<Record<string, string>>;
  readonly _?: string;
  readonly [name: string]: unknown;
}

/** What was signed, or why nothing was. */
export interface Checked {
  readonly assertion?: Element;
  readonly why?: string;
}

let thread: Worker | undefined;
let last = 0;
let waiting = 0;
let line: Promise<unknown> = Promise.resolve();

/** The assertion of an answer: signed itself, in an answer that is signed as a whole. Rejects with a SamlError. */
export async function assertionOf(signed: Signed): Promise<Element> {
  if (waiting >= MAX_WAITING) throw new SamlError('too many answers wait to be looked at; try again');
  waiting++;
  const checking = line.then(() => check(signed));
  line = checking.catch(() => undefined);
  try {
    const { assertion, why } = await checking;
    if (assertion) return assertion;
    throw new SamlError(why ?? 'it has no assertion');
  } finally {
    waiting--;
  }
}

/** One at a time. A thread that does not answer is ended, and the next answer gets another one. */
async function check(question: Signed): Promise<Checked> {
  thread ??= begin();
  const worker = thread;
  const id = ++last;
  const { promise, resolve } = Promise.withResolvers<Checked>();
  const onMessage = ({ id: of, answer }: { readonly id: number; readonly answer: Checked }): void => {
    if (of === id) resolve(answer);
  };
  const end = (why: string) => (): void => {
    if (thread === worker) thread = undefined;
    void worker.terminate();
    resolve({ why });
  };
  const failed = end('it could not be looked at');
  const late = setTimeout(end('it takes too long to look at'), MAX_CHECK_MS);
  worker.on('message', onMessage).once('error', failed).once('exit', failed);
  worker.ref();
  worker.postMessage({ id, question });
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    worker.off('message', onMessage).off('error', failed).off('exit', failed);
    worker.unref();
  }
}

function begin(): Worker {
  const limits = { resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB } };
  const worker = new Worker(VERIFIER, { ...limits, stdout: true, stderr: true });
  // What a library prints of bytes that a stranger sent is nothing for a terminal.
  worker.stdout.resume();
  worker.stderr.resume();
  // Nobody may listen when it ends: an error that nobody hears ends the process.
  worker.on('error', () => undefined);
  worker.once('exit', () => {
    if (thread === worker) thread = undefined;
  });
  return worker;
}
