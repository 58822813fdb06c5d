import type { Command, ResponseEvent } from '@sluice/contract';
import {
  type Header,
  type Journal,
  type ParameterMode,
  commandHeader,
  parseHeader,
  responseHeader,
} from '@sluice/recording';
import type { Logger } from 'pino';
import type { Maker, Proven } from '@sluice/identity';
import { Counters } from './counters.js';
import type { Judgement } from './judge.js';
import type { Session } from './session.js';
import type { Turn } from './turn.js';

/** Sees a record of a session as it is added. */
export type Watcher = (header: Header, payload: Buffer) => void;

/** Somebody who did something, what they showed, and who made that. */
export interface Actor {
  readonly actor: string;
  readonly token?: string;
  readonly makers?: readonly string[];
}

/** Who calls, for the record. */
export const actorOf = ({ principal, tokenId, makers }: Proven): Actor => ({
  actor: principal.name,
  ...shownOf(tokenId, makers),
});

/** What was shown, and who made it, from its own maker to where it began. */
export const shownOf = (
  token: string | undefined,
  makers: readonly Maker[],
): { readonly token?: string; readonly makers?: readonly string[] } => ({
  ...(token !== undefined && { token }),
  ...(makers.length > 0 && { makers: makers.map(({ name }) => name) }),
});

/** Writes what happens into the journal, and what an operator should see into the log. Secrets are in neither. */
export class Log {
  readonly operator: Logger;
  readonly #journal: Journal;
  readonly #turn: Turn;
  readonly #parameters: ParameterMode;
  readonly #counters: Counters;
  readonly #watchers = new Map<string, Set<Watcher>>();

  constructor(journal: Journal, turn: Turn, operator: Logger, parameters: ParameterMode, counters: Counters) {
    this.#journal = journal;
    this.#turn = turn;
    this.operator = operator;
    this.#parameters = parameters;
    this.#counters = counters;
  }

  /** Calls `see` with each record of a session that is added from now on. Returns what ends that. */
  watch(session: string, see: Watcher): () => void {
    let watchers = this.#watchers.get(session);
    if (!watchers) this.#watchers.set(session, (watchers = new Set()));
    watchers.add(see);
    return () => {
      if (watchers.delete(see) && watchers.size === 0) this.#watchers.delete(session);
    };
  }

  #shown(session: string, header: string, payload: readonly Uint8Array[]): void {
    const watchers = this.#watchers.get(session);
    const parsed = watchers && parseHeader(Buffer.from(header));
    if (!parsed) return;
    const bytes = Buffer.concat(payload);
    for (const see of watchers) see(parsed, bytes);
  }

  /** False: it cannot be recorded, so it must not happen. */
  command(session: string, command: Command, judgement: Judgement, now: number): boolean {
    if (this.#journal.failed) return false;
    const header = commandHeader(session, command, judgement.record, this.#parameters, now);
    this.#journal.append(header);
    if (this.#watchers.size > 0) this.#shown(session, header, []);
    this.#turn.later();
    return true;
  }

  /** Whether anything can be put on record. */
  get recording(): boolean {
    return !this.#journal.failed;
  }

  /** False: it is not on record. */
  response(session: string, event: ResponseEvent): boolean {
    if (this.#journal.failed) return false;
    const header = responseHeader(session, event, Date.now());
    this.#journal.append(header, event.data);
    if (this.#watchers.size > 0) this.#shown(session, header, event.data);
    this.#turn.later();
    return true;
  }

  sessionOpened(session: Session): void {
    const { id, principal, connection, protocol, client, tokenId, makers } = session;
    const { issuer, subject } = principal ?? {};
    Counters.add(this.#counters.logins, connection?.name ?? '');
    this.write({
      k: 'opened',
      t: session.started,
      s: id,
      principal: principal?.name ?? '',
      connection: connection?.name ?? '',
      protocol,
      client,
      ...(issuer !== undefined && { issuer }),
      ...(subject !== undefined && { subject }),
      ...shownOf(tokenId, makers),
    });
    this.operator.info(
      { session: id, principal: principal?.name, connection: connection?.name, client, token: tokenId },
      'session opened',
    );
  }

  sessionClosed(session: Session, reason: string): void {
    const { id, commands, denied } = session;
    this.write({ k: 'closed', t: Date.now(), s: id, reason, commands, denied });
    this.operator.info({ session: id, reason, commands, denied }, 'session closed');
  }

  /** `why`: what was wrong with a token, for whoever runs the gateway. */
  loginFailed(session: Session, user: string, connection: string, refused: string, why?: string): void {
    const failed = { user, connection, client: session.client, refused, ...(why !== undefined && { why }) };
    Counters.add(this.#counters.loginFailures, refused);
    this.write({ k: 'login', t: Date.now(), s: session.id, ...failed });
    this.operator.warn(failed, 'login refused');
  }

  /** Something that a person did to the gateway itself. */
  admin(actor: string | Actor, action: string, detail: string): void {
    const { actor: name, ...shown } = typeof actor === 'string' ? { actor } : actor;
    this.write({ k: 'admin', t: Date.now(), actor: name, action, detail, ...shown });
    this.operator.info({ actor: name, action, detail, ...shown }, 'administration');
  }

  /** Puts what is still in memory on record now, so that readers of the journal see it. */
  flush(): void {
    this.#turn.now();
  }

  write(header: Header): void {
    const text = JSON.stringify(header);
    // Whoever watches learns of the end also when it cannot be recorded.
    if (this.#watchers.size > 0 && 's' in header) this.#shown(header.s, text, []);
    if (this.#journal.failed) return;
    this.#journal.append(text);
    this.#turn.later();
  }
}
