/**
 * What conditions can ask about an answer by HTTP. Owns: the attributes `answer` and `llm.answer`, and which conditions ask for them. Does
 * not: read an answer, which packages/judged-answers does.
 */
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { ModelText } from '@sluice/language-models';
import { AnswerUnread, type PolicyContext, type SeenCode } from './context.js';

export const ANSWER_ATTRIBUTES = {
  answer: { status: 'int', media: 'string', found: 'list<string>' },
} as const;

/** Code as the library of CEL wants it: of a type with a name. */
class AnswerCode {
  readonly language: string;
  readonly text: ModelText;
  readonly effects: readonly string[];
  readonly verbs: readonly string[];

  constructor({ language, text, effects, verbs }: SeenCode) {
    this.language = language;
    this.text = new ModelText([text]);
    this.effects = effects;
    this.verbs = verbs;
  }
}

/** What a model has written, likewise. */
class ModelAnswer {
  readonly #answer: PolicyContext['answer'];

  constructor(answer: PolicyContext['answer']) {
    this.#answer = answer;
  }

  get text(): ModelText {
    return here(this.#answer).said?.text() ?? NO_TEXT;
  }

  get code(): readonly AnswerCode[] {
    return (here(this.#answer).said?.code() ?? []).map((one) => new AnswerCode(one));
  }
}

const NO_TEXT = new ModelText([]);

/** @throws AnswerUnread */
function here(answer: PolicyContext['answer']): Exclude<PolicyContext['answer'], string | undefined> {
  if (answer === undefined || answer === 'unread') throw new AnswerUnread('there is no answer yet');
  return answer;
}

/** Of these only what a rule asks about is worked out. */
export const answerAttributes = (answer: PolicyContext['answer']): object => ({
  get status(): bigint {
    return BigInt(here(answer).status);
  },
  get media(): string {
    return here(answer).media;
  },
  get found(): string[] {
    return [...here(answer).found()];
  },
});

export const modelAnswer = (answer: PolicyContext['answer']): ModelAnswer => new ModelAnswer(answer);

export const registerAnswerTypes = (environment: Environment): Environment =>
  environment
    .registerType('AnswerCode', {
      ctor: AnswerCode,
      fields: { language: 'string', text: 'ModelText', effects: 'list<string>', verbs: 'list<string>' },
    })
    .registerType('ModelAnswer', { ctor: ModelAnswer, fields: { text: 'ModelText', code: 'list<AnswerCode>' } });

/** Attributes that are known when the head of an answer is. */
const OF_THE_HEAD: ReadonlySet<string> = new Set(['status', 'media']);

/** What a part of a condition asks about an answer: where it stands by its name alone, all of it. */
export function asksAnswer(node: ASTNode): 'answer' | 'head' | 'body' | undefined {
  if (node.op === 'id') return node.args === 'answer' ? 'answer' : undefined;
  if (node.op !== '.' && node.op !== '.?') return undefined;
  const [owner, name] = node.args;
  if (owner.op !== 'id') return undefined;
  if (owner.args === 'answer') return OF_THE_HEAD.has(name) ? 'head' : 'body';
  return owner.args === 'llm' && name === 'answer' ? 'body' : undefined;
}

/** Names that decide when a rule is asked: in a macro they would be something else. */
const WHEN_ASKED: ReadonlySet<string> = new Set(['answer', 'risk', 'llm']);

/** Undefined: nothing is wrong with it. */
export function shadowing(node: ASTNode): { readonly message: string; readonly offset: number } | undefined {
  if (node.op !== 'rcall') return undefined;
  const [first] = node.args[2];
  if (node.args[2].length < 2 || first?.op !== 'id' || !WHEN_ASKED.has(first.args)) return undefined;
  return { message: `"${first.args}" is an attribute, and no name for an item of a list`, offset: first.range.start };
}
