/**
 * What a visit has a provider of language models keep, and make of it. Owns: that a file that was let through is remembered when the provider
 * has it, and what it has taken from budgets until it is known what it has used up. Does not: judge lines (model-files.ts).
 */
import { type Charge, personOf } from '@sluice/budgets';
import type { Deny, Facts, HttpBody, HttpCommand } from '@sluice/contract';
import type { PolicyContext, Verdict } from '@sluice/guardrails';
import { BodyUnmasked } from '@sluice/http-bodies';
import { type Json, Request } from '@sluice/http-requests';
import { type AnswerKind, type AnswerOf, type ReadModel, batchesIn, findingsOf, idIn } from '@sluice/language-models';
import type { FileKey, JudgedFiles } from './judged-files.js';
import type { Taken } from './judgement.js';
import {
  type FileJudging,
  type JudgedUpload,
  batchFault,
  judgeUpload,
  judgedFile,
  rulesOf,
  takenFor,
} from './model-files.js';

export type KeptJudged =
  | { readonly type: 'refused'; readonly answer: Deny; readonly facts?: Facts }
  | {
      readonly type: 'judged';
      readonly facts: Facts;
      readonly verdict: Verdict;
      readonly context: PolicyContext;
      readonly body: Buffer | undefined;
      readonly answers: AnswerOf;
      readonly charge: Taken | undefined;
    };

type Whole = HttpCommand & { readonly body: HttpBody & { readonly type: 'whole' } };
type FileModel = Extract<ReadModel, { type: 'file' }>;
type BatchModel = Extract<ReadModel, { type: 'batch' }>;

export class FileVisit {
  readonly #judging: FileJudging;
  readonly #files: JudgedFiles;
  /** Who answers for it. */
  readonly #person: string;
  readonly #rules: string;

  constructor(judging: FileJudging, files: JudgedFiles, person: string) {
    this.#judging = judging;
    this.#files = files;
    this.#person = person;
    this.#rules = rulesOf(judging.policy, judging.context.principal, judging.settings);
  }

  /** `again`: people have released it. */
  judge(
    command: HttpCommand,
    model: FileModel | BatchModel,
    again: boolean,
  ): KeptJudged | Promise<KeptJudged> | undefined {
    if (!isWhole(command)) return undefined;
    if (model.type === 'batch') return this.#batch(command, model, again);
    const judged = judgeUpload(this.#judging, command, model.upload, model.facts);
    return judged instanceof Promise ? judged.then((one) => this.#upload(one, again)) : this.#upload(judged, again);
  }

  /** How the answer to a request for what is kept is followed, besides. */
  answersTo(kind: AnswerKind, { segments }: Request): Partial<AnswerOf> | undefined {
    if (kind === 'batch') return { says: (answer) => this.#batches(answer) };
    if (kind !== 'lines') return undefined;
    const name = segments.filter((one) => one !== '').at(-2) ?? '';
    const used = { input: 0, output: 0 };
    const { name: connection } = this.#judging.context.connection;
    return {
      meter: {
        used: ({ input = 0, output = 0 }) => {
          used.input += input;
          used.output += output;
        },
        passed: () => undefined,
      },
      over: () => this.#files.settle(connection, name, used),
    };
  }

  #upload(judged: JudgedUpload, again: boolean): KeptJudged {
    if (judged.type === 'refused') return judged;
    const { uses, endpoint, ...told } = judged;
    const { decision } = told.verdict;
    const passes = decision.type === 'allow' || (decision.type === 'hold' && again);
    const charges = passes ? takenFor(this.#judging, uses) : [];
    if ('type' in charges) return { type: 'refused', answer: charges, facts: told.facts };
    let isKept = false;
    const says = (answer: Json): void => {
      const file = idIn(answer);
      if (file === undefined || endpoint === undefined || isKept) return;
      isKept = true;
      const terms = { endpoint, rules: this.#rules, isCounted: uses.length > 0 };
      this.#files.note(judgedFile(this.#key(file), this.#person, terms), charges);
    };
    const charge = charges.length > 0 ? whileKept(charges, () => isKept) : undefined;
    return { ...told, answers: { operation: 'batch', says }, charge };
  }

  #batch(command: Whole, { batch, facts }: BatchModel, again: boolean): KeptJudged {
    const key = this.#key(batch.file);
    const fault = batchFault(this.#files, key, batch, this.#rules);
    if (fault) return { type: 'refused', answer: fault };
    const { policy, context: session, reading } = this.#judging;
    const request = new Request(command, command.body, '', reading);
    const context = { ...session, request, found: findingsOf(undefined, command.body, command.query) };
    const verdict = policy.judge(facts, command.text, context);
    const { decision } = verdict;
    const passes = decision.type === 'allow' || (decision.type === 'hold' && again);
    const body = this.#sent(command, verdict);
    if (body && 'rule' in body) return { type: 'refused', answer: body };
    const says = (answer: Json): void => this.#batches(answer);
    // Whoever hangs up before it is answered may have had it made.
    const unmade = (): void => this.#files.mark(key, 'counted');
    if (passes) this.#files.mark(key, 'used');
    const charge = passes ? { end: () => undefined, undo: unmade } : undefined;
    const answers: AnswerOf = { operation: 'batch', says, refused: unmade };
    return { type: 'judged', facts, verdict, context, body, answers, charge };
  }

  /** What goes in place of what is asked, or why it does not. */
  #sent({ body }: Whole, { decision, masks }: Verdict): Buffer | Deny | undefined {
    if (decision.type === 'deny') return undefined;
    try {
      return this.#judging.masked(masks, body.media, Buffer.from(body.bytes));
    } catch (error) {
      if (!(error instanceof BodyUnmasked)) throw error;
      return { type: 'deny', rule: 'gateway', message: `What is sent here is masked, and this body ${error.why}.` };
    }
  }

  #batches(answer: Json): void {
    for (const { input, output } of batchesIn(answer)) if (output !== '') this.#files.answers(this.#key(input), output);
  }

  #key(file: string): FileKey {
    const { connection, principal } = this.#judging.context;
    return { connection: connection.name, principal: personOf(principal), file };
  }
}

const isWhole = (command: HttpCommand): command is Whole => command.body.type === 'whole';

/** What was taken stays taken when the provider has the file: it says later what was used up. */
const whileKept = (charges: readonly Charge[], isKept: () => boolean): Taken => ({
  end() {
    if (!isKept()) for (const one of charges) one.undo();
  },
  undo() {
    for (const one of charges) one.undo();
  },
});
