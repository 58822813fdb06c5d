import type { Principal } from '@sluice/contract';
import { type Asked, type Outcome, type Request, type Word, mayRelease, satisfied } from './request.js';

/** Where requests are kept. */
export interface Storage {
  /** Those that are pending, or approved and not used. */
  unfinished(): Promise<Request[]>;
  /** The newest first. */
  recent(most: number): Promise<Request[]>;
  find(number: number): Promise<Request | undefined>;
  /** The highest number ever given; 0 when there is none. */
  last(): Promise<number>;
  save(request: Request): Promise<void>;
}

/** Something was said or came to an end. Called before it takes effect, so that it can be put on record. */
export type Told = (
  request: Request,
  event: 'requested' | Word['says'] | Outcome | 'used',
  who?: { readonly actor: string; readonly reason: string },
) => void;

/** A decision that cannot be taken; a sentence for who tried. */
export class ApprovalError extends Error {
  readonly reason: 'missing' | 'closed' | 'forbidden' | 'full';

  constructor(reason: ApprovalError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A request that somebody waits for. Its outcome is settled once, when it has been stored. */
export interface Held {
  readonly number: number;
  readonly outcome: Promise<Request>;
}

interface Entry {
  request: Request;
  /** The state has been chosen; nothing that comes later counts. */
  closed: boolean;
  /** The outcome is stored. */
  stored: boolean;
  readonly approved: Principal[];
  readonly settled: PromiseWithResolvers<Request>;
  timer: NodeJS.Timeout | undefined;
}

/** Open requests beyond this are refused. */
const MOST = 10_000;
/** Of one principal: whoever asks without end leaves room for others. */
const MOST_OF_ONE = 2_000;
/** Node's timers know no longer wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * The requests of one gateway: pending, then approved, denied, withdrawn or expired, whichever comes first, once. Only what
 * is unfinished is in memory. What is pending at a restart has lost its client and is withdrawn.
 */
export class Approvals {
  readonly #storage: Storage;
  readonly #tell: Told;
  readonly #now: () => number;
  readonly #open = new Map<number, Entry>();
  #last: number;

  private constructor(storage: Storage, tell: Told, now: () => number, last: number) {
    this.#storage = storage;
    this.#tell = tell;
    this.#now = now;
    this.#last = last;
  }

  static async open(storage: Storage, tell: Told, now: () => number = Date.now): Promise<Approvals> {
    const approvals = new Approvals(storage, tell, now, await storage.last());
    for (const request of await storage.unfinished()) {
      if (request.state === 'approved' && isStale(request, now())) continue;
      const entry = approvals.#enter(request);
      if (request.state === 'approved') entry.closed = entry.stored = true;
      else if (request.expires <= now()) await approvals.#close(entry, 'expired');
      else await approvals.#close(entry, 'withdrawn', 'the gateway was restarted');
    }
    return approvals;
  }

  /** How many wait for an answer. */
  get pending(): number {
    return [...this.#open.values()].filter(({ closed }) => !closed).length;
  }

  /** When the oldest of them was asked, in milliseconds since 1970. */
  get oldest(): number | undefined {
    for (const { closed, request } of this.#open.values()) if (!closed) return request.created;
    return undefined;
  }

  /** The newest first. */
  recent(most: number): Promise<Request[]> {
    return this.#storage.recent(most);
  }

  async find(number: number): Promise<Request | undefined> {
    return this.#open.get(number)?.request ?? this.#storage.find(number);
  }

  /** @throws ApprovalError when too many are open; whatever the storage throws */
  async ask(asked: Asked): Promise<Held> {
    const same = asked.waits ? undefined : this.#sameAs(asked.digest, 'pending');
    if (same) return { number: same.request.number, outcome: same.settled.promise };
    this.#forgetStale();
    if (this.#open.size >= MOST) throw new ApprovalError('full', 'Too many commands wait for approval already.');
    if (this.#open.size >= MOST_OF_ONE && this.#of(asked.principal) >= MOST_OF_ONE)
      throw new ApprovalError('full', 'Too many commands of yours wait for approval already.');
    const created = this.#now();
    const number = ++this.#last;
    const request: Request = {
      ...asked,
      number,
      created,
      expires: created + asked.within,
      state: 'pending',
      words: [],
    };
    const entry = this.#enter(request);
    this.#tell(request, 'requested');
    try {
      await this.#storage.save(request);
    } catch (error) {
      entry.closed = true;
      this.#open.delete(number);
      throw error;
    }
    if (!entry.closed) this.#wait(entry);
    return { number, outcome: entry.settled.promise };
  }

  /**
   * One approver's word. Resolves to the request as it is then, stored.
   *
   * @throws ApprovalError when it is not theirs to say, or not any more
   */
  async decide(number: number, who: Principal, says: Word['says'], reason: string): Promise<Request> {
    const entry = this.#open.get(number);
    if (!entry) {
      const past = await this.#storage.find(number);
      if (!past) throw new ApprovalError('missing', `There is no request ${number}.`);
      throw new ApprovalError('closed', `Request ${number} is ${past.state} already.`);
    }
    const { request } = entry;
    if (entry.closed) throw new ApprovalError('closed', `Request ${number} is ${request.state} already.`);
    if (who.name === request.principal)
      throw new ApprovalError('forbidden', 'Nobody decides about a request of their own.');
    if (!mayRelease(request, who))
      throw new ApprovalError('forbidden', `"${who.name}" is not among the approvers of request ${number}.`);
    if (says === 'approve' && entry.approved.some(({ name }) => name === who.name))
      throw new ApprovalError('closed', `"${who.name}" has approved request ${number} already.`);
    if (request.expires <= this.#now()) return this.#close(entry, 'expired');
    const word: Word = { by: who.name, at: this.#now(), says, reason };
    entry.request = { ...request, words: [...request.words, word] };
    this.#tell(entry.request, says, { actor: who.name, reason });
    if (says === 'deny') return this.#close(entry, 'denied');
    entry.approved.push(who);
    if (satisfied(request, entry.approved)) return this.#close(entry, 'approved');
    await this.#storage.save(entry.request);
    return entry.request;
  }

  /** Whether a session is released now, by an approval whose window is not over. */
  granted(digest: string): boolean {
    for (const { request, stored } of this.#open.values())
      if (stored && request.kind === 'session' && request.state === 'approved' && request.digest === digest)
        if (!isStale(request, this.#now())) return true;
    return false;
  }

  /** The client waits no longer. Nothing happens when the request has an outcome. */
  withdraw(number: number, why: string): void {
    const entry = this.#open.get(number);
    if (entry && !entry.closed) void this.#close(entry, 'withdrawn', why);
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
    const entry = 'number' in by ? this.#open.get(by.number) : this.#sameAs(by.digest, 'approved');
    if (!entry || entry.request.state !== 'approved' || entry.request.used !== undefined) return false;
    if (entry.request.kind === 'session') return false;
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
    const pending = [...this.#open.values()].filter(({ closed }) => !closed);
    await Promise.all(pending.map((entry) => this.#close(entry, 'withdrawn', 'the gateway was stopped')));
    for (const { timer } of this.#open.values()) clearTimeout(timer);
  }

  #enter(request: Request): Entry {
    const settled = Promise.withResolvers<Request>();
    const entry: Entry = { request, closed: false, stored: false, approved: [], settled, timer: undefined };
    this.#open.set(request.number, entry);
    return entry;
  }

  #wait(entry: Entry): void {
    const left = Math.min(LONGEST_TIMER, Math.max(0, entry.request.expires - this.#now()));
    const look = (): void => {
      if (entry.request.expires > this.#now()) this.#wait(entry);
      else this.expire(entry.request.number);
    };
    entry.timer = setTimeout(look, left);
    entry.timer.unref();
  }

  /** The first to come here decides. What cannot be stored is withdrawn: it would be forgotten by a restart. */
  async #close(entry: Entry, state: Outcome, why?: string): Promise<Request> {
    entry.closed = true;
    clearTimeout(entry.timer);
    const before = entry.request;
    const done = { ...before, state, closed: this.#now(), ...(why !== undefined && { why }) };
    entry.request = done;
    if (state !== 'approved') this.#open.delete(done.number);
    try {
      await this.#storage.save(done);
      entry.stored = true;
      this.#tell(done, state);
    } catch {
      entry.request = { ...done, state: 'withdrawn', why: 'the outcome could not be stored' };
      this.#open.delete(done.number);
      this.#tell(entry.request, 'withdrawn');
    }
    entry.settled.resolve(entry.request);
    return entry.request;
  }

  #of(principal: string): number {
    let count = 0;
    for (const { request } of this.#open.values()) if (request.principal === principal) count++;
    return count;
  }

  #sameAs(digest: string, state: Request['state']): Entry | undefined {
    for (const entry of this.#open.values())
      if (!entry.request.waits && entry.request.state === state && entry.request.digest === digest) return entry;
    return undefined;
  }

  /** Approvals that nobody came back for in time. */
  #forgetStale(): void {
    for (const [number, { request, closed }] of this.#open)
      if (closed && !request.waits && isStale(request, this.#now())) this.#open.delete(number);
  }
}

/** An approval is there for as long as the request was, or for the window that it opens. */
const isStale = ({ closed = 0, window, within }: Request, now: number): boolean => closed + (window ?? within) <= now;
