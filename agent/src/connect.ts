/**
 * The agent's login at the gateway. Owns: the check of the gateway's certificate, the proof with the agent's key, and what a no
 * means. Does not: try again, carry streams.
 */
import { type KeyObject, X509Certificate, createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { isLoopback } from '@sluice/addresses';
import {
  AgentChallenge,
  LOGIN_MS,
  PATH,
  SUBPROTOCOL,
  type Transport,
  AgentVerdict,
  WEBSOCKET_LIMITS,
  prove,
  publicKeyOf,
  readLogin,
  webSocketTransport,
  withoutMask,
} from '@sluice/tunnel';
import { WebSocket } from 'ws';

export interface GatewayAddress {
  /** `wss://host:port`; `ws:` only to loopback. */
  readonly url: URL;
  /** PEM of an authority, or of the gateway's own certificate, in place of the public roots. */
  readonly ca?: string | undefined;
}

export interface Identity {
  readonly key: KeyObject;
  readonly token?: string | undefined;
  readonly version: string;
  readonly allow: readonly string[];
}

/** The gateway said no. `final`: it will say so again, whatever one waits for. */
export class RefusedByGateway extends Error {
  readonly final: boolean;

  constructor(message: string, final: boolean) {
    super(message);
    this.final = final;
  }
}

/** @throws Error with a sentence when nobody should send a token there */
export function checkUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['ws:', 'wss:'].includes(url.protocol))
    throw new Error(`"${text}" is no address: write wss://host:port.`);
  if (url.protocol === 'ws:' && !isLoopback(url.hostname))
    throw new Error('An agent reaches its gateway by TLS: write wss://. Plain ws:// is for loopback only.');
  return new URL(PATH, url);
}

/**
 * Dials the gateway, verifies its certificate, and proves who this is.
 *
 * @returns what the tunnel goes over, to be attached to in the same turn, and what the gateway calls us
 * @throws Refused, or an Error when the gateway cannot be reached
 */
export async function login(
  { url, ca }: GatewayAddress,
  identity: Identity,
): Promise<{ transport: Transport; name: string; enrolled: boolean }> {
  const socket = new WebSocket(url, SUBPROTOCOL, {
    ...WEBSOCKET_LIMITS,
    handshakeTimeout: LOGIN_MS,
    generateMask: withoutMask,
    followRedirects: false,
    ...(ca !== undefined && { ca }),
  });
  const mailbox = new Mailbox(socket);
  let certificate = '';
  socket.on('upgrade', (response) => {
    const peer = (response.socket as TLSSocket).getPeerX509Certificate?.();
    if (peer) certificate = fingerprint(peer);
  });
  const late = setTimeout(() => socket.terminate(), LOGIN_MS);
  try {
    const challenge = readLogin(AgentChallenge, await mailbox.text());
    if (!challenge) throw new Error('the other end is no gateway of this kind');
    const { key, token, version, allow } = identity;
    const { nonce } = challenge;
    const signature = prove(key, nonce, url.hostname, certificate);
    const proof = {
      type: 'proof',
      key: publicKeyOf(key),
      host: url.hostname,
      signature,
      version,
      allow: allow.slice(0, 200),
    };
    socket.send(JSON.stringify({ ...proof, ...(token !== undefined && { token }) }));
    const verdict = readLogin(AgentVerdict, await mailbox.text());
    if (!verdict) throw new Error('the gateway did not answer in time, or in words that this version does not know');
    if (verdict.type === 'refused') throw new RefusedByGateway(verdict.message, verdict.final);
    return { transport: webSocketTransport(socket, mailbox.rest()), name: verdict.name, enrolled: verdict.enrolled };
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    clearTimeout(late);
  }
}

const fingerprint = (certificate: X509Certificate): string =>
  createHash('sha256').update(certificate.raw).digest('hex');

/** The messages of a WebSocket in order. Several may come in one turn: none is lost while nobody waits. */
class Mailbox {
  readonly #socket: WebSocket;
  readonly #messages: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  #wake: (() => void) | undefined;
  #over: Error | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', this.#onMessage);
    socket.on('error', (error) => this.#end(error));
    socket.on('close', (code, reason) =>
      this.#end(new Error(`the gateway ended the login: ${String(reason) || `code ${code}`}`)),
    );
  }

  /** The next text. Rejects when the link ends first. */
  async text(): Promise<string> {
    while (this.#messages.length === 0) {
      if (this.#over) throw this.#over;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#messages.shift()?.data.toString() ?? '';
  }

  /** Lets go of the socket. Returns what was not read: the start of the tunnel. */
  rest(): Buffer[] {
    this.#socket.off('message', this.#onMessage);
    return this.#messages.filter(({ isBinary }) => isBinary).map(({ data }) => data);
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => {
    this.#messages.push({ data: data as Buffer, isBinary });
    this.#wake?.();
  };

  #end(error: Error): void {
    this.#over ??= error;
    this.#wake?.();
  }
}
