/**
 * A thread that looks through long bodies, so that the thread that serves everybody has time for others meanwhile. Owns: the thread, and what is
 * asked of it. Does not: look (looking-worker.ts), or say how long a body has to be for it.
 */
import { Worker } from 'node:worker_threads';
import type { AppliedMask, Detector, HttpBody } from '@sluice/contract';
import { BodyUnreadable } from '@sluice/http-requests';
import { unmasked } from './fault.js';
import type { HttpMaskOptions } from './http-masks.js';

type Whole = HttpBody & { readonly type: 'whole' };

export type Look =
  | { readonly type: 'found'; readonly body: Whole; readonly query: string }
  | { readonly type: 'has-mask'; readonly body: Whole }
  | {
      readonly type: 'masked';
      readonly body: Whole;
      readonly rules: readonly AppliedMask[];
      readonly options: Omit<HttpMaskOptions, 'replaced'>;
    };
export type LookingJob = { readonly id: number; readonly look: Look };

export type LookingResult = { readonly id: number } & (
  | { readonly type: 'made'; readonly value: readonly Detector[] | boolean | Uint8Array | undefined }
  | { readonly type: 'unreadable' | 'unmasked' | 'failed'; readonly why: string }
);

interface Waiting {
  resolve(value: unknown): void;
  reject(why: Error): void;
}

let thread: Worker | undefined;
const waiting = new Map<number, Waiting>();
let serial = 0;

/** See `foundIn`. @throws BodyUnreadable, Error where the thread fails */
export const foundInThread = (body: Whole, query: string): Promise<readonly Detector[]> =>
  asked({ type: 'found', body, query }) as Promise<readonly Detector[]>;

/** See `hasMask`. @throws Error where the thread fails */
export const hasMaskInThread = (body: Whole): Promise<boolean> => asked({ type: 'has-mask', body }) as Promise<boolean>;

/** See `HttpMasks.request`. @throws BodyUnmasked, Error where the thread fails */
export async function maskedInThread(
  body: Whole,
  rules: readonly AppliedMask[],
  { key, unread, marked }: Omit<HttpMaskOptions, 'replaced'>,
): Promise<Buffer | undefined> {
  const made = (await asked({ type: 'masked', body, rules, options: { key, unread, marked } })) as
    | Uint8Array
    | undefined;
  return made && Buffer.from(made.buffer, made.byteOffset, made.byteLength);
}

function asked(look: Look): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const id = ++serial;
  waiting.set(id, { resolve, reject });
  thread ??= start();
  // Copied: what was judged goes on to the target.
  thread.postMessage({ id, look } satisfies LookingJob);
  return promise;
}

function start(): Worker {
  const started = new Worker(new URL('./looking-worker.js', import.meta.url));
  started.unref();
  started.on('message', (result: LookingResult) => {
    const one = waiting.get(result.id);
    waiting.delete(result.id);
    if (result.type === 'made') one?.resolve(result.value);
    else one?.reject(errorOf(result.type, result.why));
  });
  // Which of the bodies it failed on is not known. The next ones get another thread.
  const failed = (): void => {
    if (thread !== started) return;
    thread = undefined;
    for (const { reject } of waiting.values())
      reject(new Error('the thread that looks through long bodies has failed'));
    waiting.clear();
  };
  started.on('error', failed);
  started.on('exit', failed);
  return started;
}

function errorOf(type: 'unreadable' | 'unmasked' | 'failed', why: string): Error {
  if (type === 'unreadable') return new BodyUnreadable(why);
  return type === 'unmasked' ? unmasked(why) : new Error(why);
}
