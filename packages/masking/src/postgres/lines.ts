import type { RowAllowance } from './large-rows.js';

/**
 * Lines of a stream that is cut anywhere. `endOf` looks for the end of a line in the bytes that are new, from `at` on, and
 * keeps what it has to know from the bytes before; -1 when the line goes on.
 */
export class Lines {
  readonly #endOf: (data: Buffer, at: number) => number;
  readonly #allowance: RowAllowance;
  #partial: Buffer[] = [];
  #size = 0;

  constructor(endOf: (data: Buffer, at: number) => number, allowance: RowAllowance) {
    this.#endOf = endOf;
    this.#allowance = allowance;
  }

  /** Whole lines, each with its line end. */
  push(data: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    if (this.#size <= this.#allowance.limit) this.#allowance.release();
    let at = 0;
    for (;;) {
      const end = this.#endOf(data, at);
      const to = end < 0 ? data.length : end;
      this.#size += to - at;
      if (this.#size > this.#allowance.limit) this.#allowance.admit(this.#size);
      if (end < 0) break;
      lines.push(this.#whole(data.subarray(at, end)));
      at = end;
    }
    // A copy: the data may be a buffer that its owner fills again.
    if (at < data.length) this.#partial.push(Buffer.from(data.subarray(at)));
    return lines;
  }

  /** What came behind the last line end. */
  rest(): Buffer {
    return this.#whole(Buffer.alloc(0));
  }

  #whole(last: Buffer): Buffer {
    const line = this.#partial.length === 0 ? last : Buffer.concat([...this.#partial, last]);
    this.#partial = [];
    this.#size = 0;
    return line;
  }
}
