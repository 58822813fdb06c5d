/**
 * The requests of one gateway that are not over: those that wait, and approvals that are not used. Owns: how many there may be, and which is
 * which. Does not: choose outcomes, or store any.
 */
import { ApprovalError } from './ports.js';
import { type ApprovalRequest, type ReleaseQuestion, approversOf, askerOf, mayBeSame } from './request.js';

export interface OpenRequest {
  request: ApprovalRequest;
  /** The state has been chosen; nothing that comes later counts. */
  closed: boolean;
  /** The outcome is stored. */
  stored: boolean;
  /** Of its text and values. */
  readonly bytes: number;
  readonly outcome: PromiseWithResolvers<ApprovalRequest>;
  timer: NodeJS.Timeout | undefined;
  /** Those to tell when further people are asked. */
  readonly listeners: Set<() => void>;
}

/** A request that somebody waits for. Its outcome is told once, when it has been stored. */
export interface Held {
  readonly number: number;
  readonly outcome: Promise<ApprovalRequest>;
  /** Where people find it with a browser; undefined: nowhere. */
  readonly page: string | undefined;
  /** Who can answer it by now, and how many of them have to: a phrase. */
  approvers(): string;
  /** Calls `listener` each time that further people are asked. Returns what stops that. */
  onEscalation(listener: () => void): () => void;
}

/** Open requests beyond this are refused. */
const MAX_OPEN_REQUESTS = 10_000;
/**
 * Of one principal, who has besides never more than what is left for others: whoever asks without end leaves room, and so do several of them.
 */
const MAX_OPEN_REQUESTS_OF_ONE = 2_000;
/** Texts and values of open requests, of one principal and of all, shared in the same way. They are on disk; this is what they take there. */
const MAX_BYTES_OF_ONE = 32 * 1024 * 1024;
const MAX_BYTES = 256 * 1024 * 1024;

export class OpenRequests {
  readonly #entries = new Map<number, OpenRequest>();

  get(number: number): OpenRequest | undefined {
    return this.#entries.get(number);
  }

  /** The oldest first. */
  all(): OpenRequest[] {
    return [...this.#entries.values()];
  }

  /** Those that wait for an answer, the oldest first. */
  pending(): OpenRequest[] {
    return this.all().filter(({ closed }) => !closed);
  }

  enter(request: ApprovalRequest, bytes: number): OpenRequest {
    const entry = entryOf(request, bytes);
    this.#entries.set(request.number, entry);
    return entry;
  }

  delete(number: number): void {
    this.#entries.delete(number);
  }

  /** One that whoever sends its command again comes back to. */
  sameAs(digest: string, state: ApprovalRequest['state']): OpenRequest | undefined {
    for (const entry of this.#entries.values())
      if (!entry.request.waits && entry.request.state === state && entry.request.digest === digest) return entry;
    return undefined;
  }

  /**
   * Makes room for another one. `bytes`: of its text and values; `now`: in milliseconds since 1970.
   *
   * @throws ApprovalError when one principal, or all together, ask for too much at a time
   */
  admit(asked: ReleaseQuestion, bytes: number, now: number): void {
    this.#forgetStale(now);
    if (this.#entries.size >= MAX_OPEN_REQUESTS) throw full('Too many commands wait for approval already.');
    const asker = askerOf(asked);
    let [all, count, own] = [0, 0, 0];
    for (const { request, bytes: taken } of this.#entries.values()) {
      all += taken;
      if (!mayBeSame(askerOf(request), asker)) continue;
      count++;
      own += taken;
    }
    if (count >= MAX_OPEN_REQUESTS_OF_ONE) throw full('Too many commands of yours wait for approval already.');
    if (own + bytes > MAX_BYTES_OF_ONE)
      throw full(
        `The commands of yours that wait for approval would have more than ${MAX_BYTES_OF_ONE / 1024 / 1024} MiB of text: wait until some are answered, or send less at a time.`,
      );
    if (count + 1 > MAX_OPEN_REQUESTS - this.#entries.size - 1)
      throw full(
        'Many commands wait for approval, and yours have their share of the room: wait until some are answered.',
      );
    if (own + bytes > MAX_BYTES - all - bytes)
      throw full('The commands that wait for approval have too much text already: try again later.');
  }

  /** Approvals that nobody came back for in time. */
  #forgetStale(now: number): void {
    for (const [number, { request, closed }] of this.#entries)
      if (closed && !request.waits && isStale(request, now)) this.#entries.delete(number);
  }
}

export const entryOf = (request: ApprovalRequest, bytes: number): OpenRequest => ({
  request,
  closed: false,
  stored: false,
  bytes,
  outcome: Promise.withResolvers<ApprovalRequest>(),
  timer: undefined,
  listeners: new Set(),
});

/** An open request as whoever waits for it has it. */
export const heldBy = (entry: OpenRequest, page: string | undefined): Held => ({
  number: entry.request.number,
  outcome: entry.outcome.promise,
  page,
  approvers: () => approversOf(entry.request.requirements),
  onEscalation: (listener) => {
    entry.listeners.add(listener);
    return () => void entry.listeners.delete(listener);
  },
});

/** An approval is there for as long as the request was, or for the window that it opens. */
export const isStale = ({ closed = 0, window, timeoutMs }: ApprovalRequest, now: number): boolean =>
  closed + (window ?? timeoutMs) <= now;

const full = (sentence: string): ApprovalError => new ApprovalError('full', sentence);
