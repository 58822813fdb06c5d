/**
 * The requests of one gateway, each with one outcome that counts once. Owns: the order of question, words, outcome and use.
 * Does not: store (ports.ts), wait on a wire (gateway/src/holds.ts).
 */
import type { Principal } from '@sluice/contract';
import { admitPassing } from './break-glass.js';
import { admitWord, sourceOf, wordOf } from './decisions.js';
import { type Held, type OpenRequest, OpenRequests, entryOf, heldBy, isStale } from './open-requests.js';
import { ApprovalError, type Storage, type Surroundings, type Told } from './ports.js';
import {
  type Comparison,
  type ReleaseQuestion,
  type Outcome,
  type ApprovalRequest,
  type Approver,
  type ApproverProof,
  type Since,
  type Word,
  escalated,
  escalates,
  inBrief,
  mayBeSame,
  satisfied,
} from './request.js';
import { OpenReviews } from './reviews.js';
import { ApprovedShapes, MAX_SHAPES } from './shapes.js';
import { UnstoredOutcomes } from './unstored.js';

const ALONE: Surroundings = {
  now: Date.now,
  standing: ({ who }) => who,
  keepTaken: (_, save) => save(),
};

/** Node's timers know no longer wait, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The requests of one gateway: pending, then approved, denied, withdrawn or expired, whichever comes first, once. Only what
 * is unfinished is in memory. What is pending at a restart has lost its client and is withdrawn.
 */
export class Approvals {
  readonly #storage: Storage;
  readonly #tell: Told;
  readonly #around: Surroundings;
  readonly #open = new OpenRequests();
  readonly #reviews: OpenReviews;
  readonly #approved = new ApprovedShapes();
  readonly #unstored = new UnstoredOutcomes();
  #last: number;
  /** Where people find requests with a browser, `https://sluice.example`; undefined: nowhere. */
  console: string | undefined;

  private constructor(storage: Storage, tell: Told, around: Surroundings, last: number) {
    this.#storage = storage;
    this.#tell = tell;
    this.#around = around;
    this.#reviews = new OpenReviews(storage, tell, around.now);
    this.#last = last;
  }

