/** The last request of each shape that was approved. Owns: how many are remembered. Does not: keep requests, or compare them. */
import type { ApprovalRequest } from './request.js';

/** Shapes beyond that are forgotten, the oldest first. */
export const MAX_SHAPES = 1_000;

export class ApprovedShapes {
  readonly #numbers = new Map<string, number>();

  /** Nothing happens where it has no shape, or others have not approved it. */
  add({ shape, state, number, review }: ApprovalRequest): void {
    if (shape === undefined || state !== 'approved' || review) return;
    this.#numbers.delete(shape);
    this.#numbers.set(shape, number);
    const [oldest] = this.#numbers.keys();
    if (this.#numbers.size > MAX_SHAPES && oldest !== undefined) this.#numbers.delete(oldest);
  }

  /** Its number; undefined: there is none. */
  last(shape: string): number | undefined {
    return this.#numbers.get(shape);
  }

  /** Its approval was taken back. */
  forget({ shape = '', number }: ApprovalRequest): void {
    if (this.#numbers.get(shape) === number) this.#numbers.delete(shape);
  }
}
