/**
 * Files that a provider of language models is asked to keep, before it has them: each line of a batch is a call, and judged as one. Owns: one
 * verdict for all lines, what goes in place of lines that are masked, and which files a batch may be made of. Does not: read a file
 * (packages/language-models), remember one (judged-files.ts), or put anything on record.
 */
import { hash } from 'node:crypto';
import { type Charge, type ModelUse, outputOf } from '@sluice/budgets';
import type {
  AppliedBound,
  AppliedBudget,
  AppliedHold,
  AppliedMask,
  Deny,
  Detector,
  Facts,
  HttpBody,
  HttpCommand,
  RuleMatch,
} from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, type Verdict, unrefused } from '@sluice/guardrails';
import { BodyUnmasked, foundIn } from '@sluice/http-bodies';
import { Request, type RequestReading, jsonOf } from '@sluice/http-requests';
import {
  type AskedBatch,
  type AskingLine,
  CallError,
  type Line,
  type ModelCall,
  type ModelSettings,
  TOKENISED,
  type Upload,
  documentOf,
  findingsOf,
  isReadable,
  linesOf,
  plainLine,
  readLine,
} from '@sluice/language-models';
import type { FileKey, JudgedFile, JudgedFiles } from './judged-files.js';

/** What judging a file needs of the judge of its session. */
export interface FileJudging {
  readonly policy: CompiledPolicy;
  readonly context: PolicyContext;
  readonly settings: ModelSettings;
  readonly reading: RequestReading;
  /** What of these masks is for requests, done to what is sent; undefined: it stays. @throws BodyUnmasked */
  masked(masks: readonly AppliedMask[], media: string, bytes: Buffer, call?: ModelCall): Buffer | undefined;
  /** The same of a text that is one value. */
  maskedText(masks: readonly AppliedMask[], text: string): string;
  take(budgets: readonly AppliedBudget[], use: ModelUse): Charge | Deny | undefined;
}

export type JudgedUpload =
  | { readonly type: 'refused'; readonly answer: Deny; readonly facts: Facts }
  | {
      readonly type: 'judged';
      readonly facts: Facts;
      readonly verdict: Verdict;
      readonly context: PolicyContext;
      /** The body that goes in place of the one that came. */
      readonly body: Buffer | undefined;
      /** What its calls use up, of each model and by the same budgets. */
      readonly uses: readonly Uses[];
      /** The path that its lines ask for; undefined: it has none. */
      readonly endpoint: string | undefined;
    };

interface Uses {
  readonly budgets: readonly AppliedBudget[];
  readonly use: ModelUse;
}

/** So long lines are judged in one go, in milliseconds: others wait meanwhile. */
const SLICE_MS = 8;
const JSON_TYPE = 'application/json';

type WholeBody = HttpBody & { readonly type: 'whole' };

/** `facts`: of what is done beside the calls in it. */
export function judgeUpload(
  judging: FileJudging,
  command: HttpCommand & { readonly body: WholeBody },
  upload: Upload,
  facts: Facts,
): JudgedUpload | Promise<JudgedUpload> {
  if (!upload.isBatch) return judgedDocument(judging, command, upload, facts);
  return judgedLines(new LinesJudge(judging, command, upload), upload).then((lines) =>
    lines instanceof LinesJudge ? lines.judged(upload, facts) : { type: 'refused', answer: lines, facts },
  );
}