  static async open(storage: Storage, tell: Told, around: Partial<Surroundings> = {}): Promise<Approvals> {
    const approvals = new Approvals(storage, tell, { ...ALONE, ...around }, await storage.last());
    for (const request of (await storage.recent(MAX_SHAPES)).toReversed()) approvals.#approved.add(request);
    for (const request of await storage.unfinished()) {
      if (request.state === 'approved' && isStale(request, approvals.#now())) continue;
      const entry = approvals.#open.enter(request, request.textBytes ?? 0);
      if (request.state === 'approved') entry.closed = entry.stored = true;
      else if (request.expires <= approvals.#now()) await approvals.#close(entry, 'expired');
      else await approvals.#close(entry, 'withdrawn', 'the gateway was restarted');
    }
    for (const request of await storage.reviews())
      approvals.#reviews.add(approvals.#open.get(request.number) ?? entryOf(request, 0));
    return approvals;
  }

  /** How many wait for an answer. */
  get pending(): number {
    return this.#open.pending().length;
  }

  /** When the oldest of them was asked, in milliseconds since 1970. */
  get oldest(): number | undefined {
    return this.#open.pending()[0]?.request.created;
  }

  /** Those that wait for an answer, in brief, the newest first. */
  waiting(): ApprovalRequest[] {
    return this.#open
      .pending()
      .map(({ request }) => request)
      .toReversed();
  }

  /** Those that passed by break-glass and whose review is open, in brief, the oldest first. */
  reviews(): ApprovalRequest[] {
    return this.#reviews.all();
  }

  /** In brief, the newest first. `before`: only those with a lower number. */
  async recent(most: number, before?: number): Promise<ApprovalRequest[]> {
    return (await this.#storage.recent(most, before)).map((stored) => this.#unstored.now(stored));
  }

  /** Stores what could not be stored when it was decided. To be called now and then; never rejects. */
  retry(): Promise<void> {
    return this.#unstored.store((request) => this.#storage.save(request));
  }

  /** With its whole text and values. */
  async find(number: number): Promise<ApprovalRequest | undefined> {
    const kept = await this.#storage.find(number);
    const now = this.#open.get(number)?.request ?? (kept && this.#unstored.now(kept));
    return kept && now ? { ...now, text: kept.text, parameters: kept.parameters } : (kept ?? now);
  }

  /**
   * `comparison`: with what people have approved before, where that is of use to them.
   *
   * @throws ApprovalError when too many are open; whatever the storage throws
   */
  async ask(asked: ReleaseQuestion, comparison?: Comparison): Promise<Held> {
    const since = comparison && (await this.#since(comparison));
    const same = asked.waits ? undefined : this.#open.sameAs(asked.digest, 'pending');
    if (same) return this.#held(same);
    const { text, parameters } = asked;
    const bytes = Buffer.byteLength(text) + parameters.reduce((sum, value) => sum + Buffer.byteLength(value), 0);
    const created = this.#now();
    this.#open.admit(asked, bytes, created);
    const number = ++this.#last;
    const request: ApprovalRequest = {
      ...asked,
      ...inBrief(asked),
      ...(comparison && { shape: comparison.shape }),
      ...(since && { since }),
      number,
      created,
      expires: created + asked.timeoutMs,
      state: 'pending',
      words: [],
    };
    const entry = this.#open.enter(request, bytes);
    this.#tell(request, 'requested');
    try {
      await this.#storage.save(request, { text, parameters });
    } catch (error) {
      entry.closed = true;
      this.#open.delete(number);
      throw error;
    }
    if (!entry.closed) this.#wait(entry);
    return this.#held(entry);
  }

  #held(entry: OpenRequest): Held {
    return heldBy(entry, this.pageOf(entry.request.number));
  }

  /** The address of a request in the console. */
  pageOf(number: number): string | undefined {
    return this.console === undefined ? undefined : `${this.console}/approvals/${number}`;
  }

  /**
   * One approver's word. Resolves to the request as it is then, stored. Whether it is their own word is for the caller to find out.
   *
   * @throws ApprovalError when it is not theirs to say, or not any more; whatever the storage throws: the word does not count then
   */
  async decide(
    number: number,
    who: Principal,
    decision: 'approve' | 'deny',
    reason: string,
    shown: ApproverProof = {},
  ): Promise<ApprovalRequest> {
    const entry = await this.#entry(number);
    const { request } = entry;
    if (request.state === 'approved')
      throw new ApprovalError(
        'closed',
        `Request ${number} is approved already: "sluice approvals revoke ${number}" takes an approval back.`,
      );
    if (entry.closed) throw new ApprovalError('closed', `Request ${number} is ${request.state} already.`);
    admitWord(request, this.#approving(entry), who, decision, shown);
    if (request.expires <= this.#now()) return this.#close(entry, 'expired');
    const word = this.#say(entry, who, decision, reason, shown);
    if (decision === 'deny') return this.#close(entry, 'denied');
    if (satisfied(request, this.#approving(entry))) return this.#close(entry, 'approved');
    try {
      await this.#storage.save(entry.request);
    } catch (error) {
      // It may have come to an end meanwhile, with this word in it: then that is stored, or nothing has passed.
      if (entry.closed) return entry.outcome.promise;
      this.#unsay(entry, word);
      throw error;
    }
    return entry.request;
  }

  /**
   * Whoever asked lets it pass at once, by rules that name them in `breakGlass`. Everybody is told, and a review is open from then on. That
   * `reason` says something, and that it is their own word, is for the caller to find out.
   *
   * @throws ApprovalError when they may not, or not any more
   */
  async breakGlass(
    number: number,
    who: Principal,
    reason: string,
    shown: ApproverProof = {},
  ): Promise<ApprovalRequest> {
    const entry = await this.#entry(number);
    if (!entry.closed && entry.request.expires <= this.#now()) await this.#close(entry, 'expired');
    const { request } = entry;
    if (entry.closed) throw new ApprovalError('closed', `Request ${number} is ${request.state} already.`);
    admitPassing(request, this.#approving(entry), who, shown);
    this.#reviews.admit(who);
    entry.request = { ...request, review: { state: 'open' } };
    this.#say(entry, who, 'break-glass', reason, shown);
    const done = await this.#close(entry, 'approved');
    if (done.state === 'withdrawn' && !done.review)
      throw new ApprovalError('full', `Request ${number} did not pass: ${done.why}.`);
    return done;
  }

  /**
   * Somebody else has looked at what passed by break-glass. Resolves once that is stored.
   *
   * @throws ApprovalError when it is not theirs to say, or was said already; whatever the storage throws: the review is open then
   */
  async closeReview(
    number: number,
    who: Principal,
    reason: string,
    shown: ApproverProof = {},
  ): Promise<ApprovalRequest> {
    const closed = await this.#reviews.close(number, who, reason, shown);
    if (closed) return closed;
    const past = await this.find(number);
    if (!past) throw new ApprovalError('missing', `There is no request ${number}.`);
    const why = past.review ? 'is closed already' : 'was never open: nobody passed it by break-glass';
    throw new ApprovalError('closed', `The review of request ${number} ${why}.`);
  }

  /**
   * Takes back an approval of somebody's own; with `all`, those of everybody. What was approved and not used by then is withdrawn.
   *
   * @throws ApprovalError when there is none to take back; whatever the storage throws, once it has taken effect
   */
  async takeBack(
    number: number,
    who: Principal,
    reason: string,
    all: boolean,
    shown: ApproverProof = {},
  ): Promise<ApprovalRequest> {
    const entry = await this.#entry(number);
    const { token, makers } = shown;
    const actor = { actor: who.name, reason, ...(token !== undefined && { token }), ...(makers && { makers }) };
    const taken = await this.#take(entry, (word) => all || mayBeSame(word.who ?? { name: word.by }, who), actor);
    if (!taken) throw new ApprovalError('forbidden', `"${who.name}" has not approved request ${number}.`);
    return entry.request;
  }

  /** Takes back what was said with tokens that are revoked. Rejects when the storage fails, once all of it has taken effect. */
  async takeBackSaidWith(tokens: ReadonlySet<string>): Promise<void> {
    const said = ({ token }: Word): boolean => token !== undefined && tokens.has(token);
    const entries = this.#open.all();
    const actor = { actor: 'the gateway', reason: 'the token that it was said with was revoked' };
    await Promise.all(entries.map((entry) => this.#take(entry, said, actor)));
  }

  /** What was approved and not used is approved no more: that was taken back before a restart. False: there is none. */
  async forget(number: number): Promise<boolean> {
    const entry = this.#open.get(number);
    if (entry) await this.#withdraw(entry, 'its approval was taken back');
    return entry !== undefined;
  }

  /** Whether a session is released now, by an approval whose window is not over. */
  granted(digest: string): boolean {
    for (const entry of this.#open.all()) {
      const { request, stored } = entry;
      if (!stored || request.kind !== 'session' || request.state !== 'approved' || request.digest !== digest) continue;
      if (isStale(request, this.#now())) continue;
      if (this.#stands(entry)) return true;
    }
    return false;
  }

  /** Nobody waits for it any longer. Nothing happens when the request has an outcome. */
  withdraw(number: number, why: string): void {
    const entry = this.#open.get(number);
    if (entry && !entry.closed) void this.#close(entry, 'withdrawn', why);
  }

  /** The same of a client that is gone, also where it was approved meanwhile: nobody else uses that, so it would be open for ever. */
  abandon(number: number, why: string): void {
    const entry = this.#open.get(number);
    if (!entry?.closed) this.withdraw(number, why);
    else if (entry.request.waits && entry.request.state === 'approved')
      this.#withdraw(entry, why).catch(() => undefined);
  }

  /** The time is up. Nothing happens when the request has an outcome. */
  expire(number: number): void {
    const entry = this.#open.get(number);
    if (entry && !entry.closed) void this.#close(entry, 'expired');
  }

  /**
   * Uses up an approval: that of a client that waited, by its number, or one given for an identical command that was refused
   * before. False: there is none (any more). Stored before it resolves, so that no restart gives it back.
   */
  async use(by: { readonly number: number } | { readonly digest: string }): Promise<boolean> {
    const entry = 'number' in by ? this.#open.get(by.number) : this.#open.sameAs(by.digest, 'approved');
    if (!entry || entry.request.state !== 'approved' || entry.request.used !== undefined) return false;
    if (entry.request.kind === 'session') return false;
    if (!this.#stands(entry)) return false;
    const { request } = entry;
    this.#open.delete(request.number);
    if (!request.waits && isStale(request, this.#now())) return false;
    entry.request = { ...request, used: this.#now() };
    try {
      await this.#storage.save(entry.request);
    } catch {
      return false;
    }
    this.#tell(entry.request, 'used');
    return true;
  }

  /** Withdraws what is pending. */
  async stop(): Promise<void> {
    const pending = this.#open.pending();
    await Promise.all(pending.map((entry) => this.#close(entry, 'withdrawn', 'the gateway was stopped')));
    for (const { timer } of this.#open.all()) clearTimeout(timer);
  }

  async #since({ shape, differences }: Comparison): Promise<Since | undefined> {
    const number = this.#approved.last(shape);
    const before = number === undefined ? undefined : await this.find(number);
    return before && { request: before.number, lines: differences(before.text) };
  }

  #now(): number {
    return this.#around.now();
  }

  /** @throws ApprovalError when it is not open, or there is none of this number */
  async #entry(number: number): Promise<OpenRequest> {
    const entry = this.#open.get(number);
    if (entry) return entry;
    const past = await this.find(number);
    if (!past) throw new ApprovalError('missing', `There is no request ${number}.`);
    const state = past.used === undefined ? past.state : 'used';
    throw new ApprovalError('closed', `Request ${number} is ${state} already.`);
  }

  /** What somebody says is on record before it counts. */
  #say(entry: OpenRequest, who: Principal, decision: Word['decision'], reason: string, shown: ApproverProof): Word {
    const word = wordOf(who, decision, reason, shown, this.#now());
    entry.request = { ...entry.request, words: [...entry.request.words, word] };
    this.#tell(entry.request, decision, { actor: who.name, reason, ...sourceOf(shown) });
    return word;
  }

  /** What could not be stored does not count: who said it is told, and says it again. Nothing happens where it was taken back meanwhile. */
  #unsay(entry: OpenRequest, word: Word): void {
    const { words } = entry.request;
    if (!words.includes(word)) return;
    entry.request = { ...entry.request, words: words.filter((one) => one !== word) };
    const reason = 'the approval could not be stored, so it does not count';
    this.#tell(entry.request, 'revoked', { actor: word.by, reason, ...sourceOf(word) });
    // Another word that was said meanwhile may have been stored together with it.
    this.#storage.save(entry.request).catch(() => undefined);
  }

  /** Who has approved and may still do so, as they are now. */
  #approving(entry: OpenRequest): Approver[] {
    return this.#standing(entry, 'approve');
  }

  #standing({ request }: OpenRequest, decision: Word['decision']): Approver[] {
    return request.words.flatMap((word) => {
      const who = word.decision === decision && word.takenBack === undefined ? this.#around.standing(word) : undefined;
      return who ? [{ ...who, key: word.key }] : [];
    });
  }

  /** Whether those who said something are enough, as they are now. */
  #satisfied(entry: OpenRequest): boolean {
    return satisfied(entry.request, this.#approving(entry), this.#standing(entry, 'break-glass').at(-1));
  }

  /** Whether what was approved still is, by who may approve now. If not, it is withdrawn. */
  #stands(entry: OpenRequest): boolean {
    if (this.#satisfied(entry)) return true;
    this.#withdraw(entry, 'who approved it may not do so any more').catch(() => undefined);
    return false;
  }

  /** Takes approvals back. False: there was none of these. */
  async #take(
    entry: OpenRequest,
    which: (word: Word) => boolean,
    actor: NonNullable<Parameters<Told>[2]>,
  ): Promise<boolean> {
    const goes = (word: Word): boolean => word.decision !== 'deny' && word.takenBack === undefined && which(word);
    const { request } = entry;
    if (!request.words.some(goes)) return false;
    const takenBack = this.#now();
    entry.request = { ...request, words: request.words.map((word) => (goes(word) ? { ...word, takenBack } : word)) };
    this.#tell(entry.request, 'revoked', actor);
    if (request.state === 'approved' && !this.#satisfied(entry))
      await this.#withdraw(entry, `${actor.actor} took an approval back${actor.reason && `: ${actor.reason}`}`);
    else await this.#keepTaken(entry);
    return true;
  }

  /** Of a request that was approved and not used. */
  async #withdraw(entry: OpenRequest, why: string): Promise<void> {
    entry.request = { ...entry.request, state: 'withdrawn', closed: this.#now(), why };
    this.#open.delete(entry.request.number);
    this.#approved.forget(entry.request);
    this.#tell(entry.request, 'withdrawn');
    await this.#keepTaken(entry);
  }

  /** As it is when it is stored, which may be later. */
  #keepTaken(entry: OpenRequest): Promise<void> {
    return this.#around.keepTaken(entry.request.number, () => this.#storage.save(entry.request));
  }

  /** For further people to be asked, or for the end. */
  #wait(entry: OpenRequest): void {
    const { request } = entry;
    const next = Math.min(request.expires, escalates(request) ?? request.expires);
    entry.timer = setTimeout(() => this.#look(entry), Math.min(MAX_TIMER_MS, Math.max(0, next - this.#now())));
    entry.timer.unref();
  }

  #look(entry: OpenRequest): void {
    const { request, closed } = entry;
    if (closed) return;
    const now = this.#now();
    if (request.expires <= now) return this.expire(request.number);
    const due = escalates(request);
    if (due !== undefined && due <= now) this.#escalate(entry, now);
    if (!entry.closed) this.#wait(entry);
  }

  #escalate(entry: OpenRequest, now: number): void {
    entry.request = escalated(entry.request, now);
    this.#tell(entry.request, 'escalated');
    if (satisfied(entry.request, this.#approving(entry))) return void this.#close(entry, 'approved');
    for (const listener of entry.listeners) listener();
    // What is kept of it is for lists: nobody decides about a request of before a restart.
    this.#storage.save(entry.request).catch(() => undefined);
  }

  /** The first to come here decides. What cannot be stored is withdrawn: it would be forgotten by a restart. */
  async #close(entry: OpenRequest, state: Outcome, why?: string): Promise<ApprovalRequest> {
    entry.closed = true;
    clearTimeout(entry.timer);
    const before = entry.request;
    const done = { ...before, state, closed: this.#now(), ...(why !== undefined && { why }) };
    entry.request = done;
    if (state !== 'approved') this.#open.delete(done.number);
    try {
      await this.#storage.save(done);
      // Meanwhile the approval may have been taken back.
      if (entry.request === done) {
        entry.stored = true;
        this.#approved.add(done);
        this.#tell(done, done.review ? 'passed' : state);
      }
      if (done.review) this.#reviews.add(entry);
    } catch {
      if (entry.request === done) {
        // What has not passed is nothing to review.
        const { review: _, ...rest } = done;
        entry.request = { ...rest, state: 'withdrawn', why: 'the outcome could not be stored' };
        this.#open.delete(done.number);
        this.#unstored.add(entry.request);
        this.#tell(entry.request, 'withdrawn');
      }
    }
    entry.outcome.resolve(entry.request);
    return entry.request;
  }
}
