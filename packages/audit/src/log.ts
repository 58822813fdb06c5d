/**
 * What happens, as records of the journal and lines for the operator. Owns: which of them says what, and that secrets are in
 * neither. Does not: the format on disk (packages/recording).
 */
import type { Command, ResponseEvent, StreamPart } from '@sluice/contract';
import { type RecordHeader, type Journal, type ParameterMode, commandHeader, responseHeader } from '@sluice/recording';
import type { ConnectionConfig } from '@sluice/config';
import type { Logger } from 'pino';
import type { Maker, Proven } from '@sluice/identity';
import { Counters } from './counters.js';
import type { Room } from './record-keeper.js';
import type { SessionView } from './session-view.js';
import type { CommitBarrier } from './commit-barrier.js';
import { FailureWindow, PER_REQUEST, type Rate } from './failures.js';
import { adviceOn, faultOf } from './target-faults.js';
import { nameOnRecord } from './text.js';

/** Sees a record of a session as it is added: its header as JSON, and its payload. */
export type Watcher = (header: string, payload: Uint8Array) => void;

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
  readonly #barrier: CommitBarrier;
  readonly #parameters: ParameterMode;
  readonly #counters: Counters;
  readonly #watchers = new Map<string, Set<Watcher>>();
  readonly #failedLogins = this.#summed('login.refused', 'failed logins');
  readonly #unprovenRequests = this.#summed('login.refused', 'requests without a good proof', PER_REQUEST);
  readonly #refusedAgents = this.#summed('agent.refused', 'refused agents');
  /** In the log only: they are no record of what anybody did. */
  readonly #brokenConnections = new FailureWindow((address, more) =>
    this.operator.warn(`${more.toLocaleString('en')} more broken connections from ${address}`),
  );
  readonly #failedTargets = new FailureWindow((connection, more) =>
    this.operator.warn(`${more.toLocaleString('en')} more times the target of ${connection} could not be used`),
  );
  /** Is told of what is recorded about the gateway and its sessions, other than commands and answers. */
  onRecord: ((header: RecordHeader) => void) | undefined;

  constructor(
    journal: Journal,
    barrier: CommitBarrier,
    operator: Logger,
    parameters: ParameterMode,
    counters: Counters,
  ) {
    this.#journal = journal;
    this.#barrier = barrier;
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

  /** `judgement.body`: of a request by HTTP, as it is put on record. False: it cannot be recorded, so it must not happen. */
  command(
    session: string,
    command: Command,
    { record, body }: { readonly record: string; readonly body?: Uint8Array | undefined },
    now: number,
  ): boolean {
    if (this.#journal.failed) return false;
    const parts: readonly StreamPart[] | undefined = body?.length ? [{ stream: 'request', data: body }] : undefined;
    const header = commandHeader(session, command, record, this.#parameters, now, parts);
    const payload = body && parts ? [body] : NOTHING;
    this.#journal.append(header, payload);
    if (this.#watchers.size > 0) this.#shown(session, header, payload);
    this.#barrier.later();
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
    const payload = payloadOf(event);
    this.#journal.append(header, payload);
    if (this.#watchers.size > 0) this.#shown(session, header, payload);
    this.#barrier.later();
    return true;
  }

  sessionOpened(session: SessionView): void {
    const { id, principal, connection, protocol, client, tokenId, makers, claims } = session;
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
      ...(claims && { claims }),
      ...shownOf(tokenId, makers),
    });
    this.operator.info(
      { session: id, principal: principal?.name, connection: connection?.name, client, token: tokenId },
      'session opened',
    );
  }

  sessionClosed(session: SessionView, reason: string): void {
    const { id, commands, denied } = session;
    this.write({ k: 'closed', t: Date.now(), s: id, reason, commands, denied });
    this.operator.info({ session: id, reason, commands, denied }, 'session closed');
  }

  /**
   * `why`: what was wrong with a token, for whoever runs the gateway. Names are cut, and beyond a rate failures are summed:
   * what somebody who has proven nothing puts on record is bounded in size and number.
   */
  loginFailed(session: SessionView, user: string, connection: string, refused: string, why?: string): void {
    if (this.#failedLogins.admits(session.address))
      this.#loginRecorded(session, { user, connection, refused, why }, this.room() === 'enough');
    else Counters.add(this.#counters.loginFailures, refused);
  }

  /** A request that shows nothing good of who sends it, where each says so itself. Bounded as failed logins are, by the minute. */
  requestUnproven(socket: SessionView, refused: string, why?: string): void {
    if (this.#unprovenRequests.admits(socket.address))
      this.#loginRecorded(socket, { user: '', connection: '', refused, why }, this.room() === 'enough');
    else Counters.add(this.#counters.loginFailures, refused);
  }

  /**
   * The login of somebody who has proven who they are. On record as long as sessions are opened at all: what is left then is for
   * those that are open.
   */
  loginRefused(session: SessionView, user: string, connection: string, refused: string, why?: string): void {
    const room = this.room();
    this.#loginRecorded(session, { user, connection, refused, why }, room === 'enough' || room === 'low');
  }

  /** `kept`: in the journal as well. */
  #loginRecorded(
    session: SessionView,
    { user, connection, refused, why }: { user: string; connection: string; refused: string; why: string | undefined },
    kept: boolean,
  ): void {
    Counters.add(this.#counters.loginFailures, refused);
    const failed = {
      user: nameOnRecord(user),
      connection: nameOnRecord(connection),
      client: session.client,
      refused,
      ...(why !== undefined && { why: nameOnRecord(why) }),
    };
    if (kept) this.write({ k: 'login', t: Date.now(), s: session.id, ...failed });
    const todo = LOGIN_ADVICE[refused];
    this.operator.warn({ ...failed, ...(todo !== undefined && { todo }) }, 'login refused');
  }

  /** An agent that was not let in. */
  agentRefused(id: string, client: string, message: string): void {
    if (this.#refusedAgents.admits(addressOf(client)))
      this.#stranger(`agent ${id}`, 'agent.refused', `${message}; from ${client}`);
  }

  /** A client's connection broke, and why, in the log. `session`: its id; empty where there is none. */
  connectionBroke(session: string, client: string, reason: string): void {
    if (!this.#brokenConnections.admits(addressOf(client))) return;
    this.operator.warn(
      { ...(session !== '' && { session }), client, reason: nameOnRecord(reason) },
      'connection broke',
    );
  }

  /**
   * The target of a connection could not be used: where it is, why, and what to do. In the log and a metric; in a record only where
   * a session has one. `session`: its id; empty: the gateway itself asked.
   */
  targetFailed(session: string, { name, target, via }: ConnectionConfig, reason: string): void {
    const fault = faultOf(reason);
    Counters.add(this.#counters.targetFailures, JSON.stringify([name, fault]));
    if (!this.#failedTargets.admits(`connection "${name}"`)) return;
    this.operator.warn(
      {
        ...(session !== '' && { session }),
        connection: name,
        target: `${target.host}:${target.port}`,
        ...(via !== undefined && { via }),
        fault,
        reason: nameOnRecord(reason),
        todo: adviceOn(fault),
      },
      'the target cannot be used',
    );
  }

  /** Writes the sums of what was not written one by one. */
  stop(): void {
    const strangers = [this.#failedLogins, this.#unprovenRequests, this.#refusedAgents, this.#brokenConnections];
    for (const window of [...strangers, this.#failedTargets]) window.stop();
  }

  #summed(action: string, what: string, rate?: Rate): FailureWindow {
    return new FailureWindow(
      (address, more) => this.#stranger('gateway', action, `${more.toLocaleString('en')} more ${what} from ${address}`),
      rate,
    );
  }

  /** What strangers cause must not use up the room of those who are logged in: it is in the log alone once that gets short. */
  #stranger(actor: string, action: string, detail: string): void {
    if (this.room() === 'enough') this.admin(actor, action, detail);
    else this.operator.info({ actor, action, detail }, 'administration');
  }

  /** Something that a person did to the gateway itself. */
  admin(actor: string | Actor, action: string, detail: string): void {
    const { actor: name, ...shown } = typeof actor === 'string' ? { actor } : actor;
    this.write({ k: 'admin', t: Date.now(), actor: name, action, detail, ...shown });
    this.operator.info({ actor: name, action, detail, ...shown }, 'administration');
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
    this.#barrier.now();
  }

  write(header: RecordHeader): void {
    const text = JSON.stringify(header);
    // Whoever watches learns of the end also when it cannot be recorded.
    if (this.#watchers.size > 0 && 's' in header) this.#shown(header.s, text, []);
    if (this.#journal.failed) return;
    this.#journal.append(text);
    this.onRecord?.(header);
    this.#barrier.later();
  }
}

const NOTHING: readonly Uint8Array[] = [];

function payloadOf(event: ResponseEvent): readonly Uint8Array[] {
  if (event.type === 'part' || !event.parts) return event.data;
  const parts = event.parts.map(({ data }) => data);
  return event.data.length === 0 ? parts : [...parts, ...event.data];
}

/** What whoever runs the gateway can do about a login that was refused, by kind. */
const LOGIN_ADVICE: Readonly<Record<string, string>> = {
  credentials: 'A token of that person is needed: "sluice login", or "sluice token create".',
  connection: 'The client names a connection that is not there: "sluice ls" has the names.',
  access: 'Who may use the connection is in its "access".',
  limit: 'Too many sessions, or too many wrong logins: see "limits" in the configuration.',
  unavailable: 'Something that logins need cannot be reached, or there is no room: "sluice doctor" says what.',
};

/** Of `host:port`, IPv6 in brackets or not. */
const addressOf = (client: string): string => client.slice(0, client.lastIndexOf(':')).replaceAll(/[[\]]/g, '');
