/** Collects for the record what the client is given. Owns: how much of an answer is kept. Does not: write it (gateway). */
import type { HiddenCounts, ResponseEnd, ResponseEvent } from '@sluice/contract';
import { GatheringHash } from './gathering-hash.js';

/** What is known of an answer that is being recorded. */
export interface RecordedAnswer {
  /** Of the command. */
  readonly id: number;
  /** 'prepare' commands run nothing and close in silence unless they fail. */
  readonly phase: 'prepare' | 'run';
  rows: number;
  bytes: number;
  /** Bytes of the answer that went into the record so far. */
  kept: number;
  /** The record has all that it takes of this answer. */
  full: boolean;
  summary: string;
  ended: boolean;
  /** Columns of its results that are NULL because nothing better is known of them, as far as they are not on record yet. */
  hidden: HiddenCounts | undefined;
  /** Data of a copy or a file that its client has sent for it. */
  sent?: { bytes: number; readonly hash: GatheringHash };
}

/** Summaries of many statements are cut here; the answer itself is in the record's data. */
const MAX_SUMMARY_CHARACTERS = 1000;

/**
 * Collects what the client is given for a command, up to a cap, and hands it to the record before the chunk it is a view
 * of goes away. Only whole messages count, so a recorded answer can always be decoded.
 */
export class AnswerRecorder {
  readonly #cap: number;
  readonly #record: (event: ResponseEvent) => void;
  #data: Uint8Array[] = [];

  constructor(cap: number, record: (event: ResponseEvent) => void) {
    this.#cap = cap;
    this.#record = record;
  }

  /** Whether a message of this many bytes still fits. Says no for good once one did not. */
  fits(command: RecordedAnswer, size: number): boolean {
    if (command.full) return false;
    if (command.kept + size <= this.#cap) return true;
    command.full = true;
    return false;
  }

  take(command: RecordedAnswer, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    command.kept += bytes.length;
    this.#data.push(bytes);
  }

  /** What the client sends for a command that has begun: the record says how much that was, and its digest. */
  sent(command: RecordedAnswer, bytes: Uint8Array): void {
    if (command.ended || bytes.length === 0) return;
    const sent = (command.sent ??= { bytes: 0, hash: new GatheringHash() });
    sent.bytes += bytes.length;
    sent.hash.update(bytes);
  }

  /** The chunk ends here and the answer does not: what was taken of it is recorded now. */
  flush(command: RecordedAnswer): void {
    if (this.#data.length === 0) return;
    this.#record({ type: 'part', command: command.id, data: this.#data });
    this.#data = [];
  }

  /** It was let through and will never run, so that it has no answer. What is being collected is that of another one. */
  unused(command: RecordedAnswer): void {
    command.ended = true;
    const { id, summary, rows, bytes, hidden } = command;
    this.#record({ type: 'end', command: id, outcome: 'skipped', summary, rows, bytes, hidden, data: [] });
  }

  end(command: RecordedAnswer, outcome: ResponseEnd['outcome']): void {
    if (command.ended && outcome !== 'ok' && outcome !== 'error') return;
    command.ended = outcome !== 'suspended';
    const data = this.#data;
    this.#data = [];
    if (command.phase === 'prepare' && outcome !== 'error' && data.length === 0) return;
    this.#record({
      type: 'end',
      command: command.id,
      outcome,
      summary: command.summary.slice(0, MAX_SUMMARY_CHARACTERS) + sentInWords(command),
      rows: command.rows,
      bytes: command.bytes,
      hidden: command.hidden,
      data,
    });
    // A portal that is executed again has told it already.
    command.hidden = undefined;
  }
}

/** Of what its client has sent; once, since a digest ends there. */
function sentInWords(command: RecordedAnswer): string {
  const { sent, summary } = command;
  if (!sent) return '';
  delete command.sent;
  return `${summary === '' ? '' : '; '}${sent.bytes} bytes were sent, SHA-256 ${sent.hash.digest()}`;
}
