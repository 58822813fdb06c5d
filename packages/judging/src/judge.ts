/**
 * Judges the commands of one session. Owns: the order of facts, rules and masks, and what is remembered of texts. Does not:
 * read a language (packages/sql-postgres and others), decide (packages/guardrails), record.
 */
import { analyzeShell } from '@sluice/shell';
import {
  type Language,
  type MaskPlan,
  type MaskPlanner,
  type NamesAtTarget,
  type NotFollowed,
  NotNow,
  keptValues,
} from '@sluice/analysis';
import type {
  AnswerCommand,
  AppliedHold,
  Command,
  Deny,
  Dialect,
  Facts,
  HttpCommand,
  HttpHead,
  MaskRule,
  SqlCommand,
  TextRange,
  ToolCommand,
} from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, unrefused } from '@sluice/guardrails';
import { checkedCommand, customFacts } from './custom-command.js';
import { HttpJudge, type HttpJudging } from './requests.js';
import { type JudgedCall, judgeCall } from '@sluice/proposed-calls';
import type { GuessCounter, Spending } from '@sluice/budgets';
import { type Judged, type Judgement, judgedAs, refused, unjudged } from './judgement.js';
import { looksMasked, streamEditors } from '@sluice/masking';
import { spend } from './spending.js';
import { type TargetQuestions, askFor } from '@sluice/sql-postgres';

export interface JudgeOptions {
  /** By the name of a command's dialect. */
  readonly languages: ReadonlyMap<string, Language>;
  readonly policy: CompiledPolicy;
  readonly context: PolicyContext;
  /** Takes the passwords out of a text before it is recorded. */
  readonly redact: (text: string) => string;
  /** On a connection that masks results. */
  readonly masks?: MaskPlanner | undefined;
  /** For the pseudonyms in what programs print. */
  readonly streamKey?: Uint8Array | undefined;
  /** What the target says of names that rules or trust go by. */
  readonly names?: NamesAtTarget | undefined;
  /** Counts what masked columns are compared with. */
  readonly guesses?: GuessCounter | undefined;
  /** What commands take from budgets. */
  readonly spending?: Spending | undefined;
  /** What becomes of statements whose results cannot be followed. */
  readonly notFollowed?: NotFollowed;
  /** The longest text that is judged (`limits.text`), in characters. */
  readonly maxText?: number;
  /** On a connection by HTTP. */
  readonly http?: HttpJudging | undefined;
  /** For rules that ask the target. */
  readonly questions?: TargetQuestions | undefined;
}

/** Judges the commands of one session: facts, then policy. Remembers by facts, which texts of one shape share. */
export class Judge {
  readonly #languages: ReadonlyMap<string, Language>;
  readonly #policy: CompiledPolicy;
  readonly #context: PolicyContext;
  readonly #redact: (text: string) => string;
  readonly #masks: MaskPlanner | undefined;
  readonly #streamKey: Uint8Array | undefined;
  readonly #names: NamesAtTarget | undefined;
  readonly #guesses: GuessCounter | undefined;
  readonly #notFollowed: NotFollowed;
  readonly #maxText: number;
  readonly #http: HttpJudge | undefined;
  readonly #questions: TargetQuestions | undefined;
  readonly #spending: Spending | undefined;
  readonly #remembered = new WeakMap<Facts, Judged>();

  constructor(options: JudgeOptions) {
    this.#languages = options.languages;
    this.#policy = options.policy;
    this.#context = options.context;
    this.#redact = options.redact;
    this.#masks = options.masks;
    this.#streamKey = options.streamKey;
    this.#names = options.names;
    this.#guesses = options.guesses;
    this.#notFollowed = options.notFollowed ?? 'mask';
    this.#maxText = options.maxText ?? Number.POSITIVE_INFINITY;
    this.#questions = options.questions;
    this.#spending = options.spending;
    this.#http = options.http && new HttpJudge(options.policy, options.context, options.http);
  }

  /** Some rule masks something. */
  get masks(): boolean {
    return this.#policy.masks;
  }

  /** What no approver may see as it is. */
  get everyMask(): readonly MaskRule[] {
    return this.#policy.everyMask;
  }

  /** See `Visit.needsBody`. */
  needsBody(head: HttpHead): boolean {
    return this.#http?.needsBody(head) ?? true;
  }

