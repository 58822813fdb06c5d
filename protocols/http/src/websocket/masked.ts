/**
 * What a target says on a WebSocket whose messages are masked. Owns: that each is here as a whole before any of it goes on, in one frame.
 * Does not: read frames, or mask.
 */
import { type BodyEditor, type EditedAnswer, Unmasked } from '@sluice/contract';
import { Inflow } from '../inflow.js';
import { type FrameSink, controlFrame, messageFrame } from './frames.js';

const CONTROL = 8;
const BINARY = 2;
const CLOSE = 8;
/** Of a close frame, before its reason. */
const CODE_BYTES = 2;

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
  /** What one says, which passes between the frames of a message. */
  #control: Buffer[] = [];

  constructor(port: MaskedPort) {
    this.#port = port;
  }

  header(bytes: Buffer): void {
    const opcode = (bytes[0] as number) & 0x0f;
    this.#isControl = opcode >= CONTROL;
    if (!this.#isControl && opcode !== 0) this.#kind = opcode === BINARY ? 'binary' : 'text';
  }

  payload(bytes: Buffer, control: boolean): void {
    if (control) return void this.#control.push(Buffer.from(bytes));
    this.#payload.add(Buffer.from(bytes));
    const { limit } = this.#port;
    if (this.#payload.bytes.length > limit)
      throw new Unmasked(`a message that is masked has at most ${limit.toLocaleString('en')} bytes here`);
  }

  end(opcode: number, last: boolean): void {
    if (this.#isControl) return this.#passControl(opcode);
    if (!last) return;
    const made = this.#port.mask(this.#kind, this.#behind(this.#payload.take()));
    this.#port.deliver(messageFrame(this.#kind, made, false), made);
  }

  /** It says something as well: why the target closes, mostly. */
  #passControl(opcode: number): void {
    const came = Buffer.concat(this.#control.splice(0));
    const code = opcode === CLOSE ? came.subarray(0, CODE_BYTES) : came.subarray(0, 0);
    const text = this.#port.mask('control', this.#behind(came.subarray(code.length)));
    this.#port.deliver(controlFrame(opcode, Buffer.concat([code, text])), undefined);
  }

  #behind(bytes: Buffer): Buffer {
    const { before } = this.#port;
    return before ? Buffer.concat([Buffer.from(before.push(bytes)), before.release()]) : bytes;
  }
}
