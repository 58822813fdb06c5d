/**
 * Who has enrolled as an agent, which of them are here, and which one dials next. Owns: admission and revocation. Does not: the
 * port (listener.ts), storage (packages/store).
 */
import { createHash, randomBytes } from 'node:crypto';
import type { AgentRecord, AgentStore } from '@sluice/store';
import { type Goaway, type Tunnel, TunnelError, type TunnelStream, agentId, json } from '@sluice/tunnel';
import type { Log } from '@sluice/audit';

/** A tunnel that is up. */
export interface Link {
  readonly agent: string;
  readonly name: string;
  readonly tunnel: Tunnel;
  readonly address: string;
  readonly version: string;
  /** What the agent says that it may reach. */
  readonly allow: readonly string[];
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** What a proof of possession is worth. */
export type Admitted =
  | { readonly admitted: true; readonly id: string; readonly name: string; readonly enrolled: boolean }
  | { readonly admitted: false; readonly message: string };

/** Who has enrolled, which of them are here, and which one dials next. */
export class Agents {
  /** Connections that agents made since the gateway started, by agent. */
  readonly connects = new Map<string, number>();
  readonly #store: AgentStore;
  readonly #log: Log;
  readonly #known: Map<string, AgentRecord>;
  readonly #links = new Set<Link>();
  #goaway: Goaway | undefined;

  private constructor(store: AgentStore, log: Log, known: readonly AgentRecord[]) {
    this.#store = store;
    this.#log = log;
    this.#known = new Map(known.map((agent) => [agent.id, agent]));
  }

  static async open(store: AgentStore, log: Log): Promise<Agents> {
    return new Agents(store, log, await store.all());
  }

  all(): AgentRecord[] {
    return [...this.#known.values()];
  }

  links(id?: string): Link[] {
    return [...this.#links].filter((link) => id === undefined || link.agent === id);
  }

  /** A one-time token that enrols one agent of this name. It is returned here and kept nowhere. */
  async token(name: string, expires: number): Promise<string> {
    const token = `agent_${randomBytes(24).toString('base64url')}`;
    await this.#store.addToken({ hash: hashOf(token), name, expires });
    return token;
  }

  /** For a key whose possession is proven. A key that is not known needs a token, which it uses up. */
  async admit(key: string, token: string | undefined, address: string): Promise<Admitted> {
    const id = agentId(key);
    const known = this.#known.get(id);
    if (known) {
      if (known.revoked !== undefined || known.publicKey !== key)
        return this.#refused(id, address, 'this agent was revoked');
      return { admitted: true, id, name: known.name, enrolled: false };
    }
    if (token === undefined) return this.#refused(id, address, 'this agent has not enrolled: start it with a token');
    const now = Date.now();
    const name = await this.#store.enrol(hashOf(token), { id, publicKey: key }, now);
    if (name === undefined)
      return this.#refused(id, address, 'the token is not valid: it was used, has expired, or never was');
    this.#known.set(id, { id, name, publicKey: key, enrolled: now, lastSeen: now, revoked: undefined });
    this.#log.admin(actor(name, id), 'agent.enrol', `from ${address}`);
    return { admitted: true, id, name, enrolled: true };
  }

  connected(link: Link): void {
    this.#links.add(link);
    this.connects.set(link.agent, (this.connects.get(link.agent) ?? 0) + 1);
    this.#seen(link.agent);
    this.#log.admin(actor(link.name, link.agent), 'agent.connect', `from ${link.address}, version ${link.version}`);
    // What happened while it was being admitted.
    if (this.#known.get(link.agent)?.revoked !== undefined) link.tunnel.close('this agent was revoked');
    if (this.#goaway) void link.tunnel.drain(this.#goaway);
  }

  disconnected(link: Link, reason: string): void {
    if (!this.#links.delete(link)) return;
    this.#seen(link.agent);
    this.#log.admin(actor(link.name, link.agent), 'agent.disconnect', reason);
  }

  /** Cuts its tunnels at once and admits it no more. Undefined: there is no such agent. `storeRevocation` stores it. */
  revoke(id: string): AgentRecord | undefined {
    const agent = this.#known.get(id);
    if (!agent) return undefined;
    const revoked = { ...agent, revoked: agent.revoked ?? Date.now() };
    this.#known.set(id, revoked);
    for (const { tunnel } of this.links(id)) tunnel.close('this agent was revoked');
    return revoked;
  }

  /** Rejects when the store cannot keep it. */
  storeRevocation({ id, revoked = Date.now() }: Pick<AgentRecord, 'id' | 'revoked'>): Promise<void> {
    return this.#store.revoke(id, revoked);
  }

  /**
   * Asks a live agent of this name to dial, the least busy one first. One that is about to go, or is lost before it
   * answers, is passed over; a refusal is an answer.
   *
   * @throws Error that says which hop failed, in words for the client
   */
  async dial(
    name: string,
    request: object,
    signal: AbortSignal,
    asker: string,
  ): Promise<{ stream: TunnelStream; answer: Buffer }> {
    const tried = new Set<Link>();
    for (;;) {
      const link = this.#next(name, tried);
      if (!link) throw new Error(this.#absent(name, tried.size));
      tried.add(link);
      try {
        return await link.tunnel.open(json(request), signal);
      } catch (error) {
        if (!(error instanceof TunnelError)) throw error;
        if (['draining', 'limit', 'closed', 'silent'].includes(error.code)) continue;
        if (error.code === 'refused')
          this.#log.admin(
            actor(link.name, link.agent),
            'agent.dial-refused',
            `${error.detail ?? ''}: ${error.message}, for session ${asker}`,
          );
        throw new Error(`agent "${name}": ${error.message}`, { cause: error });
      }
    }
  }

  /** Tells every agent that the gateway goes; their streams may go on for `deadline` milliseconds. */
  async drain(deadline: number, retry: number, reason: string): Promise<void> {
    const goaway = { deadline, retry, reason };
    this.#goaway = goaway;
    await Promise.all([...this.#links].map(({ tunnel }) => tunnel.drain(goaway)));
  }

  #next(name: string, tried: ReadonlySet<Link>): Link | undefined {
    const free = [...this.#links].filter((link) => link.name === name && !tried.has(link) && !link.tunnel.draining);
    return free.sort((a, b) => a.tunnel.streams - b.tunnel.streams)[0];
  }

  #absent(name: string, tried: number): string {
    if (tried > 0) return `agent "${name}" was lost, or takes no more connections`;
    const known = this.all().some((agent) => agent.name === name && agent.revoked === undefined);
    return known ? `agent "${name}" is not connected to the gateway` : `no agent "${name}" has enrolled at the gateway`;
  }

  #refused(id: string, address: string, message: string): Admitted {
    this.#log.agentRefused(id, address, message);
    return { admitted: false, message };
  }

  #seen(id: string): void {
    const agent = this.#known.get(id);
    if (!agent) return;
    const now = Date.now();
    this.#known.set(id, { ...agent, lastSeen: now });
    // A date for the list: nothing fails because it could not be kept.
    this.#store.seen(id, now).catch(() => undefined);
  }
}

const actor = (name: string, id: string): string => `agent ${name} (${id})`;
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64');
