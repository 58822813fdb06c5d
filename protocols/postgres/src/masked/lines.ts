/** Lines of a stream that is cut anywhere. Owns: the start of a line whose end has not come. */
import type { RowRoom } from '@sluice/contract';
import { PartialRow } from './partial-row.js';

/**
 * Lines of a stream that is cut anywhere. `endOf` looks for the end of a line in the bytes that are new, from `at` on, and
 * keeps what it has to know from the bytes before; -1 when the line goes on.
 */
export class Lines {
  readonly #endOf: (data: Buffer, at: number) => number;
  readonly #room: RowRoom;
  readonly #partial: PartialRow;

  constructor(endOf: (data: Buffer, at: number) => number, room: RowRoom) {
    this.#endOf = endOf;
    this.#room = room;
    this.#partial = new PartialRow(room);
  }

  /** Whole lines, each with its line end. */
  push(data: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let at = 0;
    for (;;) {
      const end = this.#endOf(data, at);
      if (end < 0) break;
      lines.push(this.#whole(data.subarray(at, end)));
      at = end;
    }
    if (at < data.length) {
      this.#room.admit(this.#partial.size + data.length - at);
      this.#partial.add(data.subarray(at));
    }
    return lines;
  }

  /** What came behind the last line end. */
  rest(): Buffer {
    return this.#whole(Buffer.alloc(0));
  }

  #whole(last: Buffer): Buffer {
    if (this.#partial.size === 0) return last;
    this.#partial.add(last);
    return this.#partial.take();
  }
}
