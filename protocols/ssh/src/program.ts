/**
 * A program that was let through. Owns: its masks, counts and record. Does not: move bytes, or know how it is doing at the
 * target (session-channel.ts).
 */
import type { Allow, AnswerMeter, Gate, ResponsePart } from '@sluice/contract';
import type { Clock } from './clock.js';
import { MaskedOutput, type MaskedOutputPort } from './masked-output.js';
import { STDERR } from './messages.js';
import { ByteCount } from './byte-count.js';

export interface ProgramOptions {
  /** Of the command that it was allowed as. */
  readonly id: number;
  readonly answer: Allow;
  readonly hasTerminal: boolean;
}

/**
 * A program that was let through: masks what it prints, counts what it is given and prints, and has it recorded up to its end.
 * Does not: move bytes, or know how it is doing at the target (`session-channel.ts`).
 */
export class Program {
  readonly id: number;
  /** What of its output the client may have; undefined: all. */
  readonly meter: AnswerMeter | undefined;
  readonly #gate: Gate;
  readonly #port: MaskedOutputPort;
  readonly #masked: MaskedOutput | undefined;
  readonly #hasTerminal: boolean;
  /** It copies files and does nothing else. */
  readonly #transfer: boolean;
  readonly #counts: { readonly in: ByteCount; readonly out: ByteCount; readonly err: ByteCount };
  /** Bytes of what is recorded of its output; at a terminal, since the last line that was typed. */
  #recorded = 0;

  constructor(gate: Gate, clock: Clock, { id, answer, hasTerminal }: ProgramOptions, port: MaskedOutputPort) {
    const { facts, stream, meter } = answer;
    this.id = id;
    this.meter = meter;
    this.#gate = gate;
    this.#port = port;
    this.#hasTerminal = hasTerminal;
    // A copy beside another command must not keep what that prints out of the record.
    this.#transfer = facts.actions.length > 0 && facts.actions.every(({ effects }) => effects.includes('transfer'));
    this.#counts = {
      in: new ByteCount(this.#transfer),
      out: new ByteCount(this.#transfer),
      err: new ByteCount(false),
    };
    if (stream) this.#masked = new MaskedOutput(stream, clock, port);
  }

  /** Bytes that it is given. */
  input(bytes: Buffer): void {
    this.#counts.in.add(bytes);
  }

  /** Bytes that it printed. They come back by `deliver` of the port, masked where masks apply. */
  output(bytes: Buffer, type: number): void {
    if (this.#masked) this.#masked.push(bytes, type);
    else this.#port.deliver(bytes, type);
  }

  /** It prints nothing more. */
  outputEnded(): void {
    this.#masked?.end();
  }

  /**
   * Counts and records output that is delivered.
   *
   * @returns false where a terminal has shown as much as there is room for in the record
   */
  recordOutput(bytes: Buffer, type: number): boolean {
    const stream = type === STDERR ? 'err' : 'out';
    this.#counts[stream].add(bytes);
    if (this.#transfer && stream === 'out') return true;
    const { limits } = this.#gate;
    const room = (this.#hasTerminal ? limits.terminal : limits.recordedAnswer) - this.#recorded;
    // Of a terminal nothing is left out of the record: one that shows more than fits is over.
    if (room < bytes.length && this.#hasTerminal) return false;
    if (room <= 0) return true;
    this.#recorded += bytes.length;
    this.recordPart(stream, bytes.length > room ? bytes.subarray(0, room) : bytes);
    return true;
  }

  /** A line was typed: what is recorded of its output is counted from here. */
  newLine(): void {
    this.#recorded = 0;
  }

  recordPart(stream: NonNullable<ResponsePart['stream']>, bytes: Buffer): void {
    this.#gate.record({ type: 'part', command: this.id, stream, data: [bytes] });
  }

  /** Puts the end on record. Call once; what is still held of its output is dropped. `exit`: how it ended, in words. */
  end(outcome: 'ok' | 'error' | 'lost', exit: string): void {
    this.#masked?.stop();
    const { in: input, out, err } = this.#counts;
    const bytes = out.bytes + err.bytes;
    const summary = `${exit}; in ${input.end()}, out ${out.end()}, err ${err.end()}`;
    this.#gate.record({ type: 'end', command: this.id, outcome, summary, rows: 0, bytes, data: [] });
  }
}
