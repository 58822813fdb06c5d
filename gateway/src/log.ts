import type { Command, ResponseEvent } from '@sluice/contract';
import { type Header, type Journal, type ParameterMode, commandHeader, responseHeader } from '@sluice/recording';
import type { Logger } from 'pino';
import { Counters } from './counters.js';
import type { Judgement } from './judge.js';
import type { Room } from './record-keeper.js';
import type { Session } from './session.js';
import type { Turn } from './turn.js';

/** Sees a record of a session as it is added: its header as JSON, and its payload. */
export type Watcher = (header: string, payload: Uint8Array) => void;

/** Writes what happens into the journal, and what an operator should see into the log. Secrets are in neither. */
export class Log {
  readonly operator: Logger;
  readonly #journal: Journal;
  readonly #turn: Turn;
  readonly #parameters: ParameterMode;
  readonly #counters: Counters;
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Is told of what is recorded about the gateway and its sessions, other than commands and answers. */
  onRecord: ((header: Header) => void) | undefined;

  constructor(journal: Journal, turn: Turn, operator: Logger, parameters: ParameterMode, counters: Counters) {
    this.#journal = journal;
    this.#turn = turn;
    this.operator = operator;
    this.#parameters = parameters;
    this.#counters = counters;
  }

  /** How much can still be recorded. */
  room: () => Room = () => 'enough';

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
    if (!watchers) return;
    const bytes = Buffer.concat(payload);
    for (const see of watchers) see(header, bytes);
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
    const { id, principal, connection, protocol, client } = session;
    Counters.add(this.#counters.logins, connection?.name ?? '');
    this.write({
      k: 'opened',
      t: session.started,
      s: id,
      principal: principal?.name ?? '',
      connection: connection?.name ?? '',
      protocol,
      client,
    });
    this.operator.info(
      { session: id, principal: principal?.name, connection: connection?.name, client },
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
    // What strangers cause must not use up the room of those who are logged in.
    if (this.room() === 'enough') this.write({ k: 'login', t: Date.now(), s: session.id, ...failed });
    this.operator.warn(failed, 'login refused');
  }

  /** Something that a person did to the gateway itself. */
  admin(actor: string, action: string, detail: string): void {
    this.write({ k: 'admin', t: Date.now(), actor, action, detail });
    this.operator.info({ actor, action, detail }, 'administration');
  }

  /**
   * Somebody reads what is on record about somebody else. On record before they get it.
   *
   * @returns false: it cannot be recorded, so it must not happen
   */
  reading(actor: string, token: string, as: 'timeline' | 'export' | 'watch', of: string): boolean {
    this.write({ k: 'read', t: Date.now(), actor, token, as, of });
    this.operator.info({ actor, as, session: of }, 'a recording is read');
    this.flush();
    return this.recording;
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
    this.onRecord?.(header);
    this.#turn.later();
  }
}
