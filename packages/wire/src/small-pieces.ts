/**
 * Bytes that were lent and have to be kept until more of them have come. Owns: that what comes in pieces of a byte takes no hundred times its size. Does
 * not: know what they are.
 */

/** Pieces that are shorter are put together to about so many bytes. */
const BLOCK_BYTES = 16 * 1024;

export class SmallPieces {
  /** The last piece lies at the start of it. */
  #block: Buffer | undefined;
  #last: Buffer | undefined;

  /** Copies bytes to the end of a list. Small ones become part of its last piece, where both together are small. */
  add(pieces: Buffer[], bytes: Buffer): void {
    const last = pieces.at(-1);
    const size = (last?.length ?? 0) + bytes.length;
    if (!last || size > BLOCK_BYTES) {
      pieces.push(Buffer.from(bytes));
      return;
    }
    let block = this.#block;
    if (!block || last !== this.#last) {
      block = this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      last.copy(block);
    }
    bytes.copy(block, last.length);
    pieces[pieces.length - 1] = this.#last = block.subarray(0, size);
  }
}

/** A rest may keep so many bytes alive that are not needed any more. */
const MAX_PINNED_BYTES = 256 * 1024;

/** What lies behind `at`: a copy, where a view would keep much more alive than it shows. */
export function unpinned(bytes: Buffer, at: number): Buffer {
  const rest = bytes.subarray(at);
  return at > MAX_PINNED_BYTES && rest.length < at ? Buffer.from(rest) : rest;
}
