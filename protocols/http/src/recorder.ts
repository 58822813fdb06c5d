/**
 * What goes on record of one exchange behind its command: body that the command did not have, heads and body of the answer, what
 * passed after the protocol was switched. Owns: the bounds, and the digest of what is beyond them. Does not: take out
 * secrets, which is the gate's.
 */
import type { BodyDigest, Gate, ResponseEnd } from '@sluice/contract';
import { type Gathering, GatheringHash, gathers } from '@sluice/wire';

type BodyDirection = 'request' | 'out' | 'in';
type AnswerPart = NonNullable<ResponseEnd['parts']>[number];

/** One direction of a body. */
class BodyRecord {
  bytes = 0;
  readonly #hash: GatheringHash | undefined;
  readonly #limit: number;

  /** `length`: how long it will be, where that is known; one that fits needs no digest. */
  constructor(limit: number, length: number | undefined) {
    this.#limit = limit;
    if (length === undefined || length > limit) this.#hash = new GatheringHash();
  }

  /** Counts the bytes and returns those that go on record. */
  take(bytes: Buffer): Buffer | undefined {
    const room = this.#limit - this.bytes;
    this.bytes += bytes.length;
    this.#hash?.update(bytes);
    if (room <= 0) return undefined;
    return bytes.length <= room ? bytes : bytes.subarray(0, room);
  }

  /** Absent where all of it is on record. */
  digest(): BodyDigest | undefined {
    if (this.bytes <= this.#limit || !this.#hash) return undefined;
    return { bytes: this.bytes, sha256: this.#hash.digest() };
  }
}

/** What waits for the end of its answer, in bytes. */
const MOST_WAITING_BYTES = 64 * 1024;

const NOTHING: readonly Uint8Array[] = [];

/**
 * The head of an answer and what comes with it wait for the end of the turn, before which nothing of them leaves: an answer that is whole by then
 * is one record.
 */
export class ExchangeRecorder implements Gathering {
  readonly #gate: Gate;
  readonly #command: number;
  #waiting: AnswerPart[] | undefined;
  #waitingBytes = 0;
  readonly #bodies: Record<BodyDirection, BodyRecord | undefined> = {
    request: undefined,
    out: undefined,
    in: undefined,
  };
  #ended = false;

  constructor(gate: Gate, command: number) {
    this.#gate = gate;
    this.#command = command;
  }

  /** How long the body will be, before its first bytes. */
  expect(stream: BodyDirection, length: number | undefined): void {
    this.#bodies[stream] = new BodyRecord(this.#gate.limits.recordedAnswer, length);
  }

  body(stream: BodyDirection, bytes: Buffer): void {
    const record = (this.#bodies[stream] ??= new BodyRecord(this.#gate.limits.recordedAnswer, undefined));
    const kept = record.take(bytes);
    if (kept && kept.length > 0) this.#part(stream, kept);
  }

  /** A head or trailers of the answer, as lines of HTTP/1.1. `switches`: what follows is no answer, and lies in memory that is read into again. */
  head(bytes: Buffer, switches = false): void {
    // What cannot be recorded must not even be on its way.
    if (!switches && !this.#waiting && !this.#ended && this.#gate.isRecording !== false) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      gathers(this);
    }
    this.#part('head', bytes);
  }

  #part(stream: BodyDirection | 'head', data: Buffer): void {
    const isOfAnswer = stream === 'head' || stream === 'out';
    if (this.#waiting && isOfAnswer && (this.#waitingBytes += data.length) <= MOST_WAITING_BYTES) {
      this.#waiting.push({ stream, data });
      return;
    }
    this.gathered();
    this.#gate.record({ type: 'part', command: this.#command, stream, data: [data] });
  }

  /** Nothing tells yet that the answer is whole. */
  gathered(): void {
    const parts = this.#waiting;
    if (!parts) return;
    this.#waiting = undefined;
    for (const { stream, data } of parts)
      this.#gate.record({ type: 'part', command: this.#command, stream, data: [data] });
  }

  end(outcome: ResponseEnd['outcome'], summary: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const request = this.#bodies.request?.digest();
    const answer = this.#bodies.out?.digest();
    const bodies = (request || answer) && { ...(request && { request }), ...(answer && { answer }) };
    const parts = this.#waiting;
    this.#waiting = undefined;
    this.#gate.record({
      type: 'end',
      command: this.#command,
      outcome,
      summary,
      rows: 0,
      bytes: this.#bodies.out?.bytes ?? 0,
      data: NOTHING,
      bodies,
      parts,
    });
  }
}