  /**
   * `released`: the holds by which people have released a command that was judged before, and whose guesses are counted already. `isOpening`: it
   * is a setting that the session begins with, which uses nothing up.
   */
  judge(asked: Command, released?: readonly AppliedHold[], isOpening = false): Judgement | Promise<Judgement> {
    const judged = this.#judge(asked, released !== undefined);
    const spending = isOpening ? undefined : this.#spending;
    if (judged instanceof Promise) return judged.then((late) => this.#spent(late, asked, released, spending));
    return this.#spent(judged, asked, released, spending);
  }

  #spent(
    judgement: Judgement,
    asked: Command,
    released: readonly AppliedHold[] | undefined,
    spending: Spending | undefined,
  ): Judgement {
    const isSpent = judgement.spends && spending;
    const spent = isSpent ? spend(judgement, asked, spending, released, () => this.#redact(asked.text)) : judgement;
    if (spent.begins && spent.answer.type === 'allow' && (!spent.held || released)) spent.begins();
    return spent;
  }

  #judge(asked: Command, again: boolean): Judgement | Promise<Judgement> {
    const command = asked.type === 'custom' ? checkedCommand(asked) : asked;
    const { text } = command;
    if (text.length > this.#maxText) return this.#inWords(text, tooLong());
    // What SQL calls a password is none here, and approvers have to see the text as it would run.
    if (command.type === 'request')
      return this.#http?.judge(command, again) ?? this.#inWords(text, unjudged('this is no connection by HTTP'));
    if (command.type === 'tool') return this.#judgeTool(command);
    if (command.type === 'answer')
      return (
        this.#http?.judgeAnswer(command, this.#languages) ?? this.#inWords(text, unjudged('nobody knows its request'))
      );
    if (command.type !== 'sql') return this.#inWords(text, this.#judgeProgram(command), (exact) => exact);
    const owner = this.#context.principal.name;
    const language = this.#languages.get(command.dialect.name);
    if (!language) return this.#inWords(text, unjudged(`nothing here reads the language ${command.dialect.name}`));
    const facts = language.analyze(command, { owner, urgency: 'live' });
    if (!(facts instanceof Promise)) return this.#judgeFacts(command, facts, again);
    const kept = keptValues(command);
    return facts.then(
      (late) => this.#judgeFacts(kept, late, again),
      () => this.#inWords(text, unjudged('the analysis failed')),
    );
  }

  /** See `Gate.split`. */
  split(text: string, dialect: Dialect): readonly TextRange[] | undefined {
    return this.#languages.get(dialect.name)?.split?.(text, dialect);
  }

  /** A request that is answered with bytes instead of rows: of an SSH client, or by a protocol in somebody else's package. */
  #judgeProgram(command: Exclude<Command, SqlCommand | HttpCommand | ToolCommand | AnswerCommand>): Judged {
    const { text, type } = command;
    const facts = command.type === 'custom' ? customFacts(command) : analyzeShell(command);
    if (command.type === 'custom' && this.#policy.masks && isWritten(facts) && looksMasked(text))
      return refused(facts, [], MASK_WRITTEN);
    const account = 'account' in command ? command.account : '';
    const asked = { type, account, terminal: 'terminal' in command && command.terminal };
    // Files that are copied have no masks: that counts as moving what is masked.
    const copies = this.#policy.masks && facts.actions.some(({ effects }) => effects.includes('transfer'));
    const copiesOnly = facts.actions.every(({ effects }) => effects.includes('transfer'));
    const masked = copies ? { masked: { asked: [], moved: ['file'] } } : {};
    const verdict = this.#policy.judge(facts, text, { ...this.#context, command: asked, ...masked });
    const judged = judgedAs(facts, verdict);
    const { answer } = judged;
    if (answer.type === 'deny') {
      const cause = verdict.decision.type === 'deny' ? verdict.decision.cause : 'unjudged';
      if (copies && cause !== 'rule') return refused(facts, verdict.matched, UNMASKED_TRANSFER);
      // A line off a screen proves nothing, so that an action in it is not known refuses nothing; rules still hold it.
      const isDoubt = type === 'shell' && text !== '' && cause === 'unknown-action';
      return isDoubt ? judgedAs(facts, { ...verdict, decision: unrefused(verdict.holds) }) : judged;
    }
    const allowed = verdict.matched.some(({ effect, observed }) => effect === 'allow' && !observed);
    if (copies || (this.#policy.masks && type === 'forward')) {
      if (!allowed) return refused(facts, verdict.matched, UNMASKED_TRANSFER);
      // What another command prints beside a copy has its masks, whatever that does to the copy.
      if (copiesOnly || type === 'forward') return judged;
    }
    if (!verdict.masks.some(({ detect }) => detect.length > 0)) return judged;
    const stream = this.#streamKey && streamEditors(verdict.masks, this.#streamKey);
    if (!stream) return refused(facts, verdict.matched, NO_STREAM_MASKS);
    return { ...judged, answer: { ...answer, stream } };
  }

  #judgeTool(command: ToolCommand): Judgement | Promise<Judgement> {
    const judged = this.#http?.judgeAsk(command) ?? judgeCall(command, this.#policy, this.#context, this.#languages);
    const inWords = ({ facts, verdict, refused: answer }: JudgedCall): Judgement =>
      this.#inWords(command.text, answer ? refused(facts, verdict.matched, answer) : judgedAs(facts, verdict));
    return judged instanceof Promise ? judged.then(inWords) : inWords(judged);
  }

  #judgeFacts(command: SqlCommand, facts: Facts, again: boolean): Judgement | Promise<Judgement> {
    if (facts.session?.hold === 'invalid') return this.#inWords(command.text, invalidHold());
    const session = this.#policy.readsSession
      ? { ...this.#context, ownTables: this.#ownTables(command) }
      : this.#context;
    const unlisted = this.#names ? this.#policy.unlisted(facts) : [];
    if (unlisted.length === 0) return this.#judgeAsked(command, facts, session, again);
    const kept = keptValues(command);
    const known = (trusted: ReadonlySet<string>): Judgement | Promise<Judgement> =>
      this.#judgeAsked(kept, facts, trusted.size === 0 ? session : { ...session, trusted }, again);
    const trusted = this.#names?.trusted(unlisted) ?? NOBODY;
    // Without the target nothing more is trusted than what is written.
    return trusted instanceof Promise ? trusted.catch(() => NOBODY).then(known) : known(trusted);
  }

  /** Where rules ask the target, it is asked first. */
  #judgeAsked(
    command: SqlCommand,
    facts: Facts,
    context: PolicyContext,
    again: boolean,
  ): Judgement | Promise<Judgement> {
    const isAsked =
      this.#policy.asksTarget.size > 0 && facts.syntaxError === undefined && facts.forbidden === undefined;
    const needed = isAsked ? this.#policy.needsOfTarget(facts, command.text, context) : undefined;
    if (!needed?.size) return this.#judgeBy(command, facts, context, again);
    const kept = keptValues(command);
    const failed = (error: unknown): Judgement =>
      this.#inWords(command.text, error instanceof NotNow ? notNow(error) : unjudged('the target could not be asked'));
    const count = (compared: MaskPlan['compared']): number => this.#guessed(compared, again);
    const from = { questions: this.#questions, planner: this.#masks, count };
    return askFor(this.#policy, needed, kept, facts, context, from).then(
      (told) => this.#judgeBy(kept, facts, told, again || told.masked !== undefined),
      failed,
    );
  }

  /** Of a simple query, which runs at once: what is bound may run when the name means something else. */
  #ownTables({ phase, parameters }: SqlCommand): ReadonlySet<string> | undefined {
    return phase === 'run' && parameters === undefined ? this.#masks?.ownTables : undefined;
  }

