/**
 * Requests of the gateway's own to a target, by the connections of a visit. Owns: that one has an answer in time and of a length that is read.
 * Does not: know what is asked for, or judge it.
 */
import type { Header, TargetAnswer, TargetQuestion, Visit } from '@sluice/contract';
import { codingOf, decodeWhole } from './coding.js';
import { areWritable } from './h1/head.js';
import { Pool } from './pool.js';
import type { AnswerEvents, AnswerHead, TargetSide } from './ports.js';
import { written } from './request.js';

/** How long such a request may take, in milliseconds. */
const ANSWER_MS = 15_000;

/** Rejects with a phrase. */
export async function askTarget(
  visit: Visit,
  { method, path, query, headers, body, maxBytes }: TargetQuestion,
): Promise<TargetAnswer> {
  const { http } = visit.admission.target;
  const bytes = Buffer.from(body);
  const own = headers.filter(([name]) => !/^(?:content-length|content-encoding|transfer-encoding)$/i.test(name));
  const plain: readonly Header[] = [...own, ['Content-Length', String(bytes.length)]];
  const { target, headers: sent } = await http.authorise({ target: written({ path, query }, http), headers: plain });
  if (!areWritable(sent) || !/^\/[\x21-\x7e]*$/.test(target)) throw new Error('it has a header that cannot be written');
  const side = await Pool.of(visit).take(false);
  const collected = new Collected(side, maxBytes);
  const framing = { type: 'length', length: bytes.length } as const;
  side.request({ method, scheme: http.scheme, authority: http.authority, target, headers: sent, framing }, collected);
  side.data(bytes);
  side.end([]);
  return collected.whole;
}

class Collected implements AnswerEvents {
  readonly whole: Promise<TargetAnswer>;
  readonly #side: TargetSide;
  readonly #maxBytes: number;
  readonly #parts: Buffer[] = [];
  readonly #settle: ReturnType<typeof Promise.withResolvers<TargetAnswer>>;
  readonly #timer: NodeJS.Timeout;
  #head: { readonly status: number; readonly headers: readonly Header[] } | undefined;
  #bytes = 0;
  #over = false;

  constructor(side: TargetSide, maxBytes: number) {
    this.#side = side;
    this.#maxBytes = maxBytes;
    this.#settle = Promise.withResolvers<TargetAnswer>();
    this.whole = this.#settle.promise;
    this.#timer = setTimeout(() => this.#failed('it does not answer in time'), ANSWER_MS);
  }

  informational(): void {}

  answer({ status, headers }: AnswerHead): void {
    this.#head = { status, headers };
  }

  answerData(bytes: Buffer): void {
    if (this.#over) return;
    this.#parts.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > this.#maxBytes) this.#failed(`its answer has more than ${this.#maxBytes} bytes`);
  }

  answerEnd(): void {
    if (this.#over || !this.#head) return;
    this.#done();
    try {
      const coding = codingOf(this.#head.headers);
      const body = Buffer.concat(this.#parts);
      this.#settle.resolve({ ...this.#head, body: coding ? decodeWhole(coding, body, this.#maxBytes) : body });
    } catch (error) {
      this.#settle.reject(error as Error);
    }
  }

  targetDrained(): void {}

  targetFailed(message: string): void {
    if (!this.#over) this.#failed(message, false);
  }

  switched(): void {
    this.#failed('it switches to another protocol');
  }

  #failed(message: string, abort = true): void {
    this.#done();
    if (abort) this.#side.abort();
    this.#settle.reject(new Error(message));
  }

  #done(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }
}
