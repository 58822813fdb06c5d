/**
 * What the control API does for and against callers who have shown no token. Lives here: how many sockets they may have, which
 * names the gateway answers to, what every answer says to browsers. Does not: who a caller is (`server.ts`).
 */
import type { ServerResponse } from 'node:http';
import { type Socket, isIP } from 'node:net';
import type { Stranger } from '@sluice/strangers';
import type { Controlled } from './controlled.js';
import { type App, ControlError } from './routes.js';

export interface Sockets {
  /**
   * A request on this socket has shown a good token of this principal.
   *
   * @throws ControlError when there are as many sockets as there may be, of this principal or in all
   */
  loggedIn(socket: Socket, principal: string): void;
}

/** One principal has an eighth of the sockets at most, so that nobody keeps those out who could revoke their token. */
const SHARES = 8;

/** Counts sockets: those that have shown no token with all other strangers, those that have on their own. */
export function watchSockets(app: App, { places: { strangers, limits } }: Controlled): Sockets {
  const waiting = new Map<string, Stranger>();
  const callers = new Map<string, number>();
  const mostOfOne = Math.max(1, Math.floor(limits.control / SHARES));
  let inAll = 0;
  // What is sent before the answer in front of it has been taken (RFC 9112 section 9.3.2) is not begun: answers would pile up that nobody reads.
  app.addHook('onRequest', async (_request, reply) => {
    const { raw } = reply;
    if (!raw.socket) await itsTurn(raw);
    return raw.destroyed ? reply.hijack() : undefined;
  });
  // The TCP socket, also where TLS comes first: what is on it then has the same addresses.
  app.server.on('connection', (socket: Socket) => {
    const client = endOf(socket);
    waiting.set(
      client,
      strangers.add(socket, () => socket.destroy()),
    );
    socket.once('close', () => waiting.delete(client));
  });
  return {
    loggedIn: (socket, principal) => {
      const client = endOf(socket);
      const stranger = waiting.get(client);
      if (!stranger) return;
      const own = callers.get(principal) ?? 0;
      if (own >= mostOfOne || inAll >= limits.control) {
        const whose = own >= mostOfOne ? `"${principal}" has ${own} connections` : `There are ${inAll} connections`;
        throw new ControlError(503, `${whose} open to the control API, which is the most there may be.`);
      }
      waiting.delete(client);
      stranger.loggedIn();
      inAll++;
      callers.set(principal, own + 1);
      socket.once('close', () => {
        inAll--;
        const left = (callers.get(principal) ?? 1) - 1;
        if (left > 0) callers.set(principal, left);
        else callers.delete(principal);
      });
    },
  };
}

/** Resolves when an answer is the next one on its connection, or nobody waits for it any more. */
const itsTurn = (answer: ServerResponse): Promise<unknown> =>
  new Promise((resolve) => answer.once('socket', resolve).once('close', resolve));

const endOf = ({ remoteAddress = '', remotePort = 0 }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${remoteAddress}:${remotePort}`;

/** Of every answer: nothing is taken for another type than it says, and no address is told to other pages. */
export const HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' } as const;

/** Before any route: a name that is not ours may be that of a page which had it point at us (DNS rebinding). */
export function addHeaders(app: App, gateway: Controlled): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    const host = hostOf(request.headers.host);
    if (isOwnName(host, gateway.config.control)) return;
    throw new ControlError(
      421,
      'This gateway does not go by the name that was asked for.',
      'Use its address, or have the name added to control.names.',
    );
  });
}

/** Without the port, IPv6 without brackets; empty where there is none. */
const hostOf = (host = ''): string =>
  host.toLowerCase().replace(/:\d+$/, '').replaceAll(/[[\]]/g, '').replace(/\.$/, '');

const isOwnName = (host: string, { address, names }: { address: string; names: readonly string[] }): boolean =>
  host === '' || isIP(host) !== 0 || host === 'localhost' || host === address.toLowerCase() || names.includes(host);
