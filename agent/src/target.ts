/**
 * One stream of the tunnel and the target behind it. Owns: the allow-list check, the dial, and TLS with the target when the
 * gateway asks. Does not: read what it carries, or run programs (program-server.ts).
 */
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  type DialRequest,
  type StreamOpening,
  type TunnelStream,
  json,
  readDialRequest,
  readTlsRequest,
  secureUpstream,
} from '@sluice/tunnel';
import type { AllowList } from './allow.js';
import type { ProgramServer } from './program-server.js';
import type { Programs } from './programs.js';
import type { Secrets } from './secrets.js';

/** How long a target may take to accept a connection, in milliseconds. Less than the gateway waits, so that it hears why. */
const DIAL_TIMEOUT_MS = 9_000;

/** What the agent dials with, and whom it tells. */
export interface Dialer {
  readonly allow: AllowList;
  readonly secrets: Secrets;
  readonly programs: Programs;
  readonly programServer: ProgramServer;
  readonly dialled: (target: string, outcome: string) => void;
}

/** Answers one request of the gateway: checks it against the allow-list, dials, and joins the two streams. */
export async function serve(opening: StreamOpening, dialer: Dialer): Promise<void> {
  let target = 'a target';
  const refuse = (code: string, message: string): void => {
    dialer.dialled(target, `${code}: ${message}`);
    opening.refuse({ code, message });
  };
  const answer = (socket: Socket, name: string, address: string, value?: string): void => {
    const stream = opening.accept(json({ address, ...(value !== undefined && { secret: value }) }));
    if (!stream) return void socket.destroy();
    dialer.dialled(target, 'open');
    join(stream, socket, name);
  };
  try {
    const request = readDialRequest(opening.payload);
    if (request.program !== undefined) {
      const { program, owner } = request;
      target = `the program ${program}`;
      const line = dialer.programs.find(program);
      if (!line) return refuse('denied', `"${program}" is not on the list of programs of the agent`);
      const stream = opening.accept(json({ address: target }));
      if (stream) dialer.programServer.accept(stream, line, owner);
      return;
    }
    if (request.socket !== undefined) {
      const { socket: path, name } = request;
      target = path;
      if (!dialer.allow.hasSocket(path)) return refuse('denied', `${path} is not on the allow-list of the agent`);
      return answer(await connected(connect({ path, allowHalfOpen: true }), opening.abandoned), name, path);
    }
    const { host, port, secret } = request;
    target = `${host}:${port}`;
    const permission = await dialer.allow.check(host, port);
    if (!permission.allowed) return refuse(permission.code, permission.message);
    const value = secret === undefined ? undefined : dialer.secrets.find(secret, host, port);
    if (secret !== undefined && value === undefined)
      return refuse('secret', `the agent has no secret "${secret}" for ${target}`);
    const socket = await dial(request, permission.addresses, opening.abandoned);
    answer(socket, host, `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`, value);
  } catch (error) {
    refuse('unreachable', `the agent cannot reach ${target}: ${(error as Error).message}`);
  }
}

type Addresses = readonly { readonly address: string; readonly family: number }[];

/** Connects to one of the addresses that were checked, not to what the name resolves to by then. */
function dial(
  { host, port }: Extract<DialRequest, { host: string }>,
  addresses: Addresses,
  abandoned: AbortSignal,
): Promise<Socket> {
  const [first] = addresses as readonly [Addresses[number]];
  const socket = connect({
    host,
    port,
    noDelay: true,
    allowHalfOpen: true,
    lookup: (_host, options, callback) => {
      if (options.all) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    },
  });
  return connected(socket, abandoned);
}

async function connected(socket: Socket, abandoned: AbortSignal): Promise<Socket> {
  socket.on('error', () => undefined);
  const late = setTimeout(() => socket.destroy(new Error(`no answer in ${DIAL_TIMEOUT_MS / 1000} s`)), DIAL_TIMEOUT_MS);
  const stop = (): void => void socket.destroy(new Error('the gateway took the request back'));
  abandoned.addEventListener('abort', stop, { once: true });
  try {
    await once(socket, 'connect');
    return socket;
  } finally {
    clearTimeout(late);
    abandoned.removeEventListener('abort', stop);
  }
}

/** Carries bytes, half-closes and errors both ways, and starts TLS with the target when the gateway says so. */
function join(stream: TunnelStream, socket: Socket, host: string): void {
  const unjoin = carry(stream, socket);
  stream.onControl = (payload) => {
    stream.onControl = undefined;
    unjoin();
    // The gateway has read what the target said so far and waits. Whatever else came was not said inside TLS.
    if (stream.writableLength > 0 || socket.readableLength > 0) {
      stream.destroy(new Error('the target sent bytes between its TLS answer and the handshake'));
      socket.destroy();
      return;
    }
    void startTls(payload, socket, host).then(
      ({ secured, endpoint }) => {
        stream.sendControl(json({ ...(endpoint && { endpoint: Buffer.from(endpoint).toString('base64') }) }));
        carry(stream, secured);
      },
      (error: Error) => {
        stream.destroy(new Error(`TLS with the target failed: ${error.message}`));
        socket.destroy();
      },
    );
  };
}

async function startTls(payload: Buffer, socket: Socket, host: string) {
  const { tls, ca, alpn } = readTlsRequest(payload);
  const { stream, endpoint } = await secureUpstream(socket, { host, mode: tls, alpn, ...(ca !== undefined && { ca }) });
  return { secured: stream as Socket, endpoint };
}

/** Returns what takes the two apart again. */
function carry(stream: TunnelStream, socket: Socket): () => void {
  const lost = (error: Error): void => void stream.destroy(new Error(`the target is lost: ${error.message}`));
  const closed = (): void =>
    void (stream.writableEnded || stream.destroyed || stream.destroy(new Error('the target closed')));
  const over = (): void => {
    // What a peer resets arrives as a reset, as it would without a tunnel.
    if (stream.readableEnded && stream.writableFinished) socket.destroySoon();
    // Neither has a reset of its own; of a Unix socket Node would throw.
    else if (socket instanceof TLSSocket || socket.remoteAddress === undefined) socket.destroy();
    else socket.resetAndDestroy();
  };
  socket.on('error', lost);
  socket.on('close', closed);
  stream.on('close', over);
  stream.pipe(socket);
  socket.pipe(stream);
  return () => {
    stream.unpipe(socket);
    socket.unpipe(stream);
    socket.off('error', lost);
    socket.off('close', closed);
    stream.off('close', over);
    socket.pause();
  };
}
