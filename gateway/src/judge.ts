import { type AnalysisPool, type Analyzer, INLINE_LIMIT, loadPostgres } from '@sluice/analysis';
import type { Answer, Command, Facts, RuleMatch, SqlCommand } from '@sluice/contract';
import type { CompiledPolicy, PolicyContext } from '@sluice/guardrails';

/** The answer for a protocol, and what the record says about how it came to be. */
export interface Judgement {
  readonly answer: Answer;
  /** The part of the record that is the same for every use of a text, serialised: `"text":...,"decision":...`. */
  readonly record: string;
}

/** Texts longer than this are not remembered: they rarely come twice. Characters. */
const LONGEST_REMEMBERED = 8 * 1024;
const MOST_REMEMBERED = 500;

/** The grammars, shared by every session of the process. */
export class Grammars {
  readonly #loaded = new Map<number, Analyzer>();
  readonly #pool: AnalysisPool;

  constructor(pool: AnalysisPool) {
    this.#pool = pool;
  }

  async load(major: number): Promise<Analyzer> {
    const analyzer = await loadPostgres(major);
    this.#loaded.set(major, analyzer);
    return analyzer;
  }

  /** Facts at once where that is quick: the grammar is loaded and the text is short. */
  analyze(command: SqlCommand): Facts | Promise<Facts> {
    const analyzer = this.#loaded.get(command.dialect.major);
    if (analyzer && command.text.length <= INLINE_LIMIT) return analyzer.analyze(command.text, command);
    return this.#slowly(command);
  }

  async #slowly(command: SqlCommand): Promise<Facts> {
    const { major } = command.dialect;
    if (command.text.length > INLINE_LIMIT) {
      return this.#pool.analyze(major, command.text, {
        prepared: namesIn(command),
        ...(command.parameters && { parameters: command.parameters.map(copied) }),
      });
    }
    const kept = { ...command, ...(command.parameters && { parameters: command.parameters.map(copied) }) };
    return (await this.load(major)).analyze(kept.text, kept);
  }
}

/** Judges the commands of one session: facts, then policy. Remembers by exact text. */
export class Judge {
  readonly #grammars: Grammars;
  readonly #policy: CompiledPolicy;
  readonly #context: PolicyContext;
  readonly #redact: (text: string) => string;
  readonly #remembered = new Map<string, Judgement>();

  /** `redact` takes the passwords out of a text before it is recorded. */
  constructor(grammars: Grammars, policy: CompiledPolicy, context: PolicyContext, redact: (text: string) => string) {
    this.#grammars = grammars;
    this.#policy = policy;
    this.#context = context;
    this.#redact = redact;
  }

  judge(command: Command): Judgement | Promise<Judgement> {
    const known = this.#remembered.get(command.text);
    if (known) return known;
    if (command.type !== 'sql')
      return unjudged(command.text, `there is no analysis for commands of type ${command.type}`);
    const facts = this.#grammars.analyze(command);
    if (facts instanceof Promise)
      return facts.then(
        (late) => this.#decide(command.text, late),
        () => unjudged(this.#redact(command.text), 'the analysis failed'),
      );
    return this.#decide(command.text, facts);
  }

  #decide(text: string, facts: Facts): Judgement {
    const { decision, matched } = this.#policy.judge(facts, text, this.#context);
    const answer: Answer =
      decision.type === 'allow'
        ? { type: 'allow', facts }
        : { ...decision, ...(facts.syntaxError && { syntaxError: facts.syntaxError }) };
    const judgement = { answer, record: this.#serialise(text, facts, answer, matched) };
    if (text.length <= LONGEST_REMEMBERED && reusable(facts)) this.#remember(text, judgement);
    return judgement;
  }

  #serialise(text: string, facts: Facts, answer: Answer, matched: readonly RuleMatch[]): string {
    return serialise(this.#redact(text), facts, answer, matched);
  }

  #remember(text: string, judgement: Judgement): void {
    if (this.#remembered.size >= MOST_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(text, judgement);
  }
}

/** Bound values, or what a name stands for at the moment, went into the facts of the others. */
const reusable = (facts: Facts): boolean =>
  facts.parametric !== true && !facts.actions.some((action) => action.verb === 'execute');

/** The names that a text too long to be analysed here may EXECUTE, resolved now, while the session knows them. */
function namesIn(command: SqlCommand): Record<string, string> {
  const names: Record<string, string> = {};
  for (const [, quoted, plain] of command.text.matchAll(/\bexecute\s+(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\d_$]*))/giu)) {
    const name = quoted?.replaceAll('""', '"') ?? plain?.toLowerCase() ?? '';
    const text = command.prepared?.(name);
    if (text !== undefined) names[name] = text;
  }
  return names;
}

const copied = <P extends { readonly value: Uint8Array | null }>(parameter: P): P => ({
  ...parameter,
  value: parameter.value && Buffer.from(parameter.value),
});

function serialise(text: string, facts: Facts, answer: Answer, matched: readonly RuleMatch[]): string {
  const actions = facts.actions.map(({ verb, effects, resources, filter, depth }) => ({
    verb,
    effects,
    resources,
    filter,
    depth,
  }));
  const decision =
    answer.type === 'allow' ? { decision: 'allow' } : { decision: 'deny', rule: answer.rule, message: answer.message };
  return JSON.stringify({ text, confidence: facts.confidence, actions, matched, ...decision }).slice(1, -1);
}

/** Whatever goes wrong while a command is judged is a no, and on record as one. */
function unjudged(text: string, why: string): Judgement {
  const answer: Answer = {
    type: 'deny',
    rule: 'gateway',
    message: `This command could not be judged, so it was not run: ${why}.`,
  };
  return { answer, record: serialise(text, { actions: [], confidence: 'opaque', statements: [] }, answer, []) };
}
