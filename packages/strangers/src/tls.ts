/**
 * TLS with clients, as the server. Owns: the handshake, and client certificates. Does not: whose turn it is (handshakes.ts).
 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Secured } from '@sluice/contract';
import { endpointHash } from '@sluice/tunnel';
import { WireError } from '@sluice/wire';

/** What a listener shows its clients, and asks of them. */
export interface ClientTls {
  readonly context: SecureContext;
  /** PEM of the certificate that clients see. */
  readonly certificate: string;
  /** Clients may show a certificate: `context` has the authorities that are trusted for that. */
  readonly asksForCertificate?: boolean;
}

/**
 * TLS as the server, on a stream that may already hold the client's first bytes. Rejects with `WIRE_ENDED` when the client
 * does not come through the handshake, which is no defect of ours: `broke` is told why.
 */
export async function secureClient(
  stream: Duplex,
  { context, certificate, asksForCertificate = false }: ClientTls,
  alpn: string[],
  broke: (reason: string) => void,
): Promise<Secured> {
  if (stream.destroyed) throw new WireError('WIRE_ENDED', 'the client is gone');
  const socket = new TLSSocket(stream, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: alpn,
    requestCert: asksForCertificate,
    rejectUnauthorized: false,
  });
  try {
    await Promise.race([once(socket, 'secure'), closed(socket)]);
  } catch (error) {
    const reason = `the TLS handshake failed: ${inWords(error as NodeJS.ErrnoException)}`;
    broke(reason);
    throw new WireError('WIRE_ENDED', reason);
  }
  // tls.Server sets this by itself, and node:http2 waits for it.
  (socket as unknown as { secureConnecting: boolean }).secureConnecting = false;
  // A bare TLSSocket tells of errors after the handshake by this event alone, and would stay open.
  socket.on('_tlsError', (error: NodeJS.ErrnoException) => socket.destroy(new Error(inWords(error))));
  const endpoint = endpointHash(new X509Certificate(certificate));
  const shown = asksForCertificate ? certificateOf(socket, broke) : undefined;
  const { servername } = socket as TLSSocket & { readonly servername?: string | false };
  return {
    stream: socket,
    ...(endpoint && { endpoint }),
    ...(socket.alpnProtocol && { alpn: socket.alpnProtocol }),
    ...(typeof servername === 'string' && servername !== '' && { servername: servername.toLowerCase() }),
    ...(shown && { certificate: shown }),
  };
}

/**
 * The client's certificate; undefined without one. One that no authority vouches for ends the connection: its owner should hear of
 * it, rather than come in as somebody else.
 */
function certificateOf(socket: TLSSocket, broke: (reason: string) => void): Buffer | undefined {
  const shown = socket.getPeerX509Certificate();
  if (!shown) return undefined;
  const fault = verifyError(socket);
  if (fault === null) return shown.raw;
  const reason = `the client's certificate is not trusted: ${fault}`;
  broke(reason);
  socket.destroy();
  throw new WireError('WIRE_ENDED', reason);
}

/** What OpenSSL said of the peer's certificate; null: nothing. tls.Server alone asks for it by itself. */
function verifyError(socket: TLSSocket): string | null {
  const { _handle: handle } = socket as TLSSocket & { _handle?: { verifyError?(): Error | null } };
  if (!handle?.verifyError) return 'it cannot be verified';
  return handle.verifyError()?.message ?? null;
}

/** Rejects when the stream ends before it is secure. An 'error' rejects `once` by itself. */
async function closed(socket: TLSSocket): Promise<never> {
  await once(socket, 'close');
  throw new Error('the client closed the connection');
}

/** OpenSSL's own texts begin with addresses and file names of its source. */
export const inWords = ({ code, message }: NodeJS.ErrnoException): string =>
  code?.startsWith('ERR_SSL_') === true ? code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ') : message;
