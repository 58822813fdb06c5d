import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Secured } from '@sluice/contract';
import { endpointHash } from '@sluice/tunnel';

/** TLS as the server, on a stream that may already hold the client's first bytes. */
export async function secureClient(
  stream: Duplex,
  context: SecureContext,
  certificate: string,
  alpn: string[],
): Promise<Secured> {
  const socket = new TLSSocket(stream, { isServer: true, secureContext: context, ALPNProtocols: alpn });
  await Promise.race([once(socket, 'secure'), closed(socket)]);
  const endpoint = endpointHash(new X509Certificate(certificate));
  return { stream: socket, ...(endpoint && { endpoint }), ...(socket.alpnProtocol && { alpn: socket.alpnProtocol }) };
}

/** Rejects when the stream ends before it is secure. An 'error' rejects `once` by itself. */
async function closed(socket: TLSSocket): Promise<never> {
  await once(socket, 'close');
  throw new Error('the peer closed the connection during the TLS handshake');
}
