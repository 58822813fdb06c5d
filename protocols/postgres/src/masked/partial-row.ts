/** The start of a row whose rest has not come. Owns: its memory. */
import { type RowRoom, Unmasked } from '@sluice/contract';

/**
 * The start of a row whose rest has not come. In one piece of memory: of a long row, whose size is known ahead, every byte is
 * copied once and on its own, so that no session waits for the copy of all of it. Does not own how much may be kept
 * (`RowRoom`).
 */
export class PartialRow {
  readonly #room: RowRoom;
  #memory: Buffer = NOTHING;
  size = 0;

  constructor(room: RowRoom) {
    this.#room = room;
  }

  /**
   * A copy: the bytes may be in a buffer that its owner fills again.
   *
   * @throws Unmasked when the machine has no memory for the row
   */
  add(bytes: Buffer): void {
    const size = this.size + bytes.length;
    if (size > this.#memory.length) {
      const larger = allocated(this.#capacity(size, bytes.length));
      this.#memory.copy(larger, 0, 0, this.size);
      this.#memory = larger;
    }
    bytes.copy(this.#memory, this.size);
    this.size = size;
  }

  /** All that has come, in memory that is nobody else's. */
  take(): Buffer {
    const taken = this.#memory.subarray(0, this.size);
    this.#memory = NOTHING;
    this.size = 0;
    return taken;
  }

  #capacity(size: number, added: number): number {
    const { held } = this.#room;
    // Behind the end of a row the next ones have begun.
    if (held >= size) return held + MAX_CHUNK_BYTES;
    return added >= this.size ? size : size * 2;
  }
}

function allocated(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafe(bytes);
  } catch {
    throw Unmasked.because(`there is no memory for a row of ${bytes} bytes at the moment; try again later`);
  }
}

const NOTHING = Buffer.alloc(0);
/** What one read of a socket brings at most. */
const MAX_CHUNK_BYTES = 256 * 1024;
