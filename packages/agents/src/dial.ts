/**
 * A target reached through its agent. Owns: the request to dial and to start TLS there. Does not: choose the agent (agents.ts).
 */
import type { Duplex } from 'node:stream';
import type { Secured } from '@sluice/contract';
import { type DialRequest, type TunnelStream, json, readDialAnswer, readTlsAnswer } from '@sluice/tunnel';
import type { ConnectionConfig as Connection } from '@sluice/config';
import type { Agents } from './agents.js';

/** A stream to the target of a connection through its agent, and the password if the agent is who has it. */
export interface Dialled {
  readonly stream: TunnelStream;
  readonly secret: string | undefined;
}

/** Has the agent dial. It does so where it is: the name means what it means there. `owner`: for whom, by a name that stays the same. */
export async function dialVia(
  agents: Agents,
  { via = '', target, credential, http }: Connection,
  session: string,
  owner: string,
  signal: AbortSignal,
): Promise<Dialled> {
  const { host, port } = target;
  const { secret } = credential;
  const { socket: path, program } = http ?? {};
  let wanted: DialRequest = { host, port, ...(secret !== undefined && { secret }) };
  if (path !== undefined) wanted = { socket: path, name: host };
  if (program !== undefined) wanted = { program, owner };
  const { stream, answer } = await agents.dial(via, wanted, signal, session);
  try {
    return { stream, secret: readDialAnswer(answer).secret };
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

/**
 * Has the agent start TLS with the target, which it verifies where it is. The stream stays the same one: from the answer on,
 * what it carries is what is inside TLS.
 *
 * @throws Error when TLS is not up, or when bytes came that were not inside it
 */
export async function secureVia(stream: Duplex, { target }: Connection, alpn: readonly string[]): Promise<Secured> {
  const tunnelled = stream as TunnelStream;
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const before = tunnelled.bytesReceived;
  tunnelled.onControl = (payload) => {
    tunnelled.onControl = undefined;
    if (tunnelled.bytesReceived === before) resolve(payload);
    else reject(new Error('the target sent bytes between its TLS answer and the handshake'));
  };
  const gone = (): void =>
    reject(tunnelled.errored ?? new Error('the target closed the connection during the TLS handshake'));
  tunnelled.once('close', gone);
  const { tls, ca } = target;
  tunnelled.sendControl(json({ tls, alpn, ...(ca !== undefined && { ca }) }));
  try {
    const { endpoint } = readTlsAnswer(await promise);
    return { stream, ...(endpoint !== undefined && { endpoint: Buffer.from(endpoint, 'base64') }) };
  } finally {
    tunnelled.off('close', gone);
  }
}