async function judgedLines(judge: LinesJudge, { content }: Upload): Promise<LinesJudge | Deny> {
  let began = performance.now();
  for (const line of linesOf(content)) {
    const no = judge.line(line);
    if (no) return no;
    if (performance.now() - began < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
  return judge;
}

/** One that people or models may read later. */
function judgedDocument(
  judging: FileJudging,
  command: HttpCommand & { readonly body: WholeBody },
  upload: Upload,
  facts: Facts,
): JudgedUpload {
  const { settings } = judging;
  const call = documentOf(upload);
  const request = new Request(command, command.body, '', judging.reading);
  const found = findingsOf(call, command.body, command.query);
  const context = { ...judging.context, request, found, model: { call, settings } };
  const verdict = judging.policy.judge(facts, command.text, context);
  const masks = verdict.masks.filter(isForRequests);
  const judged = { facts, verdict, context, uses: [], endpoint: undefined };
  if (masks.length === 0 || verdict.decision.type === 'deny') return { type: 'judged', ...judged, body: undefined };
  const beside = maskedBeside(judging, masks, upload);
  if (beside) return { type: 'refused', answer: beside, facts };
  if (!isReadable(upload.content)) return { type: 'refused', answer: unmaskable('is a file that is no text'), facts };
  try {
    const made = judging.masked(masks, upload.media, upload.content);
    return { type: 'judged', ...judged, body: made && withContent(command.body, upload, made) };
  } catch (error) {
    if (!(error instanceof BodyUnmasked)) throw error;
    return { type: 'refused', answer: unmaskable(error.why), facts };
  }
}

/** All lines of one file. */
class LinesJudge {
  readonly #judging: FileJudging;
  readonly #command: HttpCommand & { readonly body: WholeBody };
  readonly #content: Buffer;
  readonly #holds = new Map<string, AppliedHold>();
  readonly #matched = new Map<string, RuleMatch>();
  readonly #masks = new Map<string, AppliedMask>();
  readonly #budgets = new Map<string, AppliedBudget>();
  readonly #bounds = new Map<string, AppliedBound>();
  readonly #actions = new Map<string, Facts['actions'][number]>();
  readonly #uses = new Map<string, { readonly budgets: readonly AppliedBudget[]; use: ModelUse }>();
  /** What was found in lines of which that was asked, and of how many it was not. */
  readonly #found = new Set<Detector>();
  #unasked = 0;
  #endpoint: string | undefined;
  #count = 0;
  /** The file as it goes, from `#from` on as it came. */
  readonly #pieces: Buffer[] = [];
  #from = 0;

  constructor(judging: FileJudging, command: HttpCommand & { readonly body: WholeBody }, { content }: Upload) {
    this.#judging = judging;
    this.#command = command;
    this.#content = content;
  }

  /** Why the file does not pass because of this line. */
  line(line: Line): Deny | undefined {
    const asking = this.#read(line);
    if ('rule' in asking) return asking;
    const { policy } = this.#judging;
    const context = this.#about(line, asking);
    const facts = asking.call.facts({ host: this.#command.host, path: asking.path });
    const verdict = policy.judge(facts, `POST ${asking.path}`, context);
    this.#count++;
    if (verdict.decision.type === 'deny') return inLine(line, verdict.decision);
    const no = this.#masked(line, asking, verdict.masks.filter(isForRequests));
    if (no) return inLine(line, no);
    this.#collect(verdict, facts);
    this.#use(asking.call, verdict.budgets);
    return undefined;
  }

  /** With what is done beside the calls. */
  judged(upload: Upload, facts: Facts): JudgedUpload {
    if (this.#count === 0) return { type: 'refused', answer: EMPTY, facts };
    const { policy, context: session, reading } = this.#judging;
    const { body, query } = this.#command;
    const found = (): readonly Detector[] =>
      this.#unasked > 0 ? foundIn(body, query) : [...new Set([...this.#found, ...foundBeside(upload, query)])];
    const context = { ...session, request: new Request(this.#command, body, '', reading), found };
    const own = policy.judge(facts, this.#command.text, context);
    this.#collect(own, facts, this.#count);
    const holds = [...this.#holds.values()];
    const verdict: Verdict = {
      decision: own.decision.type === 'deny' ? own.decision : unrefused(holds),
      holds,
      matched: [...this.#matched.values()],
      masks: own.masks,
      budgets: [...this.#budgets.values()],
      bounds: [...this.#bounds.values()],
    };
    const all = { ...facts, actions: [...this.#actions.values()] };
    const masks = [...this.#masks.values()].filter(isForRequests);
    const beside = masks.length > 0 ? maskedBeside(this.#judging, masks, upload) : undefined;
    if (beside && own.decision.type !== 'deny') return { type: 'refused', answer: beside, facts: all };
    const made = this.#made();
    return {
      type: 'judged',
      facts: all,
      verdict,
      context,
      body: made && withContent(body, upload, made),
      uses: [...this.#uses.values()],
      endpoint: this.#endpoint,
    };
  }

  #read(line: Line): AskingLine | Deny {
    try {
      const asking = readLine(line, this.#judging.settings.provider);
      this.#endpoint ??= asking.path;
      // Some servers go by the batch alone, whatever a line asks for.
      if (asking.path !== this.#endpoint) throw new CallError('asks for another path than the lines before it');
      return asking;
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      const why = `${error.message}, so nobody here can say what it asks for.`;
      return { type: 'deny', rule: 'gateway', message: `Line ${line.number} of this file ${why}` };
    }
  }

  #about({ bytes }: Line, { call, path, body }: AskingLine): PolicyContext {
    const { context, settings, reading } = this.#judging;
    const head = { ...this.#command, method: 'POST', path, query: '' };
    const request = new Request(head, whole(Buffer.from(jsonOf(body))), '', reading);
    let isAsked = false;
    this.#unasked++;
    const all = findingsOf(call, whole(bytes), '');
    const found = (): readonly Detector[] => {
      const known = all();
      if (!isAsked) this.#unasked--;
      isAsked = true;
      for (const one of known) this.#found.add(one);
      return known;
    };
    return { ...context, request, found, model: { call, settings } };
  }

  #masked(line: Line, asking: AskingLine, masks: readonly AppliedMask[]): Deny | undefined {
    const text = line.bytes.toString('utf8');
    const plain = plainLine(text);
    try {
      const made = masks.length === 0 ? plain : this.#maskedLine(plain, asking, masks);
      if (typeof made !== 'string') return made;
      if (made !== text) this.#put(line, Buffer.from(made));
      return undefined;
    } catch (error) {
      if (!(error instanceof BodyUnmasked)) throw error;
      return unmaskable(error.why);
    }
  }

  #maskedLine(text: string, { call, line, body }: AskingLine, masks: readonly AppliedMask[]): string | Deny {
    const { masked, maskedText } = this.#judging;
    if (call.isTokenised) return TOKENISED;
    const name = line.members.get('custom_id');
    // By its name its answer is known again.
    if (name && maskedText(masks, jsonOf(name)) !== jsonOf(name)) return MASKED_NAME;
    const made = masked(masks, JSON_TYPE, Buffer.from(jsonOf(body)), call);
    if (!made) return text;
    const members = [...line.members].map(
      ([member, value]) =>
        `${JSON.stringify(member)}:${member === 'body' ? made.toString('utf8').trim() : jsonOf(value)}`,
    );
    return plainLine(`{${members.join(',')}}`);
  }

  #put({ start, bytes }: Line, made: Buffer): void {
    this.#pieces.push(this.#content.subarray(this.#from, start), made);
    this.#from = start + bytes.length;
  }

  #made(): Buffer | undefined {
    if (this.#pieces.length === 0) return undefined;
    return Buffer.concat([...this.#pieces, this.#content.subarray(this.#from)]);
  }

  #collect(verdict: Verdict, facts: Facts, statement = this.#count - 1): void {
    keep(this.#holds, verdict.holds);
    keep(this.#matched, verdict.matched);
    keep(this.#masks, verdict.masks);
    keep(this.#budgets, verdict.budgets);
    keep(this.#bounds, verdict.bounds);
    // Lines that do the same are one action, of the last of them.
    for (const action of facts.actions) this.#actions.set(JSON.stringify(action), { ...action, statement });
  }

  #use({ model, tokens: input, mostOutput, choices }: ModelCall, budgets: readonly AppliedBudget[]): void {
    if (budgets.length === 0) return;
    const key = JSON.stringify([model, budgets.map((one) => one.key)]);
    const before = this.#uses.get(key)?.use;
    const price = this.#judging.settings.prices.get(model);
    const use = {
      model,
      price,
      requests: (before?.requests ?? 0) + 1,
      input: (before?.input ?? 0) + input,
      output: (before?.output ?? 0) + outputOf(mostOutput) * choices,
    };
    this.#uses.set(key, { budgets, use });
  }
}

/** Takes what all calls of a file may use up, or nothing. */
export function takenFor(judging: FileJudging, uses: readonly Uses[]): readonly Charge[] | Deny {
  const charges: Charge[] = [];
  for (const { budgets, use } of uses) {
    const charge = judging.take(budgets, use);
    if (!charge) continue;
    if ('type' in charge) {
      for (const one of charges) one.undo();
      return charge;
    }
    charges.push(charge);
  }
  return charges;
}

/** Why no batch is made of a file; undefined: it may be. */
export function batchFault(files: JudgedFiles, key: FileKey, batch: AskedBatch, rules: string): Deny | undefined {
  const file = files.find(key);
  const name = `"${batch.file.slice(0, 100)}"`;
  const no = (message: string): Deny => ({ type: 'deny', rule: 'gateway', message, hint: AGAIN });
  if (!file) return no(`The file ${name} was not let through here for you as a batch, so nobody has judged its lines.`);
  if (file.rules !== rules) return no(`The rules have changed since the lines of the file ${name} were judged.`);
  if (file.endpoint !== batch.endpoint)
    return no(`The lines of the file ${name} ask for ${file.endpoint}, and this batch for another endpoint.`);
  if (file.state === 'used')
    return no(`The calls of the file ${name} were counted for one batch, which has been made.`);
  return undefined;
}

/** What verdicts on the calls in files hang on, besides the files. */
export function rulesOf(
  policy: CompiledPolicy,
  { kind, groups }: PolicyContext['principal'],
  { lists }: ModelSettings,
): string {
  const words = [...lists].map(([name, { fingerprint }]) => [name, fingerprint]);
  return hash('sha256', JSON.stringify([policy.fingerprint, kind, groups, words]), 'hex');
}

/** A file that was let through, as it is remembered. */
export const judgedFile = (
  key: FileKey,
  person: string,
  { endpoint, rules, isCounted }: { readonly endpoint: string; readonly rules: string; readonly isCounted: boolean },
): JudgedFile => ({ ...key, person, endpoint, rules, state: isCounted ? 'counted' : 'free', since: Date.now() });

const AGAIN = 'Upload it through this gateway, with the purpose "batch".';
const EMPTY: Deny = { type: 'deny', rule: 'gateway', message: 'This file is to be a batch, and has no line in it.' };
const MASKED_NAME: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'The "custom_id" has something that is masked here, and its answer would not be known again.',
  hint: 'Give it a number.',
};

const isForRequests = ({ request }: AppliedMask): boolean => request === true;

const whole = (bytes: Buffer): WholeBody => ({ type: 'whole', media: JSON_TYPE, bytes });

const unmaskable = (why: string): Deny => ({
  type: 'deny',
  rule: 'gateway',
  message: `What is sent here is masked, and this body ${why}.`,
});

const inLine = ({ number }: Line, { rule, message, hint }: Pick<Deny, 'rule' | 'message' | 'hint'>): Deny => ({
  type: 'deny',
  rule,
  message: `Line ${number} of this file: ${message}`,
  ...(hint !== undefined && { hint }),
});

/** Its name, and what is said beside it, which a provider goes by. */
function maskedBeside(
  judging: FileJudging,
  masks: readonly AppliedMask[],
  { filename, fields }: Upload,
): Deny | undefined {
  const isMasked = (text: string): boolean => judging.maskedText(masks, text) !== text;
  if (isMasked(filename)) return beside('The name of this file');
  const field = fields.find(({ name, value }) => isMasked(name) || isMasked(value));
  return field && beside('What is said beside this file');
}

const beside = (what: string): Deny => ({
  type: 'deny',
  rule: 'gateway',
  message: `${what} has something that is masked here.`,
  hint: 'Send it under another name.',
});

function foundBeside({ filename, fields }: Upload, query: string): readonly Detector[] {
  const members = [{ name: 'filename', value: filename }, ...fields];
  return foundIn(whole(Buffer.from(JSON.stringify(members))), query);
}

function withContent({ bytes }: WholeBody, { start, end }: Upload, made: Buffer): Buffer {
  const came = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Buffer.concat([came.subarray(0, start), made, came.subarray(end)]);
}

/** Two policies may have a rule of the same name. */
function keep<Applied>(into: Map<string, Applied>, all: readonly Applied[]): void {
  for (const one of all) into.set(JSON.stringify(one), one);
}
