/**
 * The port that agents dial in at. Owns: their login, and what it costs before it has succeeded. Does not: streams
 * (packages/tunnel).
 */
import { X509Certificate, createHash, randomBytes } from 'node:crypto';
import { type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, type Socket, isIP } from 'node:net';
import { isLoopback } from '@sluice/addresses';
import {
  LOGIN_MS,
  PATH,
  AgentProof,
  SUBPROTOCOL,
  Tunnel,
  type AgentVerdict,
  WEBSOCKET_LIMITS,
  proven,
  readLogin,
  webSocketTransport,
} from '@sluice/tunnel';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Agents, Link } from './agents.js';

import type { Log } from '@sluice/audit';
import {
  type HandshakeTurns,
  type Stranger,
  type StrangerSockets,
  inWords,
  listening,
  takeTurns,
} from '@sluice/strangers';

/** How often requests that are late are looked for, in milliseconds. */
const CHECK_MS = 1_000;
/** Closing code of RFC 6455 section 7.4.1: the login was refused by rule. */
const CLOSE_POLICY_VIOLATION = 1008;

export interface AgentListener {
  readonly address: string;
  /** No new agents. */
  close(): void;
}

/** PEM; undefined: no TLS, which the configuration allows on loopback only. */
export type ListenerCertificate = { readonly certificate: string; readonly key: string } | undefined;

/** What the listener needs of the gateway. */
export interface AgentPort {
  readonly agents: Agents;
  readonly log: Log;
  readonly strangers: StrangerSockets;
  readonly handshakes: HandshakeTurns;
}

/** The port that agents dial in at. There is nothing else on it. */
export async function listenForAgents(
  { agents, log, strangers, handshakes }: AgentPort,
  certificate: ListenerCertificate,
  address: string,
  port: number,
): Promise<AgentListener> {
  const seen = seenBy(certificate);
  const nothing = (_: unknown, response: ServerResponse): void =>
    void response.writeHead(404, { connection: 'close' }).end();
  // Whatever comes is a request for an upgrade, which has no body, and is there in time.
  const times = { headersTimeout: LOGIN_MS, requestTimeout: LOGIN_MS, connectionsCheckingInterval: CHECK_MS };
  const server: Server = certificate
    ? createTlsServer(
        {
          cert: certificate.certificate,
          key: certificate.key,
          minVersion: 'TLSv1.3',
          handshakeTimeout: LOGIN_MS,
          ...times,
        },
        nothing,
      )
    : createServer(times, nothing);
  if (certificate) takeTurns(server, handshakes);
  const waiting = new Map<string, Stranger>();
  // The TCP socket, also where TLS comes first: what is on it then has the same addresses.
  server.on('connection', (socket: Socket) => {
    const client = endOf(socket);
    waiting.set(
      client,
      strangers.add(socket, () => socket.destroy()),
    );
    socket.once('close', () => waiting.delete(client));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    log.connectionBroke('', endOf(socket), `the TLS handshake failed: ${inWords(error)}`);
    socket.destroy();
  });
  const sockets = new WebSocketServer({
    ...WEBSOCKET_LIMITS,
    noServer: true,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => undefined);
    if (request.url !== PATH || request.headers['sec-websocket-protocol'] !== SUBPROTOCOL) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n', () => socket.destroy());
      return;
    }
    const client = endOf(request.socket);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => undefined);
      request.socket.setNoDelay(true);
      void login(webSocket, agents, seen, client, () => waiting.get(client)?.loggedIn());
    });
  });
  await listening(server, 'listeners.agents', address, port);
  const bound = server.address() as AddressInfo;
  return {
    address: `${certificate ? 'wss' : 'ws'}://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () => void server.close(),
  };
}

const endOf = ({ remoteAddress = '', remotePort = 0 }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${remoteAddress}:${remotePort}`;

/** What an agent saw of this gateway, for its proof to be checked against. */
interface Seen {
  /** SHA-256 of the certificate in hex; empty without TLS. */
  readonly hash: string;
  /** Whether the gateway goes by this name or address. */
  names(host: string): boolean;
}

function seenBy(certificate: ListenerCertificate): Seen {
  if (!certificate) return { hash: '', names: isLoopback };
  const x509 = new X509Certificate(certificate.certificate);
  return {
    hash: createHash('sha256').update(x509.raw).digest('hex'),
    names: (host) => {
      const bare = host.replace(/^\[|\]$/g, '');
      return (isIP(bare) ? x509.checkIP(bare) : x509.checkHost(bare)) !== undefined;
    },
  };
}

/** Challenge, proof, verdict; then nothing but the tunnel is on this WebSocket. */
async function login(
  socket: WebSocket,
  agents: Agents,
  certificate: Seen,
  address: string,
  loggedIn: () => void,
): Promise<void> {
  const nonce = randomBytes(32).toString('base64');
  const text = await exchange(socket, JSON.stringify({ type: 'challenge', nonce }));
  const proof = text === undefined ? undefined : readLogin(AgentProof, text);
  const say = (verdict: AgentVerdict): void => socket.send(JSON.stringify(verdict));
  const refuse = (message: string, final: boolean): void => {
    if (socket.readyState === socket.OPEN) say({ type: 'refused', message, final });
    socket.close(CLOSE_POLICY_VIOLATION, 'refused');
    setTimeout(() => socket.terminate(), 1000).unref();
  };
  if (!proof) return refuse('this is no proof that this gateway understands', false);
  try {
    if (!proven(proof, nonce, certificate.hash) || !certificate.names(proof.host))
      return refuse('the signature does not fit: is something between agent and gateway?', false);
    const admitted = await agents.admit(proof.key, proof.token, address);
    if (!admitted.admitted) return refuse(admitted.message, true);
    if (socket.readyState !== socket.OPEN) return;
    loggedIn();
    const { id, name, enrolled } = admitted;
    say({ type: 'welcome', agent: id, name, enrolled });
    const tunnel = new Tunnel({
      transport: webSocketTransport(socket),
      peer: `agent "${name}"`,
      onClose: (error) => agents.disconnected(link, error.message),
    });
    const { version, allow } = proof;
    const link: Link = { agent: id, name, tunnel, address, version, allow, since: Date.now() };
    agents.connected(link);
  } catch {
    refuse('the gateway cannot look this agent up at the moment', false);
  }
}

/** The answer to a text; undefined when none comes in time. The socket is not read beyond it. */
function exchange(socket: WebSocket, text: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const late = setTimeout(() => resolve(undefined), LOGIN_MS);
  socket.once('message', (data, isBinary) => resolve(isBinary ? undefined : (data as Buffer).toString()));
  socket.once('close', () => resolve(undefined));
  socket.send(text);
  return promise.finally(() => clearTimeout(late));
}
