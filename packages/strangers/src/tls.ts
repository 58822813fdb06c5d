import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Secured } from '@sluice/contract';
import { endpointHash } from '@sluice/tunnel';
import { WireError } from '@sluice/wire';

/**
 * TLS as the server, on a stream that may already hold the client's first bytes. Rejects with `WIRE_ENDED` when the client
 * does not come through the handshake, which is no defect of ours: `broke` is told why.
 */
export async function secureClient(
  stream: Duplex,
  context: SecureContext,
  certificate: string,
  alpn: string[],
  broke: (reason: string) => void,
): Promise<Secured> {
  if (stream.destroyed) throw new WireError('WIRE_ENDED', 'the client is gone');
  const socket = new TLSSocket(stream, { isServer: true, secureContext: context, ALPNProtocols: alpn });
  try {
    await Promise.race([once(socket, 'secure'), closed(socket)]);
  } catch (error) {
    const reason = `the TLS handshake failed: ${inWords(error as NodeJS.ErrnoException)}`;
    broke(reason);
    throw new WireError('WIRE_ENDED', reason);
  }
  // A bare TLSSocket tells of errors after the handshake by this event alone, and would stay open.
  socket.on('_tlsError', (error: NodeJS.ErrnoException) => socket.destroy(new Error(inWords(error))));
  const endpoint = endpointHash(new X509Certificate(certificate));
  return { stream: socket, ...(endpoint && { endpoint }), ...(socket.alpnProtocol && { alpn: socket.alpnProtocol }) };
}

/** Rejects when the stream ends before it is secure. An 'error' rejects `once` by itself. */
async function closed(socket: TLSSocket): Promise<never> {
  await once(socket, 'close');
  throw new Error('the client closed the connection');
}

/** OpenSSL's own texts begin with addresses and file names of its source. */
export const inWords = ({ code, message }: NodeJS.ErrnoException): string =>
  code?.startsWith('ERR_SSL_') === true ? code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ') : message;
