/**
 * HTTP as a full endpoint on both sides: HTTP/1.1 of our own (`h1/`), HTTP/2 on node:http2 (`h2/`), WebSocket (`websocket/`).
 * Owns: which of them a client's first bytes ask for. Each request is an exchange (`exchange.ts`), and says itself who sends it.
 */
import type { Duplex } from 'node:stream';
import { CONTRACT, type Gate, type Protocol, type Secured } from '@sluice/contract';
import { Inbox, WireError } from '@sluice/wire';
import type { RequestSource } from './exchange.js';
import { ClientConnection } from './h1/client.js';
import { serveHttp2 } from './h2/server.js';
import { replay } from './replay.js';
import type { Security } from './security.js';

export const http: Protocol = {
  name: 'http',
  contract: CONTRACT,
  async serve(client, gate) {
    if (!gate.entrance) throw new Error('HTTP needs a listener whose requests each say who they are from');
    const listener: RequestSource = { gate, entrance: gate.entrance, own: new Set() };
    // An error that nobody listens for would end the process.
    client.on('error', () => undefined);
    try {
      await serve(client, listener);
    } catch (error) {
      client.destroy();
      if (error instanceof WireError) return;
      // The client's own stream broke, which is no defect of ours.
      if (!(error instanceof Error) || error !== client.errored) throw error;
      gate.broke(error.message);
    }
  },
  replay,
};

/** The first byte of a TLS record with a handshake. */
const TLS_HANDSHAKE = 0x16;
/** How HTTP/2 begins without TLS (RFC 9113 section 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

async function serve(client: Duplex, listener: RequestSource): Promise<void> {
  const { gate } = listener;
  const first = await peek(client, 1, gate);
  if (first[0] !== TLS_HANDSHAKE) {
    if (gate.requireTls) return sayTlsIsRequired(client, gate);
    return speak(client, listener, { secure: false }, await hasPreface(client, gate));
  }
  if (!gate.tls) {
    gate.broke('the client came with TLS, for which this listener has no certificate');
    client.destroy();
    return;
  }
  const secured = await gate.secure(client, 'client', ['h2', 'http/1.1']);
  secured.stream.on('error', () => undefined);
  await speak(secured.stream, listener, securityOf(secured), secured.alpn === 'h2');
}

const securityOf = ({ certificate, servername }: Secured): Security => ({ secure: true, certificate, servername });

const speak = (stream: Duplex, listener: RequestSource, security: Security, http2: boolean): Promise<void> =>
  http2 ? serveHttp2(stream, listener, security) : new ClientConnection(stream, listener, security).run();

/** Bytes that are looked at and stay. Rejects with `WIRE_ENDED` when the client is gone, or the session ends. */
async function peek(client: Duplex, size: number, { signal }: Gate): Promise<Buffer> {
  const inbox = new Inbox(client);
  const stop = (): void => void client.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const bytes = await inbox.read(size);
    inbox.unread(bytes);
    return bytes;
  } finally {
    signal.removeEventListener('abort', stop);
    inbox.release();
  }
}

/** Whether it begins as HTTP/2 does: three bytes tell, since no method of HTTP/1.1 begins so. */
async function hasPreface(client: Duplex, gate: Gate): Promise<boolean> {
  const first = await peek(client, 1, gate);
  if (first[0] !== PREFACE[0]) return false;
  return (await peek(client, 3, gate)).equals(PREFACE.subarray(0, 3));
}

function sayTlsIsRequired(client: Duplex, gate: Gate): void {
  gate.broke('the client came without TLS, which is required');
  const body = `${JSON.stringify({ type: 'urn:sluice:problem:tls-required', title: 'Upgrade Required', status: 426, detail: TLS_REQUIRED })}\n`;
  client.end(
    `HTTP/1.1 426 Upgrade Required\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

const TLS_REQUIRED = 'The gateway takes connections over TLS only: use https://.';
