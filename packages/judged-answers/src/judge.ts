/**
 * Answers by HTTP that rules judge before their client has any of them. Owns: which answers those are, what decides about one, and what
 * people are shown who read it first. Does not: collect bodies, or wait for anybody, which protocols and the gateway do.
 */
import type { Language } from '@sluice/analysis';
import {
  type AnswerCommand,
  type AppliedMask,
  type Deny,
  type Header,
  type HttpEdits,
  type Propose,
  Unmasked,
} from '@sluice/contract';
import { type AskedFor, type CompiledPolicy, type PolicyContext, type Verdict, unrefused } from '@sluice/guardrails';
import { WHOLE_AND_PLAIN, unmasked } from '@sluice/http-bodies';
import { BodyUnreadable } from '@sluice/http-requests';
import type { AnswerKind, Meter } from '@sluice/language-models';
import { Answer } from './answer.js';
import { judgedLines, unique } from './lines.js';

/** Of an answer that is judged whole, on the thread that serves everybody. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** More than this nobody reads before a client has waited too long. */
const MAX_SHOWN_CHARACTERS = 200_000;
const SWITCHED = 101;

/** What is known of a request when its answer comes. */
export interface AnswerOrigin {
  /** One request may ask for several things, and rules about each of them are asked. */
  readonly asked: readonly [AskedFor, ...AskedFor[]];
  /** The request as people are shown it. */
  readonly shown: () => string;
  /** What a model was asked for. */
  readonly operation: AnswerKind | undefined;
  /** Is told what a model has used up. */
  readonly meter?: Meter | undefined;
  /** Of the rules that matched the request. */
  readonly masks: readonly AppliedMask[];
  /** How the answer passes with these masks. */
  readonly edits: (masks: readonly AppliedMask[]) => HttpEdits | undefined;
  /** A text with these masks, and how a body passes with them that nobody follows. */
  readonly masked: (masks: readonly AppliedMask[], text: string) => string;
  readonly unfollowed: (masks: readonly AppliedMask[]) => HttpEdits | undefined;
}

/** `AnswerQuestion.about` of the gateway's own. */
class About {
  readonly origin: AnswerOrigin;
  readonly answer: Answer;

  constructor(origin: AnswerOrigin, answer: Answer) {
    this.origin = origin;
    this.answer = answer;
  }
}

/** Whether an answer with this head, whatever it says, passes when all of it is there and judged. */
export function judgesWhole(
  policy: CompiledPolicy,
  origin: AnswerOrigin,
  status: number,
  headers: readonly Header[],
): boolean {
  const answer = new Answer(status, headers, origin);
  return (
    policy.judgesAnswers &&
    origin.asked.some(({ facts, text, context }) => policy.needsAnswer(facts, text, { ...context, answer }) === 'body')
  );
}

/** How a request and its answer pass, with the answer judged where rules say so. `edits`: as they pass else. */
export function judgedEdits(
  policy: CompiledPolicy,
  origin: AnswerOrigin,
  edits: HttpEdits | undefined,
): HttpEdits | undefined {
  if (!policy.judgesAnswers) return edits;
  const needs = (answer: PolicyContext['answer'] & {}): 'head' | 'body' | undefined => {
    const all = origin.asked.map(({ facts, text, context }) => policy.needsAnswer(facts, text, { ...context, answer }));
    return all.find((one) => one === 'body') ?? all.find((one) => one !== undefined);
  };
  const may = needs('unread');
  if (!may) return edits;
  const answer: NonNullable<HttpEdits['answer']> = (status, headers, propose) => {
    const plain = edits?.answer?.(status, headers, propose) ?? { headers, body: undefined };
    // Of hints that come before it nothing is judged, and what they name is of the answer.
    if (status < 200 && status !== SWITCHED) return { ...plain, headers: [] };
    if (headers.filter(([name]) => name.toLowerCase() === 'content-type').length > 1)
      throw new Unmasked('rules judge this answer, and it says twice what it is, so it does not pass');
    const reads = needs(new Answer(status, headers, origin));
    if (!reads) return plain;
    if (reads === 'body' && isPiece(status, headers)) throw unmasked('is a piece of something');
    const question = (body: Buffer) => {
      const known = new Answer(status, headers, origin, reads === 'body' ? body : undefined);
      return { text: known.text, sha256: known.sha256, about: new About(origin, known) };
    };
    return { headers: plain.headers, body: undefined, judging: { reads, maxBytes: MAX_ANSWER_BYTES, question } };
  };
  return { ...edits, headers: [...(edits?.headers ?? []), ...(may === 'body' ? WHOLE_AND_PLAIN : [])], answer };
}

