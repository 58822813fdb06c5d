/**
 * Answers of which budgets count the different values. Owns: looking through heads, bodies and trailers as their client is about to have
 * them, behind all masks, and that nothing of them is changed. Does not: count (packages/budgets), or send (protocols/http).
 */
import {
  type BodyEditor,
  type Disclosed,
  type EditedAnswer,
  type Header,
  type HttpEdits,
  type MaskRule,
  Unmasked,
} from '@sluice/contract';
import { takeDisclosed } from '@sluice/masking';
import { NO_BYTES } from './editor.js';
import { BodyUnmasked, unmasked } from './fault.js';
import { HttpMasks, type HttpMaskOptions } from './http-masks.js';

const SWITCHED = 101;
type Answering = NonNullable<HttpEdits['answer']>;

export class HttpCounts {
  readonly #looks: HttpMasks;
  /** All that counts only observes: answers pass as they are, also those that nobody can read. */
  readonly #isObserved: boolean;

  /** Undefined: the rules count nothing. */
  static of(rules: readonly MaskRule[], options: HttpMaskOptions): HttpCounts | undefined {
    const looks = HttpMasks.of(rules, options);
    const isObserved = rules.every(({ with: mode }) => mode.type === 'count' && mode.observed === true);
    return looks && new HttpCounts(looks, isObserved);
  }

  private constructor(looks: HttpMasks, isObserved: boolean) {
    this.#looks = looks;
    this.#isObserved = isObserved;
  }

  /** `first`: what happens to the request and its answer before. */
  edits(first: HttpEdits | undefined): HttpEdits {
    const looks = this.#looks.edits(undefined);
    const asked = this.#isObserved ? PLAIN : (looks.headers ?? []);
    return {
      ...first,
      headers: [...(first?.headers ?? []), ...asked],
      answer: (status, headers, propose) => {
        const before = first?.answer?.(status, headers, propose) ?? { headers, body: undefined };
        const look = (): EditedAnswer => (looks.answer as Answering)(status, before.headers, propose);
        return this.#isObserved ? observed(status, before, look) : counted(status, before, look);
      },
    };
  }
}

/** What is compressed nobody looks through. */
const PLAIN: NonNullable<HttpEdits['headers']> = [['Accept-Encoding', 'identity']];

function counted(status: number, before: EditedAnswer, look: () => EditedAnswer): EditedAnswer {
  const shown = new Shown();
  const { headers, body, trailers } = shown.of(() => {
    if (status === SWITCHED) throw unmasked('is a WebSocket, whose messages are not counted');
    return look();
  });
  // Of hints that come before an answer nothing is counted.
  if (!body) return { ...before, headers: shown.take() ? [] : headers };
  const passed = (came: readonly Header[]): readonly Header[] => {
    const masked = before.trailers?.(came) ?? came;
    return shown.of(() => trailers?.(masked) ?? masked);
  };
  return { headers, body: new CountedBody(body, before.body, shown), trailers: passed };
}

function observed(status: number, before: EditedAnswer, look: () => EditedAnswer): EditedAnswer {
  const isCoded = before.headers.some(([name]) => name.toLowerCase() === 'content-encoding');
  if (status < 200 || isCoded) return before;
  const shown = new Shown();
  try {
    const { body } = shown.of(look);
    return body ? { ...before, body: new WatchedBody(body, before.body, shown) } : before;
  } catch {
    return before;
  }
}

/** What has been found of one answer. */
class Shown {
  #marks = new Map<string, Set<number>>();

  /** @throws Unmasked where nobody can look through it, in words of budgets */
  of<Value>(look: () => Value): Value {
    // Of somebody else's, that came to no end.
    takeDisclosed();
    try {
      return look();
    } catch (error) {
      if (!(error instanceof BodyUnmasked)) throw error;
      throw new Unmasked(
        `a budget counts different values in these answers, and this one ${error.why}, so it does not pass`,
      );
    } finally {
      for (const [budget, marks] of takeDisclosed()?.marks ?? []) {
        const known = this.#marks.get(budget) ?? new Set();
        for (const mark of marks) known.add(mark);
        this.#marks.set(budget, known);
      }
    }
  }

