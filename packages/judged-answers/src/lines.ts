/**
 * A file with the answers of many calls, of which some are refused. Owns: one verdict on all, and what stands in place of a line that does not
 * pass. Does not: read lines.
 */
import type { BodyEditor, HttpEdits } from '@sluice/contract';
import { type Verdict, unrefused } from '@sluice/guardrails';
import type { Answer, AnswerLine } from './answer.js';

type WithoutLines = (edits: HttpEdits | undefined) => HttpEdits | undefined;

export function judgedLines(
  lines: readonly AnswerLine[],
  judge: (answer: Answer) => Verdict,
): { verdict: Verdict; without: WithoutLines } {
  const verdicts = lines.map(({ answer }) => judge(answer));
  const passed = verdicts.filter(({ decision }) => decision.type !== 'deny');
  const holds = unique(passed.flatMap((one) => one.holds));
  const verdict: Verdict = {
    decision: unrefused(holds),
    holds,
    matched: unique(verdicts.flatMap(({ matched }) => matched)),
    masks: unique(verdicts.flatMap(({ masks }) => masks)),
    budgets: [],
    bounds: [],
  };
  const refused = lines.flatMap(({ line }, at): Refused[] => {
    const decision = verdicts[at]?.decision;
    if (decision?.type !== 'deny') return [];
    const { id, name, start, end } = line;
    const error = { code: 'refused', message: decision.message, rule: decision.rule };
    return [{ start, end, made: Buffer.from(JSON.stringify({ id, custom_id: name, response: null, error })) }];
  });
  return { verdict, without: (edits) => (refused.length === 0 ? edits : withoutLines(edits, refused)) };
}

interface Refused {
  readonly start: number;
  readonly end: number;
  readonly made: Buffer;
}

/** Two policies may have a rule of the same name. */
export const unique = <Applied>(all: readonly Applied[]): readonly Applied[] => [
  ...new Map(all.map((one) => [JSON.stringify(one), one])).values(),
];

/** What was judged comes in one piece. */
function withoutLines(edits: HttpEdits | undefined, refused: readonly Refused[]): HttpEdits {
  return {
    ...edits,
    answer: (status, headers, propose) => {
      const plain = edits?.answer?.(status, headers, propose) ?? { headers, body: undefined };
      return { ...plain, body: new Without(refused, plain.body) };
    },
  };
}

class Without implements BodyEditor {
  readonly keepsLength = false;
  readonly maxHoldMs: number;
  readonly #refused: readonly Refused[];
  readonly #inner: BodyEditor | undefined;

  constructor(refused: readonly Refused[], inner: BodyEditor | undefined) {
    this.#refused = refused;
    this.#inner = inner;
    this.maxHoldMs = inner?.maxHoldMs ?? 0;
  }

  get held(): number {
    return this.#inner?.held ?? 0;
  }

  get waits(): Promise<void> | undefined {
    return this.#inner?.waits;
  }

  given = (recorded: Buffer): Buffer => this.#inner?.given?.(recorded) ?? recorded;

  push(bytes: Buffer): Buffer {
    const pieces: Buffer[] = [];
    let from = 0;
    for (const { start, end, made } of this.#refused) {
      pieces.push(bytes.subarray(from, start), made);
      from = end;
    }
    const left = Buffer.concat([...pieces, bytes.subarray(from)]);
    return this.#inner?.push(left) ?? left;
  }

  release(): Buffer {
    return this.#inner?.release() ?? EMPTY;
  }

  end(): Buffer {
    return this.#inner?.end() ?? EMPTY;
  }
}

const EMPTY = Buffer.alloc(0);