const isPiece = (status: number, headers: readonly Header[]): boolean =>
  status === 206 || headers.some(([name]) => name.toLowerCase() === 'content-range');

export interface JudgedAnswer {
  readonly verdict: Verdict;
  /** How it passes, if it does. */
  readonly edits: HttpEdits | undefined;
  /** What people are shown who have to read it first. */
  readonly shown: () => string;
  /** It is refused although no rule says so. */
  readonly refused?: Deny;
}

/** Never rejects. */
export function judgeAnswer(
  { about }: AnswerCommand,
  policy: CompiledPolicy,
  languages: ReadonlyMap<string, Language>,
): JudgedAnswer | Promise<JudgedAnswer> | undefined {
  if (!(about instanceof About)) return undefined;
  const { origin, answer } = about;
  if (!policy.readsCode) return judged(about, policy);
  return answer.analyse(languages, origin.asked[0].context.principal.name).then(() => judged(about, policy));
}

function judged({ origin, answer }: About, policy: CompiledPolicy): JudgedAnswer {
  const { verdict, without } = verdictOn(origin, answer, policy);
  const masks = [...origin.masks, ...verdict.masks];
  const shown = verdict.decision.type === 'hold' ? shownOf(origin, answer, masks) : '';
  const edits = without(origin.edits(masks));
  if (typeof shown !== 'string') return { verdict, edits, shown: () => '', refused: shown };
  return { verdict, edits, shown: () => `${origin.shown()}\n\n${answer.text}:\n${shown}` };
}

/** `without`: what goes in place of lines that are refused. */
function verdictOn(
  { asked }: AnswerOrigin,
  answer: Answer,
  policy: CompiledPolicy,
): { verdict: Verdict; without: (edits: HttpEdits | undefined) => HttpEdits | undefined } {
  const judge = (one: Answer): Verdict =>
    mergedVerdict(
      asked.map(({ facts, text, context }) => policy.judgeAnswer(facts, text, { ...context, answer: one })),
    );
  const { lines } = answer.isWhole ? answer : {};
  return lines ? judgedLines(lines, judge) : { verdict: judge(answer), without: (edits) => edits };
}

/** Each has to let it pass. */
function mergedVerdict(all: readonly Verdict[]): Verdict {
  const [first, ...others] = all;
  if (first && others.length === 0) return first;
  const holds = unique(all.flatMap((one) => one.holds));
  const refusing = all.find(({ decision }) => decision.type === 'deny');
  return {
    decision: refusing?.decision ?? unrefused(holds),
    holds,
    matched: unique(all.flatMap(({ matched }) => matched)),
    masks: unique(all.flatMap(({ masks }) => masks)),
    budgets: [],
    bounds: [],
  };
}

const NOTHING_PROPOSED: Propose = () => ({ type: 'allow' });

/** What people are shown who have to read it: nothing that its client would not get. Or why they cannot be asked to. */
function shownOf(origin: AnswerOrigin, answer: Answer, masks: readonly AppliedMask[]): string | Deny {
  const no = (why: string): Deny => ({
    type: 'deny',
    rule: 'gateway',
    message: `People have to read this answer first, and ${why}.`,
  });
  try {
    const { body } = origin.unfollowed(masks)?.answer?.(answer.status, answer.headers, NOTHING_PROPOSED) ?? {};
    const passed = body ? Buffer.concat([Buffer.from(body.push(answer.body)), body.end()]) : answer.body;
    const text = new Answer(answer.status, answer.headers, { operation: origin.operation }, passed).shown;
    if (text.length > MAX_SHOWN_CHARACTERS) return no(`it has more than ${MAX_SHOWN_CHARACTERS} characters`);
    return origin.masked(masks, text);
  } catch (error) {
    if (error instanceof BodyUnreadable || error instanceof Unmasked)
      return no('it is nothing that anybody could read');
    throw error;
  }
}
