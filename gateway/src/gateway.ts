/** The running gateway: opens the components, accepts clients, reloads, stops. Does not: judge, record, or speak a protocol. */
import { randomBytes } from 'node:crypto';
import { rmSync, statfsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { isLoopback } from '@sluice/addresses';
import type { Agents } from '@sluice/agents';
import type { Language } from '@sluice/analysis';
import { VERSION } from '@sluice/api';
import type { Approvals } from '@sluice/approvals';
import type { Counters, Log, RecordKeeper, SessionView, Webhooks } from '@sluice/audit';
import type { Counts, Sketches, Touched } from '@sluice/budgets';
import { BEACON, type Beacon } from '@sluice/cli';
import type { Config } from '@sluice/config';
import { type Console, openConsole } from '@sluice/console-server';
import type { Gate } from '@sluice/contract';
import {
  Admissions,
  type Control,
  type Controlled,
  Day,
  type Events,
  type Readiness,
  type Revocations,
  Streams,
  openControl,
} from '@sluice/control';
import { type Finding, examineTarget } from '@sluice/doctor';
import type { Grants } from '@sluice/grants';
import { type Directory, LoginCodes, PendingLogins, SetupToken, mayUse } from '@sluice/identity';
import { type LoadedPackage, describePackage } from '@sluice/packaged';
import type { Readings } from '@sluice/reading';
import type { Journal } from '@sluice/recording';
import { RowsInForce } from '@sluice/sql-postgres';
import type { SecurityKeys } from '@sluice/step-up';
import type { Store } from '@sluice/store';
import { HandshakeTurns, LoginLimits, Places, type StrangerSockets } from '@sluice/strangers';
import type { Logger } from 'pino';
import { writeAdminToken } from './admin-token.js';
import { type Components, issuersOf, openComponents, withOperator } from './components.js';
import { ended } from './ending.js';
import { Holds } from './holds.js';
import { type VisitSessions, assembleHttp } from './http/assemble.js';
import type { HttpComponents } from './http/components.js';
import { HttpTargets } from './http/credentials.js';
import { Door } from './http/door.js';
import { type Caller, VISIT_IDLE_MS } from './http/visits.js';
import { Judges, markOf } from './judges.js';
import { type OpenPort, openListeners } from './listeners.js';
import { writePrivate } from './private-files.js';
import { masksPackets } from './protocols.js';
import { reachOf } from './reach.js';
import { ROOT } from './root.js';
import { type Connection, type Listener, REVOKED, type Services, drain } from './services.js';
import { SessionApprovals } from './session-approval.js';
import { Session } from './session.js';
import { type ConfigurationProblem, type Snapshot, merged, snapshotOf } from './snapshot.js';
import type { SshKeys } from './ssh/keys.js';
import { type InsideSessions, ToolCallers } from './tool-callers.js';

/** How often idle sessions and a failed journal are looked at, in milliseconds. */
const SWEEP_MS = 1000;

/** The running whole: listeners, sessions, journal, store, control API. */
export class Gateway implements Controlled {
  readonly sessions = new Map<string, Session>();
  readonly languages: ReadonlyMap<string, Language>;
  readonly rules: Judges;
  readonly identity: Directory;
  readonly agents: Agents;
  readonly sshKeys: SshKeys;
  /** Logins that wait to be confirmed. */
  readonly pendingLogins = new PendingLogins();
  readonly loginCodes = new LoginCodes();
  readonly setupToken = new SetupToken();
  readonly approvals: Approvals;
  readonly securityKeys: SecurityKeys;
  readonly revocations: Revocations;
  readonly streams = new Streams();
  readonly day = new Day(this);
  readonly webhooks: Webhooks;
  readonly events: Events;
  readonly packages: readonly LoadedPackage[];
  readonly log: Log;
  readonly readings: Readings;
  readonly keeper: RecordKeeper;
  readonly counters: Counters;
  readonly journal: Journal;
  /** Takes the configuration file into use again; undefined where there is none. */
  onReload: ((actor: string) => Promise<void>) | undefined;
  readonly documentation = join(ROOT, '.site');
  /** `host:port` of each listener, by protocol. */
  readonly addresses = new Map<string, string>();

  readonly admissions: Admissions;
  readonly #store: Store;
  readonly #counts: Counts;
  readonly #sketches: Sketches;
  readonly #touched: Touched;
  readonly pins: Components['mcp']['pins'];
  readonly #pools: Components['pools'];
  readonly #services: Services;
  readonly #draining: AbortController;
  readonly grants: Grants;
  readonly #servers: OpenPort['server'][] = [];
  /** Sockets whose requests each say who they are from. */
  readonly #doors = new Set<Door>();
  readonly #http: HttpComponents;
  readonly #sweep: NodeJS.Timeout;
  readonly #httpTargets: HttpTargets;
  #control: Control | undefined;
  #console: Console | undefined;
  #snapshot: Snapshot;
  /** The last file that was to be taken into use could not be. */
  #problem: ConfigurationProblem | undefined;
  /** Configurations taken into use since the start, and files that could not be. */
  readonly reloads = { ok: 0, failed: 0 };
  /** Commands of sessions that are over. */
  readonly #past = { allowed: 0, denied: 0 };
  readonly places: Places;
  readonly handshakes = new HandshakeTurns();
  #serial = 0;
  readonly #run = randomBytes(3).toString('hex');

  private constructor(components: Components) {
    this.#snapshot = components.snapshot;
    this.languages = components.languages;
    this.identity = components.identity;
    this.agents = components.agents;
    this.sshKeys = components.sshKeys;
    this.approvals = components.approvals;
    this.securityKeys = components.securityKeys;
    this.revocations = components.revocations;
    this.webhooks = components.webhooks;
    this.events = components.events;
    this.packages = components.packages;
    this.journal = components.journal;
    this.log = components.log;
    this.readings = components.readings;
    this.keeper = components.keeper;
    this.counters = components.counters;
    this.#store = components.store;
    this.grants = components.grants;
    this.#httpTargets = new HttpTargets({
      grants: this.grants,
      page: (connection) => this.#console && `${this.#console.origin}/grants/${encodeURIComponent(connection)}`,
    });
    this.#counts = components.counts;
    this.#sketches = components.ledger.sketches;
    this.#touched = components.touched;
    this.pins = components.mcp.pins;
    this.#pools = components.pools;
    this.#draining = new AbortController();
    this.places = new Places(this.config.limits, this.sessions, (level, sentence) =>
      this.log.operator[level](sentence),
    );
    this.admissions = new Admissions({
      ...components,
      store: components.store.freezes,
      sessions: this.sessions,
      policyOf: (name) => this.#snapshot.policies.get(name),
      policies: () => this.#snapshot.policies.values(),
    });
    this.rules = new Judges(components, this.#httpTargets, this.admissions, () => this.#snapshot);
    this.#services = this.#makeServices(components);
    const sessions: VisitSessions = {
      begin: ({ listener, client, loopback }) => this.#newSession(listener, { address: client, loopback }),
      over: (session) => this.#over(session),
    };
    const inside: InsideSessions = {
      session: (listener, client) => this.#newSession(listener, client),
      door: (caller) => this.#newDoor(caller),
      enter: (...who) => this.#http.visits.enter(...who),
      serve: (stream, gate, to, spoken) => this.#serveOn(stream, gate, to, () => this.#gone(gate), spoken),
    };
    const tools = new ToolCallers(this.#services, this, inside, components.redactionKey);
    this.#http = assembleHttp(this.#services, { sessions, approvals: this.approvals, places: this.places }, tools);
    this.#sweep = setInterval(() => this.#look(), SWEEP_MS);
    this.#sweep.unref();
  }

  /**
   * Starts a gateway. Rejects with a sentence when it cannot: a port, the store, the journal, a policy.
   */
  static async start(config: Config, operator: Logger): Promise<Gateway> {
    const components = await openComponents(config, operator);
    const gateway = new Gateway(components);
    // Nobody waits for an issuer that is slow.
    void components.identity.issuers?.warm();
    try {
      await gateway.#open();
    } catch (error) {
      await gateway.stop();
      throw error;
    }
    return gateway;
  }

  /** Whether new commands can be let through. */
  get ready(): Readiness {
    const behind = this.#problem && {
      configuration: {
        ok: false as const,
        since: new Date(this.#problem.since).toISOString(),
        message: 'The configuration file has mistakes, so the one before it is in force. The log says which.',
      },
    };
    const { warning } = this.keeper;
    return {
      ...this.#readiness,
      ...behind,
      ...(warning !== undefined && { record: { ok: false as const, message: warning } }),
    };
  }

  get #readiness(): { ok: boolean; reason?: string } {
    if (this.#draining.signal.aborted) return { ok: false, reason: 'the gateway is draining' };
    if (this.journal.failed) return { ok: false, reason: this.journal.failed.message };
    if (this.revocations.problem !== undefined) return { ok: false, reason: this.revocations.problem };
    return { ok: true };
  }

  /** Commands judged since the start. */
  get counted(): { allowed: number; denied: number } {
    const counted = { ...this.#past };
    for (const { commands, denied } of this.sessions.values()) {
      counted.allowed += commands;
      counted.denied += denied;
    }
    return counted;
  }

  get strangers(): StrangerSockets {
    return this.places.strangers;
  }

  get url(): string {
    return this.#control?.url ?? '';
  }

  /** What people open with a browser; undefined: there is no console. */
  get consoleUrl(): string | undefined {
    return this.#console?.origin;
  }

  get config(): Config {
    return this.#snapshot.config;
  }

  /**
   * Takes another configuration into use. Running sessions go on under it from their next command; those that it has no place
   * for are ended. Sections that are read once stay as they were until the next start. Rejects when it cannot be used.
   */
  async reload(wanted: Config, actor: string): Promise<void> {
    const old = this.config;
    const { config, restart } = merged(old, wanted);
    let next: Snapshot;
    try {
      next = snapshotOf(config, this.identity);
      await this.sshKeys.know(config.connections.values());
    } catch (error) {
      this.refuseReload(actor, (error as Error).message);
      throw error;
    }
    const issuers = issuersOf(config, this.log.operator, this.identity.issuers);
    this.identity.reconfigure(withOperator(config.principals), { roles: config.roles, issuers });
    void issuers.warm();
    this.keeper.connections = config.connections;
    this.rules.reconfigured(old, config);
    this.#snapshot = next;
    this.webhooks.hooks = config.webhooks;
    this.#problem = undefined;
    this.reloads.ok++;
    this.log.write({ k: 'gateway', t: Date.now(), event: 'config', version: VERSION, detail: actor });
    this.log.operator.info({ actor }, 'another configuration is in force');
    if (restart.length > 0) this.log.operator.warn({ sections: restart.join(', ') }, 'these changes need a restart');
    for (const session of this.sessions.values()) session.reconfigured();
  }

  /** The one in force stays so, but for the rights that the file takes away, which are `taken` already. */
  refuseReload(actor: string, message: string, taken: readonly string[] = []): void {
    this.reloads.failed++;
    this.#problem = { message, since: Date.now() };
    this.log.operator.error(
      { actor, error: message, ...(taken.length > 0 && { without: taken.join(', ') }) },
      'the configuration cannot be used: the one before it stays in force',
    );
  }

  examine(connection: Connection): Promise<Finding[]> {
    const services = { agents: this.agents, ssh: this.sshKeys, log: this.log, httpTargets: this.#httpTargets };
    return examineTarget(connection, reachOf(connection, services), masksPackets(connection.protocol));
  }

  /** Ends the sessions that were opened with a token that was revoked. */
  endSessionsBy(tokenId: string): void {
    for (const session of this.sessions.values()) if (session.tokenId === tokenId) session.end(REVOKED);
  }

  /** No new sessions; running ones end at their next idle moment, or at the deadline. Then everything is closed. */
  async stop(reason = 'The gateway is shutting down.'): Promise<void> {
    if (this.#draining.signal.aborted) return;
    this.#draining.abort(drain(reason));
    for (const server of this.#servers) server.close();
    const deadline = Date.now() + this.config.limits.drain;
    const withdrawn = this.approvals.stop();
    const agentsGone = this.agents.drain(this.config.limits.drain, AGENT_RETRY_MS, reason);
    while (this.#isServing && Date.now() < deadline) {
      for (const session of this.sessions.values()) if (session.isVisit && !session.busy) session.end(drain(reason));
      await pause(20);
    }
    for (const one of [...this.sessions.values(), ...this.#doors]) one.end(drain(reason));
    // One whose peer reads nothing is cut off after a while, and its end is on record only until the journal is closed.
    const last = Date.now() + LINGER_MS + CUT_OFF_MS;
    while (this.#isServing && Date.now() < last) await pause(20);
    clearInterval(this.#sweep);
    // Connections of the gateway's own lead through agents as well.
    this.rules.close();
    for (const { tunnel } of this.agents.links()) if (tunnel.streams === 0) tunnel.close(reason);
    await this.#ended('agents', agentsGone);
    await this.#ended('approvals', withdrawn);
    await this.#ended('webhooks', this.webhooks.stop());
    await this.#ended('control API', this.#control?.close());
    await this.#ended('console', this.#console?.close());
    this.log.stop();
    this.log.write({ k: 'gateway', t: Date.now(), event: 'stopped', version: VERSION });
    await this.#ended('reading of the record', this.readings.close());
    this.log.flush();
    this.journal.close();
    await this.#ended('witness', this.keeper.stop());
    await this.#ended('analysis', Promise.all(this.#pools.map((pool) => pool.close())));
    await this.#ended('counts', this.#counts.close());
    await this.#ended('what was shown', this.#sketches.close());
    await this.#ended('what was touched', this.#touched.close());
    await this.#ended('store', this.#store.close());
    this.revocations.close();
    rmSync(join(this.config.data, BEACON), { force: true });
  }

  #ended(part: string, work: Promise<unknown> | undefined): Promise<void> {
    return ended(work, (problem) => this.log.operator.error({ part, problem }, 'a part of the gateway did not end'));
  }

  get #isServing(): boolean {
    return this.sessions.size + this.#doors.size > 0;
  }

  async #open(): Promise<void> {
    const detail = this.packages.map(describePackage).join('; ');
    const packages = detail === '' ? {} : { detail };
    this.log.write({ k: 'gateway', t: Date.now(), event: 'started', version: VERSION, ...packages });
    for (const one of this.packages) this.log.operator.warn(`code of somebody else runs here: ${describePackage(one)}`);
    for await (const { server, name, address } of openListeners(this.config, this, (socket, to) =>
      this.#accept(socket, to),
    )) {
      this.#servers.push(server);
      if (!this.addresses.has(name)) this.addresses.set(name, address);
    }
    this.#control = await openControl(this);
    const pages = join(ROOT, 'packages', 'console', 'dist', 'app');
    this.#console = await openConsole(this, { store: this.#store, pages, handshakes: this.handshakes });
    this.approvals.console = this.#console?.origin;
    for (const address of this.#console?.addresses.slice(0, 1) ?? []) this.addresses.set('console', address);
    const beacon: Beacon = {
      url: this.#control.url,
      pid: process.pid,
      tokenFile: await writeAdminToken(this.identity, this.config.data),
      listeners: Object.fromEntries(this.addresses),
    };
    writePrivate(join(this.config.data, BEACON), JSON.stringify(beacon));
  }

  #accept(socket: Socket, listener: Listener): void {
    // An error nobody listens for ends the process; whoever uses the socket hears of it by its close.
    socket.on('error', () => undefined);
    const { remoteAddress = '', remotePort, remoteFamily } = socket;
    const host = remoteFamily === 'IPv6' ? `[${remoteAddress}]` : remoteAddress;
    const client = { address: `${host}:${remotePort}`, loopback: isLoopback(remoteAddress) };
    if (listener.traits.entrance) return this.#openDoor(socket, listener, client);
    const session = this.#newSession(listener, client);
    this.places.accepted(socket, session);
    this.#serveOn(socket, session, listener, () => this.#gone(session));
  }

  #newId(): string {
    return `${this.#run}-${(++this.#serial).toString(36)}`;
  }

  #newSession(listener: Listener, client: { readonly address: string; readonly loopback: boolean }): Session {
    const session = new Session(this.#services, listener, this.#newId(), client);
    this.sessions.set(session.id, session);
    return session;
  }

  /** It is gone, and so is what it was served by. */
  #over(session: Session): void {
    this.sessions.delete(session.id);
    session.closed();
    this.#past.allowed += session.commands;
    this.#past.denied += session.denied;
  }

  /** `over`: called when the socket is gone. `spoken`: the gate that its protocol talks to, where that is another one. */
  #serveOn(socket: Duplex, gate: Gate & SessionView, listener: Listener, over: () => void, spoken: Gate = gate): void {
    // A protocol ends its session itself, in its own words; one that does not is not asked twice.
    gate.signal.addEventListener('abort', () => setTimeout(() => socket.destroy(), LINGER_MS).unref(), { once: true });
    this.#serve(socket, gate, listener, spoken)
      .catch((error: unknown) => {
        this.log.operator.error(
          { session: gate.id, error: error instanceof Error ? error.stack : String(error) },
          'a session failed',
        );
        socket.destroy();
      })
      .finally(() => {
        // A protocol that is done may still have last words on their way; a peer that does not take them is cut off.
        const late = setTimeout(() => socket.destroy(), LINGER_MS);
        const closed = (): void => {
          clearTimeout(late);
          over();
        };
        if (socket.closed) closed();
        else socket.once('close', closed);
      });
  }

  /** A socket whose requests each say who they are from: their sessions are visits, which outlive it. */
  #openDoor(
    socket: Socket,
    listener: Listener,
    client: { readonly address: string; readonly loopback: boolean },
  ): void {
    const address = client.address.slice(0, client.address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
    const caller = { listener, client: client.address, address, loopback: client.loopback };
    const door = this.#newDoor(caller);
    this.places.accepted(socket, door);
    this.#serveOn(socket, door, listener, () => this.#gone(door));
  }

  #newDoor(caller: Caller): Door {
    const door = new Door(this.#services, this.#http, this.#newId(), caller);
    this.#doors.add(door);
    return door;
  }

  #gone(gate: Session | Door): void {
    if (gate instanceof Session) return this.#over(gate);
    this.#doors.delete(gate);
    gate.closed();
  }

  /** Where a connection begins with a key exchange, it waits for its turn. */
  async #serve(socket: Duplex, gate: SessionView, listener: Listener, spoken: Gate): Promise<void> {
    if (listener.traits.keyExchange) await this.handshakes.turn(gate.address, socket, 'greeting');
    return listener.protocol.serve(socket, spoken);
  }

  #makeServices(components: Components): Services {
    const { limits } = this.config;
    const inForce = (): Snapshot => this.#snapshot;
    return {
      limits: {
        message: limits.message,
        recordedAnswer: limits.recordedAnswer,
        terminal: limits.terminal,
        upstreamLogin: limits.upstreamLogin,
      },
      handshake: limits.handshake,
      sessionsPerPrincipal: limits.sessionsPerPrincipal,
      draining: this.#draining.signal,
      get connections() {
        return inForce().config.connections;
      },
      identity: components.identity,
      get discovery() {
        return inForce().discovery;
      },
      get sshIdentities() {
        return inForce().sshIdentities;
      },
      get certificates() {
        return inForce().config.certificates;
      },
      pendingLogins: this.pendingLogins,
      ssh: components.sshKeys,
      httpTargets: this.#httpTargets,
      bodies: this.config.record.bodies,
      mark: markOf(components.redactionKey),
      url: () => this.url,
      console: () => this.consoleUrl,
      agents: components.agents,
      log: components.log,
      barrier: components.barrier,
      counters: this.counters,
      loginLimits: new LoginLimits(),
      handshakes: this.handshakes,
      holds: new Holds(components.approvals, components.redactionKey, this.config.record.parameters === 'full'),
      rows: new RowsInForce(),
      admissions: this.admissions,
      sessionApprovals: new SessionApprovals(components.approvals, components.redactionKey),
      cancels: new Map(),
      judge: (session) => this.rules.judge(session),
      masks: (connection) => this.rules.masks(connection),
      sessions: this.places.limits.connections,
      mayUse: (principal, connection) => principal.roles.includes('user') && mayUse(principal, connection.access),
      takePlace: (session, principal) => this.places.take(session, principal),
    };
  }

  #look(): void {
    if (this.journal.failed && hasRoom(this.journal.folder) && this.journal.retry()) {
      this.log.operator.info('the journal can be written again: commands go on');
    }
    void this.revocations.retry();
    void this.approvals.retry();
    this.streams.look();
    this.day.look(Date.now());
    void this.keeper.look();
    const now = Date.now();
    for (const session of this.sessions.values()) {
      if (session.until !== undefined && session.until <= now) session.end({ code: 'token-expired' });
      // A login that was under way when its token was revoked.
      else if (session.tokenId !== undefined && this.identity.token(session.tokenId)?.revoked !== undefined)
        session.end(REVOKED);
    }
    const idle = this.config.limits.idle || Infinity;
    for (const session of this.sessions.values()) {
      const since = now - (session.isVisit ? Math.min(idle, VISIT_IDLE_MS) : idle);
      const rests = session.state === 'open' && !session.busy && !session.listens;
      if (rests && session.lastActivity < since) session.end({ code: 'idle' });
    }
  }
}

const LINGER_MS = 5_000;
/** For so long what is cut off may take to be gone, in milliseconds. */
const CUT_OFF_MS = 2_000;
/** When agents of a gateway that goes may try again, in milliseconds. */
const AGENT_RETRY_MS = 1_000;
/** Room for at least one large batch of records. */
function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > 1024 * 1024;
  } catch {
    // A folder that was taken away has none.
    return false;
  }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
