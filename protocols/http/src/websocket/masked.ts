/**
 * What a target says on a WebSocket whose messages are masked. Owns: that each is here as a whole before any of it goes on, in one frame.
 * Does not: read frames, or mask.
 */
import { type BodyEditor, type EditedAnswer, Unmasked } from '@sluice/contract';
import { Inflow } from '../inflow.js';
import type { FrameSink } from './frames.js';
import { messageFrame } from './frames.js';

const CONTROL = 8;
const BINARY = 2;

export interface MaskedPort {
  /** What becomes of a message. @throws Unmasked */
  readonly mask: NonNullable<EditedAnswer['message']>;
  /** What its bytes go through before; it keeps nothing beyond the end of a message. */
  readonly before: BodyEditor | undefined;
  /** The longest message, in bytes. */
  readonly limit: number;
  /** A frame, and the payload in it that goes on record. */
  deliver(frame: Buffer, payload: Buffer | undefined): void;
}

/** A sink for the frames of the target. */
export class MaskedMessages implements FrameSink {
  readonly #port: MaskedPort;
  readonly #payload = new Inflow();
  #kind: 'text' | 'binary' = 'text';
  #isControl = false;
  /** A frame of control passes between those of a message. */
  #control: Buffer[] = [];

  constructor(port: MaskedPort) {
    this.#port = port;
  }

  header(bytes: Buffer): void {
    const opcode = (bytes[0] as number) & 0x0f;
    this.#isControl = opcode >= CONTROL;
    if (this.#isControl) this.#control.push(Buffer.from(bytes));
    else if (opcode !== 0) this.#kind = opcode === BINARY ? 'binary' : 'text';
  }

  payload(bytes: Buffer, control: boolean): void {
    if (control) return void this.#control.push(Buffer.from(bytes));
    this.#payload.add(Buffer.from(bytes));
    const { limit } = this.#port;
    if (this.#payload.bytes.length > limit)
      throw new Unmasked(`a message that is masked has at most ${limit.toLocaleString('en')} bytes here`);
  }

  end(_opcode: number, last: boolean): void {
    if (this.#isControl) return this.#port.deliver(Buffer.concat(this.#control.splice(0)), undefined);
    if (!last) return;
    const { before, mask } = this.#port;
    const came = this.#payload.take();
    const passed = before ? Buffer.concat([Buffer.from(before.push(came)), before.release()]) : came;
    const made = mask(this.#kind, passed);
    this.#port.deliver(messageFrame(this.#kind, made, false), made);
  }
}
