import type { Duplex } from 'node:stream';
import type { Secured, Target } from '@sluice/contract';
import { type Reach, type Side, openSide } from '@sluice/postgres';
import { connectLender } from '@sluice/wire';
import type { Connection } from './services.js';
import { secureUpstream } from './tls.js';

/** How long a target may take to accept a connection, and to log the gateway in, in milliseconds. */
const DIAL = 10_000;

/** A socket to the target of a connection. Rejects when it cannot be reached in time, or on the signal. */
export async function dial({ target: { host, port } }: Connection, signal?: AbortSignal): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const socket = connectLender({ host, port, noDelay: true });
  const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), DIAL);
  const onAbort = (): void => void socket.destroy();
  signal?.addEventListener('abort', onAbort);
  // Also once somebody has the socket: an error that nobody listens for would end the process.
  socket.on('error', reject);
  socket.once('close', () => reject(new Error('closed')));
  socket.once('connect', () => resolve(socket));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** TLS on a socket to the target, verified as the connection demands. */
export function secureTarget(stream: Duplex, { target: { host, tls, ca } }: Connection): Promise<Secured> {
  if (tls === 'disable') throw new Error('this connection does not use TLS');
  return secureUpstream(stream, { host, mode: tls, ...(ca !== undefined && { ca }) });
}

/** How to log in at the target of a connection. */
export function loginOf({ target: { host, database, tls }, credential: { user, password } }: Connection): Target {
  return {
    host,
    tls,
    user,
    ...(password !== undefined && { password: password.reveal() }),
    ...(database !== undefined && { database }),
  };
}

/** A connection of the gateway's own to the target of a connection. */
export function openTargetSide(connection: Connection): Promise<Side> {
  const reach: Reach = {
    dial: () => dial(connection),
    secure: (stream) => secureTarget(stream, connection),
    limits: { message: 0, recorded: 0, upstreamLogin: DIAL },
  };
  return openSide(reach, loginOf(connection));
}