  #judgeBy(command: SqlCommand, facts: Facts, context: PolicyContext, again: boolean): Judgement | Promise<Judgement> {
    const { text } = command;
    const decided = this.#decide(text, facts, context);
    const judged = (command.phase === 'prepare' && decided.prepared) || decided;
    if (!this.#masks || judged.answer.type === 'deny') return this.#inWords(text, judged);
    const failed = (error: unknown): Judgement =>
      this.#inWords(
        text,
        error instanceof NotNow ? notNow(error) : unjudged(this.#policy.masks ? UNREADABLE : NO_CATALOG),
      );
    if (command.phase !== 'run')
      return this.#masks.prepare()?.then(() => this.#inWords(text, judged), failed) ?? this.#inWords(text, judged);
    if (this.#policy.masks && writesMask(command, facts)) return this.#inWords(text, WRITES_MASK(facts));
    try {
      const plan = this.#masks.plan(command, facts, judged.masks, this.#notFollowed);
      return plan instanceof Promise
        ? plan.then((late) => this.#planned(text, facts, judged, late, context, again)).catch(failed)
        : this.#planned(text, facts, judged, plan, context, again);
    } catch (error) {
      return failed(error);
    }
  }

  /** What a command does with masked columns is for the rules to judge as well. */
  #planned(
    text: string,
    facts: Facts,
    judged: Judged,
    plan: MaskPlan,
    context: PolicyContext,
    again: boolean,
  ): Judgement {
    const { masking, packets, use, compared, refusal, unsure } = plan;
    if (refusal) return this.#inWords(text, refused(facts, [], { type: 'deny', rule: 'gateway', ...refusal }));
    let decided = judged;
    if (use.asked.length + use.moved.length > 0) {
      const masked = { ...use, guesses: this.#guessed(compared, again) };
      const verdict = this.#policy.judge(facts, text, { ...context, masked });
      decided = judgedAs(facts, verdict);
      const { answer } = decided;
      // A rule about what masked columns are asked says nothing of a name that is misspelt.
      if (
        answer.type === 'deny' &&
        unsure !== undefined &&
        (answer.hint === undefined || use.moved.includes('unknown'))
      )
        decided = { ...decided, answer: { ...answer, ...unsure } };
    }
    const judgement = this.#inWords(text, decided);
    if (judgement.answer.type === 'deny') return judgement;
    return { ...judgement, answer: { ...judgement.answer, ...(masking && { masking }), ...(packets && { packets }) } };
  }

  /** Counts what is compared, and tells the most for one of the columns. */
  #guessed(compared: MaskPlan['compared'], again: boolean): number {
    let most = 0;
    for (const [column, values] of compared) {
      const sum = again ? this.#guesses?.known(column) : this.#guesses?.count(column, values);
      most = Math.max(most, sum ?? values);
    }
    return most;
  }

  #decide(text: string, facts: Facts, context: PolicyContext): Judged {
    // What the target says of names is for this time.
    if (context !== this.#context) return judgedAs(facts, this.#policy.judge(facts, text, context));
    const known = this.#remembered.get(facts);
    if (known) return known;
    const judged = judgedAs(facts, this.#policy.judge(facts, text, this.#context));
    if (this.#policy.ofFactsAlone) this.#remembered.set(facts, judged);
    return judged;
  }

  #inWords(text: string, judged: Judged, redact = this.#redact): Judgement {
    // A prepared statement comes with the same text each time.
    if (judged.last?.text === text) return judged.last;
    const shown = redact(text);
    const record = `"text":${JSON.stringify(shown)},${judged.rest}`;
    const held = judged.holds && { holds: judged.holds, text: shown };
    const reviewed = judged.reviews && { holds: judged.reviews, text: shown };
    judged.last = {
      text,
      answer: judged.answer,
      record,
      matched: judged.matched,
      changes: judged.changes,
      transaction: judged.transaction,
      ...(held && { held }),
      ...(reviewed && { reviewed }),
      ...(judged.spends && { spends: judged.spends }),
    };
    return judged.last;
  }
}

const NOBODY: ReadonlySet<string> = new Set();

const isWritten = ({ actions }: Pick<Facts, 'actions'>): boolean =>
  actions.some(({ effects }) => effects.includes('write'));

const MASK_WRITTEN: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This command would write a masked value over a real one.',
  hint: 'Send the value itself, or leave it as it is.',
};

/** A masked value is about to be written back over the real one. */
const writesMask = ({ parameters }: SqlCommand, { actions, maskedConstant }: Facts): boolean =>
  isWritten({ actions }) &&
  (maskedConstant === true ||
    (parameters?.some(({ value }) => value !== null && looksMasked(Buffer.from(value).toString('latin1'))) ?? false));

const WRITES_MASK = (facts: Facts): Judged => {
  const answer: Deny = {
    type: 'deny',
    rule: 'gateway',
    message: 'This statement would write a masked value over a real one.',
    hint: 'Leave the column out of the statement, or give it a value of your own.',
  };
  return refused(facts, [], answer);
};

const NO_CATALOG = 'the catalog of the target cannot be read';
const UNREADABLE = `columns are masked here, and ${NO_CATALOG}`;
/** With a cause it is about the target, else about the statement. */
const notNow = ({ message, cause }: NotNow): Judged =>
  unjudged(message, cause === undefined ? {} : { unusable: message });
/** Made each time: what is judged is remembered with its text. */
const tooLong = (): Judged => unjudged('its text is longer than limits.text allows');
const invalidHold = (): Judged => unjudged('sluice.hold is "wait" or "fail"');
const UNMASKED_TRANSFER: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'Something is masked here, and what is transferred would be nowhere masked.',
  hint: 'An administrator can admit it with an "allow" rule.',
};

const NO_STREAM_MASKS: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'Something is masked here, and this gateway cannot mask the output of programs.',
};
