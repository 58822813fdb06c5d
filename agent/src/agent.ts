/**
 * An agent: keeps one tunnel to its gateway. Owns: when to try again, and the draining at the end. Does not: log in
 * (connect.ts), dial targets (target.ts).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Goaway, Tunnel } from '@sluice/tunnel';
import type { AllowList } from './allow.js';
import { type GatewayAddress, RefusedByGateway, login } from './connect.js';
import type { Identity } from './connect.js';
import { ProgramServer } from './program-server.js';
import type { Programs } from './programs.js';
import type { Secrets } from './secrets.js';
import { serve } from './target.js';

/** Waits between attempts grow from the first to the last of these. Milliseconds. */
const FIRST_WAIT_MS = 100;
const LAST_WAIT_MS = 5_000;
/** How long running streams may go on when the agent is stopped, in milliseconds. */
const DRAIN_MS = 30_000;

export interface AgentOptions {
  readonly gateway: GatewayAddress;
  readonly identity: Omit<Identity, 'allow'>;
  readonly allow: AllowList;
  readonly secrets: Secrets;
  readonly programs: Programs;
  readonly log: (level: 'info' | 'warn', message: string) => void;
}

/** Keeps a tunnel to the gateway, whatever happens to either, until it is stopped. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #stop = new AbortController();
  readonly #tunnels = new Set<Tunnel>();
  readonly #programServer: ProgramServer;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#programServer = new ProgramServer((message) => options.log('info', message));
  }

  /** Resolves when it was stopped. @throws Refused when the gateway will never let this agent in */
  async run(): Promise<void> {
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      let wait: number;
      try {
        const { over, since } = await this.#connect();
        wait = await over;
        // A link that lasted starts anew; one that breaks at once is waited for longer each time.
        attempt = Date.now() - since > LAST_WAIT_MS ? 0 : attempt + 1;
      } catch (error) {
        if (error instanceof RefusedByGateway && error.final) throw error;
        wait = 0;
        attempt++;
        if (!this.#stop.signal.aborted) this.#options.log('warn', `no tunnel: ${(error as Error).message}`);
      }
      await sleep(Math.max(wait, backOff(attempt, Math.random())), undefined, { signal: this.#stop.signal }).catch(
        () => undefined,
      );
    }
  }

  /** No new streams; running ones may finish. Resolves when they have, or at the deadline. */
  async stop(deadline = DRAIN_MS): Promise<void> {
    this.#stop.abort();
    const goaway = { deadline, retry: 0, reason: 'the agent was stopped' };
    await Promise.all([...this.#tunnels].map((tunnel) => tunnel.drain(goaway)));
    await this.#programServer.stop();
  }

  /** `over` resolves, with the least time to wait in milliseconds, once another tunnel is needed. */
  async #connect(): Promise<{ over: Promise<number>; since: number }> {
    const { gateway, identity, allow, secrets, programs, log } = this.#options;
    const lines = [...allow.lines, ...programs.lines];
    const { transport, name, enrolled } = await login(gateway, { ...identity, allow: lines });
    const { promise: over, resolve } = Promise.withResolvers<number>();
    const tunnel = new Tunnel({
      transport,
      peer: 'the gateway',
      onOpen: (opening) =>
        void serve(opening, {
          allow,
          secrets,
          programs,
          programServer: this.#programServer,
          dialled: (target, outcome) => log('info', `${target}: ${outcome}`),
        }),
      onGoaway: ({ retry, reason }: Goaway) => {
        log('info', `the gateway is going away: ${reason}; another attempt in ${retry} ms`);
        resolve(retry);
        // Streams that run may finish on this tunnel; when the last one has, it closes.
        void tunnel.drain({ deadline: DRAIN_MS, retry: 0, reason: 'the gateway goes away' });
      },
      onClose: (error) => {
        this.#tunnels.delete(tunnel);
        log('warn', error.message);
        resolve(0);
      },
    });
    this.#tunnels.add(tunnel);
    log('info', `${enrolled ? 'enrolled' : 'connected'} as "${name}" at ${gateway.url.host}`);
    if (this.#stop.signal.aborted) void this.stop();
    return { over, since: Date.now() };
  }
}

/**
 * Milliseconds to wait before an attempt: doubles up to LAST, and a random half of it is taken off, so that agents which
 * lost the same gateway do not all come back at once.
 */
export const backOff = (attempt: number, random: number): number =>
  Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10)) * (1 - random / 2);
