/**
 * A text that may hold several statements. Owns: where the next one begins. Each is sent alone, so that a wrong cut can hide
 * nothing, and the rest is cut again where a statement changed how texts are read.
 */
import type { MySqlDialect, TextRange } from '@sluice/contract';

type Split = (text: string, dialect: MySqlDialect) => readonly TextRange[] | undefined;

/** One text can have so many statements behind which the rest is read in another way. */
const MAX_CUTS = 20;

export class StatementTexts {
  readonly #bytes: Buffer;
  readonly #split: Split;
  #ranges: readonly TextRange[] = [];
  /** Where the ranges count from, and the next of them. */
  #base = 0;
  #next = 0;
  #cutBy = '';
  #cuts = 0;

  /** `bytes` are kept. */
  constructor(bytes: Buffer, dialect: MySqlDialect, split: Split) {
    this.#bytes = bytes;
    this.#split = split;
    this.#cut(0, dialect);
  }

  /** How many are kept. */
  get bytes(): number {
    return this.#bytes.length;
  }

  /** Whether there is another statement behind the one that was taken last. */
  get more(): boolean {
    return this.#next < this.#ranges.length;
  }

  /** What has not been taken. Single bytes as characters. */
  get rest(): string {
    return this.#bytes.toString('latin1', this.#base + (this.#ranges[this.#next] as TextRange).start);
  }

  /** The next statement; undefined: the rest cannot be cut once more. */
  take(dialect: MySqlDialect): Buffer | undefined {
    if (this.#next > 0 && wayOf(dialect) !== this.#cutBy) {
      const range = this.#ranges[this.#next] as TextRange;
      if (this.#cuts >= MAX_CUTS) return undefined;
      this.#cut(this.#base + range.start, dialect);
    }
    const { start, end } = this.#ranges[this.#next++] as TextRange;
    return this.#bytes.subarray(this.#base + start, this.#base + end);
  }

  #cut(base: number, dialect: MySqlDialect): void {
    const text = this.#bytes.toString('latin1', base);
    this.#cuts++;
    this.#cutBy = wayOf(dialect);
    this.#base = base;
    this.#next = 0;
    const ranges = this.#split(text, dialect);
    this.#ranges = ranges && ranges.length > 0 ? ranges : [{ start: 0, end: text.length }];
  }
}

/** What decides how a text is cut. */
const wayOf = ({ sqlMode, charset, ignoreSpace }: MySqlDialect): string =>
  `${charset} ${ignoreSpace} ${sqlMode.join(',')}`;
