/**
 * Messages of gRPC in a body, each behind a byte that says whether it is compressed and its length (gRPC over HTTP/2, Length-Prefixed-Message).
 * Owns: cutting a body apart, however it comes. Does not: read messages.
 */

const HEAD_BYTES = 5;
/** A message is no longer; libraries take 4 MiB by default. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Why a body cannot be read: a phrase of which it is the subject. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export class Frames {
  #kept: Buffer[] = [];
  #bytes = 0;
  /** Bytes that the message at work needs to be whole, with its head. */
  #needs = HEAD_BYTES;

  /** @returns messages that are whole by now. @throws FrameError */
  push(bytes: Buffer): Buffer[] {
    this.#kept.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    const whole: Buffer[] = [];
    while (this.#bytes >= this.#needs) {
      const all = this.#kept.length === 1 ? (this.#kept[0] as Buffer) : Buffer.concat(this.#kept);
      const end = HEAD_BYTES + lengthOf(all);
      this.#needs = all.length < end ? end : HEAD_BYTES;
      if (all.length >= end) whole.push(all.subarray(HEAD_BYTES, end));
      const rest = all.length < end ? all : all.subarray(end);
      this.#kept = [rest];
      this.#bytes = rest.length;
    }
    return whole;
  }

  /** @throws FrameError */
  end(): void {
    if (this.#bytes > 0) throw new FrameError('ends within a message');
  }
}

function lengthOf(head: Buffer): number {
  if (head[0] !== 0) throw new FrameError('has a compressed message, which is not read here');
  const length = head.readUInt32BE(1);
  if (length > MAX_MESSAGE_BYTES) throw new FrameError(`has a message of more than ${MAX_MESSAGE_BYTES} bytes`);
  return length;
}

/** A message with its head. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
