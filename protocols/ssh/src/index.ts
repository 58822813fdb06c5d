/** SSH as a `Protocol`. Owns: the stages of a connection. Does not: any of them; the files beside it do. */
import { CONTRACT, type Ending, type Gate, type Protocol } from '@sluice/contract';
import type { Duplex } from 'node:stream';
import type { HostKey } from './private-keys.js';
import crypto from 'ssh2/lib/protocol/crypto.js';
import { type Clock, systemClock } from './clock.js';
import { ClientAuthentication, type LoggedIn } from './login.js';
import { Disconnect } from './messages.js';
import { Relay } from './relay.js';
import { Transport } from './transport.js';
import { openTarget } from './upstream.js';
import * as words from './words.js';

export { type HostKey, hostKeyFrom, targetKey } from './private-keys.js';

/** Whether ssh2's native ciphers were built: an optional step that makes bulk transfers about three times as fast. */
export const nativeCiphers: boolean = crypto.bindingAvailable;

export interface SshOptions {
  /** What the gateway proves itself with, by algorithm (`ssh-ed25519`). */
  readonly hostKeys: Record<string, HostKey>;
  /** Absent: the time of this machine. */
  readonly clock?: Clock;
}

/**
 * SSH (RFC 4251 to 4254) as a full endpoint on both sides. `transport.ts` is the encryption, `login.ts` and `upstream.ts` are
 * the two logins, `channel-mux.ts` and `channel.ts` the connection protocol with one peer, and `relay.ts` ties the two together.
 */
export function ssh({ hostKeys, clock = systemClock }: SshOptions): Protocol {
  return {
    name: 'ssh',
    contract: CONTRACT,
    async serve(client, gate) {
      await Transport.ready;
      await serve(client, gate, hostKeys, clock);
    },
  };
}

function serve(client: Duplex, gate: Gate, hostKeys: Record<string, HostKey>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let relay: Relay | undefined;
  const open = (who: LoggedIn): void => {
    relay = new Relay(gate, transport, who, {
      clock,
      openTarget: (...rest) => openTarget(clock, ...rest),
    });
  };
  const transport: Transport = new Transport({
    stream: client,
    clock,
    hostKeys,
    turn: () => gate.turn(client),
    mayRekey: () => relay !== undefined,
    onReady: () => undefined,
    onService: (name) => {
      if (name === 'ssh-userauth' && !relay) transport.acceptService(name);
      else transport.disconnect(Disconnect.protocolError, words.NO_SERVICE);
    },
    onMessage: (payload) => (relay ? relay.client.receive(payload) : login.receive(payload)),
    onBusy: () => relay?.clientBusy(true),
    onRoom: () => {
      relay?.client.flush();
      relay?.clientBusy(false);
    },
    onEnd: (error) => {
      if (error) gate.broke(error.message);
      login.stop();
      relay?.lost();
      resolve();
    },
  });
  const login = new ClientAuthentication(transport, gate, open);
  const kill = (): void => {
    const ending = gate.signal.reason as Ending;
    if (relay) relay.stop(ending);
    else transport.disconnect(Disconnect.byApplication, words.sessionEnds(ending));
  };
  const drain = (): void => {
    const ending = gate.draining.reason as Ending;
    if (relay) relay.drain(ending);
    else transport.disconnect(Disconnect.byApplication, words.sessionEnds(ending));
  };
  for (const [source, act] of [
    [gate.signal, kill],
    [gate.draining, drain],
  ] as const) {
    if (source.aborted) queueMicrotask(act);
    else source.addEventListener('abort', act, { once: true });
  }
  return promise;
}
