/** TLS as the client of a target. Owns: what is verified, and the hash for channel binding. */
import { type X509Certificate, createHash } from 'node:crypto';
import { once } from 'node:events';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TLSSocket, connect } from 'node:tls';
import type { Secured, TlsMode } from '@sluice/contract';

export interface UpstreamTls {
  readonly host: string;
  readonly mode: Exclude<TlsMode, 'disable'>;
  /** PEM; without it the public roots are trusted. */
  readonly ca?: string;
  readonly alpn: readonly string[];
  /** What is shown to a target that asks for a certificate, PEM. */
  readonly own?: { readonly cert: string; readonly key: string };
}

/** TLS as the client of a target. Resolves only when the certificate is what the connection's mode demands. */
export async function secureUpstream(stream: Duplex, options: UpstreamTls): Promise<Secured> {
  const { host, mode, ca, alpn, own } = options;
  const socket = connect({
    socket: stream,
    rejectUnauthorized: mode !== 'require',
    ...(ca !== undefined && { ca }),
    ...own,
    ...(isIP(host) ? { host } : { servername: host }),
    ...(mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    ALPNProtocols: [...alpn],
  });
  await Promise.race([once(socket, 'secureConnect'), closed(socket)]);
  const peer = socket.getPeerX509Certificate();
  const endpoint = peer && endpointHash(peer);
  const { alpnProtocol } = socket;
  return { stream: socket, ...(endpoint && { endpoint }), ...(alpnProtocol && { alpn: alpnProtocol }) };
}

/** Rejects when the stream ends before it is secure. An 'error' rejects `once` by itself. */
async function closed(socket: TLSSocket): Promise<never> {
  await once(socket, 'close');
  throw new Error('the peer closed the connection during the TLS handshake');
}

/**
 * `tls-server-end-point` (RFC 5929 section 4.1): the certificate hashed with the hash of its own signature, SHA-256 in
 * place of MD5 and SHA-1. Undefined where the signature has no single hash (Ed25519): then there is no channel binding.
 */
export function endpointHash(certificate: X509Certificate): Buffer | undefined {
  const algorithm = /(md5|sha-?\d+)/i
    .exec(certificate.signatureAlgorithm ?? '')?.[1]
    ?.toLowerCase()
    .replace('-', '');
  if (!algorithm) return undefined;
  const hash = algorithm === 'md5' || algorithm === 'sha1' ? 'sha256' : algorithm;
  return createHash(hash).update(certificate.raw).digest();
}
