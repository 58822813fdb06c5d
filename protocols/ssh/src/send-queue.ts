/** What waits for a peer's window. Owns: order and memory. Does not: send (channel.ts). */

/** Writes are gathered into pieces of this size; what is larger is a piece by itself. Bytes. */
const GATHERED_WRITE_BYTES = 4096;

interface QueuedWrite {
  readonly type: number;
  bytes: Buffer;
  /** What of `bytes` is filled. */
  length: number;
}

/**
 * What a channel could not send yet: bytes of its streams and, in their places between them, things to do. Small writes are
 * gathered, so that what it takes in memory is what the window lets a peer send and not a multiple of that.
 */
export class SendQueue {
  #items: (QueuedWrite | (() => void))[] = [];
  #size = 0;

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  get empty(): boolean {
    return this.#items.length === 0;
  }

  /** Copies the bytes. */
  add(bytes: Buffer, type: number): void {
    this.#size += bytes.length;
    const last = this.#items.at(-1);
    if (typeof last !== 'object' || last.type !== type || last.length + bytes.length > GATHERED_WRITE_BYTES) {
      this.#items.push({ type, bytes: Buffer.from(bytes), length: bytes.length });
      return;
    }
    if (last.length + bytes.length > last.bytes.length) {
      const larger = Buffer.allocUnsafe(GATHERED_WRITE_BYTES);
      last.bytes.copy(larger, 0, 0, last.length);
      last.bytes = larger;
    }
    last.length += bytes.copy(last.bytes, last.length);
  }

  /** To be done when all that was added before has been taken. */
  afterwards(act: () => void): void {
    this.#items.push(act);
  }

  /** Hands out what there is, at most `room()` bytes at a time, until that is 0. */
  drain(room: () => number, take: (bytes: Buffer, type: number) => void): void {
    let at = 0;
    for (; at < this.#items.length; at++) {
      const item = this.#items[at] as QueuedWrite | (() => void);
      if (typeof item === 'function') {
        item();
        continue;
      }
      let from = 0;
      for (let most = room(); from < item.length && most > 0; most = room()) {
        const end = Math.min(item.length, from + most);
        this.#size -= end - from;
        take(item.bytes.subarray(from, end), item.type);
        from = end;
      }
      if (from === item.length) continue;
      item.bytes = item.bytes.subarray(from, item.length);
      item.length -= from;
      break;
    }
    this.#items.splice(0, at);
  }

  /** All bytes at once; nothing is left. */
  take(): Buffer {
    const pieces = this.#items.flatMap((item) =>
      typeof item === 'object' ? [item.bytes.subarray(0, item.length)] : [],
    );
    this.clear();
    return Buffer.concat(pieces);
  }

  /** What was to be done, in order. The bytes between are dropped. */
  dropBytes(): (() => void)[] {
    const acts = this.#items.filter((item) => typeof item === 'function');
    this.clear();
    return acts;
  }

  clear(): void {
    this.#items = [];
    this.#size = 0;
  }
}
