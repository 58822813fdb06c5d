import type { Command, ResponseEvent } from '@sluice/contract';
import { type Header, type Journal, type ParameterMode, commandHeader, responseHeader } from '@sluice/recording';
import type { Logger } from 'pino';
import { Counters } from './counters.js';
import type { Judgement } from './judge.js';
import type { Session } from './session.js';
import type { Turn } from './turn.js';

/** Writes what happens into the journal, and what an operator should see into the log. Secrets are in neither. */
export class Log {
  readonly operator: Logger;
  readonly #journal: Journal;
  readonly #turn: Turn;
  readonly #parameters: ParameterMode;
  readonly #counters: Counters;

  constructor(journal: Journal, turn: Turn, operator: Logger, parameters: ParameterMode, counters: Counters) {
    this.#journal = journal;
    this.#turn = turn;
    this.operator = operator;
    this.#parameters = parameters;
    this.#counters = counters;
  }

  /** False: it cannot be recorded, so it must not happen. */
  command(session: string, command: Command, judgement: Judgement, now: number): boolean {
    if (this.#journal.failed) return false;
    this.#journal.append(commandHeader(session, command, judgement.record, this.#parameters, now));
    this.#turn.later();
    return true;
  }

  /** Whether anything can be put on record. */
  get recording(): boolean {
    return !this.#journal.failed;
  }

  response(session: string, event: ResponseEvent): void {
    if (this.#journal.failed) return;
    this.#journal.append(responseHeader(session, event, Date.now()), event.data);
    this.#turn.later();
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
    this.write({ k: 'login', t: Date.now(), s: session.id, ...failed });
    this.operator.warn(failed, 'login refused');
  }

  /** Something that a person did to the gateway itself. */
  admin(actor: string, action: string, detail: string): void {
    this.write({ k: 'admin', t: Date.now(), actor, action, detail });
    this.operator.info({ actor, action, detail }, 'administration');
  }

  /** Puts what is still in memory on record now, so that readers of the journal see it. */
  flush(): void {
    this.#turn.now();
  }

  write(header: Header): void {
    if (this.#journal.failed) return;
    this.#journal.append(JSON.stringify(header));
    this.#turn.later();
  }
}
