/**
 * Sessions of MCP, which a server names and a client repeats: whose each is, and what is under way in it in both directions. Owns: that
 * nobody uses somebody else's. Does not: read messages.
 */
import { hash } from 'node:crypto';
import type { AppliedMask } from '@sluice/contract';
import { McpTasks } from './tasks.js';
import type { AnswerTerms } from './terms.js';

/** What a client has asked, until it is answered. */
export interface Asked {
  readonly method: string;
  /** Its tool, prompt or resource. */
  readonly name: string | undefined;
  /** A list goes on from here: it is not its first page. */
  readonly isNextPage: boolean;
  /** What its answer has masked, by whatever way that comes. */
  readonly masks?: readonly AppliedMask[];
  /** What else holds for that. */
  readonly terms?: AnswerTerms | undefined;
}

/** Requests of one session that are under way, or were a while ago, in each direction, and events that it was given. */
const MAX_OPEN = 1000;
const MAX_SESSIONS_OF_ONE = 256;
const MAX_SESSIONS = 20_000;

export class McpSession {
  readonly principal: string;
  /** Where messages go in the transport of old; undefined: to the path of the stream. */
  readonly endpoint: string | undefined;
  /** Of tools that the server has listed in it, their fingerprints; and when that began. */
  readonly tools = new Map<string, string>();
  listed = -Infinity;
  readonly #open = new Map<string, { readonly asked: Asked; isAnswered: boolean }>();
  readonly #masks = new Map<string, AppliedMask>();
  readonly #asks = new Map<string, string>();
  /** Ids of events that the client was given, as hashes: they may be of any length. */
  readonly #given = new Map<string, true>();

  constructor(principal: string, endpoint?: string) {
    this.principal = principal;
    this.endpoint = endpoint;
  }

  /** A client asks. `key`: the id as JSON. */
  asked(key: string, asked: Asked): void {
    bounded(this.#open, key, { asked, isAnswered: false });
    for (const mask of asked.masks ?? []) bounded(this.#masks, JSON.stringify(mask), mask);
  }

  /** Of all that was asked in it: what a server says by itself may be about any of that. */
  get masks(): readonly AppliedMask[] {
    return [...this.#masks.values()];
  }

  isOpen(key: string): boolean {
    return this.#open.get(key)?.isAnswered === false;
  }

  /** A server answers. Undefined: nobody has asked that, or it is answered already. `again`: a stream is repeated to who has lost it. */
  answered(key: string, again: boolean): Asked | undefined {
    const open = this.#open.get(key);
    if (!open || (open.isAnswered && !again)) return undefined;
    open.isAnswered = true;
    return open.asked;
  }

  /** A server asks its client, which may know. False: it has asked that already, and has no answer yet. */
  asks(key: string, method: string): boolean {
    if (this.#asks.has(key)) return false;
    bounded(this.#asks, key, method);
    return true;
  }

  /** What was asked by this id; it is answered once. */
  takeAsk(key: string): string | undefined {
    const method = this.#asks.get(key);
    this.#asks.delete(key);
    return method;
  }

  /** The same, and it stays. */
  ask(key: string): string | undefined {
    return this.#asks.get(key);
  }

  /** The client is given an event with this id. */
  gave(event: string): void {
    bounded(this.#given, hash('sha256', event, 'base64'), true);
  }

  /** It was given that event, and not too many behind it. */
  hasGiven(event: string): boolean {
    return this.#given.has(hash('sha256', event, 'base64'));
  }
}

/** The oldest goes where there are too many. */
function bounded<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_OPEN && oldest !== undefined) map.delete(oldest);
}

export class McpSessions {
  /** They may outlive the session that they were begun in. */
  readonly tasks = new McpTasks();
  /** By connection and id. The one without an id is of servers that have none, and each principal has one of its own. */
  readonly #sessions = new Map<string, McpSession>();
  readonly #counts = new Map<string, number>();

  /** The session of this id, if it is this principal's. */
  find(connection: string, id: string, principal: string): McpSession | undefined {
    const found = this.#sessions.get(keyOf(connection, id));
    return found?.principal === principal ? found : undefined;
  }

  /** It is somebody's. */
  isKnown(connection: string, id: string): boolean {
    return this.#sessions.has(keyOf(connection, id));
  }

  /** Of a server that names none. */
  unnamed(connection: string, principal: string): McpSession {
    const key = JSON.stringify([connection, principal]);
    const found = this.#sessions.get(key);
    return found ?? this.#add(key, new McpSession(principal));
  }

  /** A server has named a session to this principal. Undefined: it is somebody else's. */
  bind(connection: string, id: string, principal: string, endpoint?: string): McpSession | undefined {
    const key = keyOf(connection, id);
    const found = this.#sessions.get(key);
    if (found) return found.principal === principal ? found : undefined;
    return this.#add(key, new McpSession(principal, endpoint));
  }

  end(connection: string, id: string): void {
    this.#remove(keyOf(connection, id));
  }

  #add(key: string, session: McpSession): McpSession {
    const { principal } = session;
    const count = (this.#counts.get(principal) ?? 0) + 1;
    this.#counts.set(principal, count);
    this.#sessions.set(key, session);
    if (count > MAX_SESSIONS_OF_ONE) this.#removeOldest((one) => one.principal === principal);
    else if (this.#sessions.size > MAX_SESSIONS) this.#removeOldest(() => true);
    return session;
  }

  #removeOldest(isMeant: (session: McpSession) => boolean): void {
    for (const [key, session] of this.#sessions) if (isMeant(session)) return this.#remove(key);
  }

  #remove(key: string): void {
    const session = this.#sessions.get(key);
    if (!session) return;
    this.#sessions.delete(key);
    const left = (this.#counts.get(session.principal) ?? 1) - 1;
    if (left > 0) this.#counts.set(session.principal, left);
    else this.#counts.delete(session.principal);
  }
}

const keyOf = (connection: string, id: string): string => JSON.stringify([connection, '', id]);