  take(): Disclosed | undefined {
    if (this.#marks.size === 0) return undefined;
    const marks = this.#marks;
    this.#marks = new Map();
    return { marks, uncountable: NOTHING };
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** What a body gives, looked through before it goes: what may still become a value is kept back. */
class CountedBody implements BodyEditor {
  readonly keepsLength = false;
  readonly maxHoldMs: number;
  readonly given?: (recorded: Buffer) => Buffer;
  readonly disclosed: () => Disclosed | undefined;
  readonly #looks: BodyEditor;
  readonly #before: BodyEditor | undefined;
  readonly #shown: Shown;
  /** How often nothing has followed what is kept. */
  #waits = 0;
  /** All has come, and what is before this still waits for somebody. */
  #isEnding = false;

  constructor(looks: BodyEditor, before: BodyEditor | undefined, shown: Shown) {
    this.#looks = looks;
    this.#before = before;
    this.#shown = shown;
    this.maxHoldMs = Math.min(looks.maxHoldMs, before?.maxHoldMs ?? looks.maxHoldMs);
    if (before?.given) this.given = before.given;
    this.disclosed = () => shown.take();
  }

  get held(): number {
    return this.#looks.held + (this.#before?.held ?? 0);
  }

  get waits(): Promise<void> | undefined {
    return this.#before?.waits;
  }

  push(bytes: Buffer): Buffer {
    this.#waits = 0;
    return this.#pushed(this.#before ? this.#before.push(bytes) : bytes);
  }

  release(): Buffer {
    const before = this.#before;
    // Each has its own patience; whom it waited for has answered.
    const isLate = ++this.#waits * this.maxHoldMs >= (before?.maxHoldMs ?? 0) || this.#isEnding;
    const pushed = Buffer.from(this.#pushed((isLate && before?.release()) || NO_BYTES));
    if (!this.#isEnding) return Buffer.concat([pushed, this.#shown.of(() => this.#looks.release())]);
    return this.waits ? pushed : Buffer.concat([pushed, this.#ended()]);
  }

  end(): Buffer {
    const pushed = Buffer.from(this.#pushed(this.#before?.end() ?? NO_BYTES));
    this.#isEnding = this.waits !== undefined;
    return this.#isEnding ? pushed : Buffer.concat([pushed, this.#ended()]);
  }

  #pushed(bytes: Buffer): Buffer {
    return bytes.length === 0 ? NO_BYTES : this.#shown.of(() => this.#looks.push(bytes));
  }

  #ended(): Buffer {
    this.#isEnding = false;
    return this.#shown.of(() => this.#looks.end());
  }
}

/** A body that passes as it is, looked at beside that as long as it can be read. */
class WatchedBody implements BodyEditor {
  readonly keepsLength: boolean;
  readonly maxHoldMs: number;
  readonly given?: (recorded: Buffer) => Buffer;
  readonly disclosed: () => Disclosed | undefined;
  readonly #before: BodyEditor | undefined;
  readonly #shown: Shown;
  #looks: BodyEditor | undefined;

  constructor(looks: BodyEditor, before: BodyEditor | undefined, shown: Shown) {
    this.#looks = looks;
    this.#looks = looks;
    this.#before = before;
    this.#shown = shown;
    this.keepsLength = before?.keepsLength ?? true;
    this.maxHoldMs = before?.maxHoldMs ?? looks.maxHoldMs;
    if (before?.given) this.given = before.given;
    this.disclosed = () => shown.take();
  }

  get held(): number {
    return this.#before?.held ?? 0;
  }

  get waits(): Promise<void> | undefined {
    return this.#before?.waits;
  }

  push(bytes: Buffer): Buffer {
    return this.#watched(this.#before ? this.#before.push(bytes) : bytes);
  }

  release(): Buffer {
    return this.#watched(this.#before?.release() ?? NO_BYTES);
  }

  end(): Buffer {
    const last = this.#watched(this.#before?.end() ?? NO_BYTES);
    if (!this.waits) this.#look((looks) => looks.end());
    return last;
  }

  #watched(bytes: Buffer): Buffer {
    // A copy: what looks at it may keep a part.
    if (bytes.length > 0) this.#look((looks) => looks.push(Buffer.from(bytes)));
    return bytes;
  }

  #look(act: (looks: BodyEditor) => unknown): void {
    const looks = this.#looks;
    if (!looks) return;
    try {
      this.#shown.of(() => act(looks));
    } catch {
      this.#looks = undefined;
    }
  }
}
