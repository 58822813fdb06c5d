/**
 * An answer that is judged before its client has any of it. Owns: what of it has come, and that neither its length nor its time is without
 * end. Does not: judge.
 */
import { type AnswerJudging, type AnswerQuestion, Unmasked } from '@sluice/contract';
import { Room, type RoomBounds } from '@sluice/wire';
import type { AnswerHead } from './ports.js';

/** Of answers that are collected, of one principal and of all. */
const MAX_BYTES_OF_ONE = 64 * 1024 * 1024;
const MAX_BYTES = 256 * 1024 * 1024;
/** How long an answer may take to be there, in milliseconds. */
const COLLECT_MS = 10 * 60_000;
/** After so long its client is told that something is under way, in milliseconds. */
const TOLD_AFTER_MS = 10_000;

const ROOM = new Room();
const BOUNDS: RoomBounds = { ofOne: MAX_BYTES_OF_ONE, all: MAX_BYTES };

export class CollectedAnswer {
  readonly came: AnswerHead;
  readonly #judging: AnswerJudging;
  readonly #principal: string;
  readonly #parts: Buffer[] = [];
  readonly #timers: readonly NodeJS.Timeout[];
  #bytes = 0;
  #isAsked = false;
  /** All of it has come. */
  hasEnded = false;

  /** `waits`: its client may be told that it waits; `late`: it has taken too long, a phrase says so. */
  constructor(
    came: AnswerHead,
    judging: AnswerJudging,
    principal: string,
    { waits, late }: { waits: () => void; late: (message: string) => void },
  ) {
    this.came = came;
    this.#judging = judging;
    this.#principal = principal;
    const tooLate = (): void => late('rules judge the whole answer, and it has not come to its end in time');
    this.#timers = [setTimeout(waits, TOLD_AFTER_MS).unref(), setTimeout(tooLate, COLLECT_MS).unref()];
  }

  /** What is in here came through its content coding. */
  get isDecoded(): boolean {
    return this.#judging.reads === 'body';
  }

  /** @throws Unmasked where it is too long, or no room is left */
  add(bytes: Buffer): void {
    const { maxBytes } = this.#judging;
    this.#bytes += bytes.length;
    const hasRoom = ROOM.take(this.#principal, bytes.length, BOUNDS);
    this.#parts.push(Buffer.from(bytes));
    if (this.#bytes > maxBytes)
      throw new Unmasked(`rules judge the whole answer, and it has more than ${maxBytes} bytes`);
    if (!hasRoom) throw new Unmasked('rules judge the whole answer, and too many are judged at once');
  }

  /** It has come to its end. Returns whether it is being judged already. */
  ended(): boolean {
    this.hasEnded = true;
    return this.#isAsked;
  }

  /** @throws Unmasked */
  question(): AnswerQuestion {
    this.#isAsked = true;
    clearTimeout(this.#timers[1]);
    return this.#judging.question(Buffer.concat(this.#parts));
  }

  /** What has come; nothing is kept any more. */
  take(): Buffer {
    for (const timer of this.#timers) clearTimeout(timer);
    ROOM.give(this.#principal, this.#bytes);
    this.#bytes = 0;
    return Buffer.concat(this.#parts.splice(0));
  }
}
