/** Keys that the gateway proves itself with. Owns: the forms that are read. Does not: keep them (gateway). */
import { type KeyObject, createPrivateKey, sign } from 'node:crypto';
import type { SshKey } from '@sluice/contract';
import { KeyError, blobOf, mpint, pack, parsePublicKey } from '@sluice/keys';
import parser from 'ssh2/lib/protocol/keyParser.js';

/** A key that the gateway proves itself with. */
export interface HostKey {
  readonly type: string;
  /** Wire format. */
  readonly blob: Buffer;
  getPublicSSH(): Buffer;
  /** The bare signature. */
  sign(data: Buffer): Buffer;
}

/** A host key of the gateway's own, from Ed25519 in PEM (PKCS #8). */
export function hostKeyFrom(pem: string): HostKey {
  const key = createPrivateKey(pem);
  const blob = blobOf(key);
  return { type: 'ssh-ed25519', blob, getPublicSSH: () => blob, sign: (data) => sign(null, data, key) };
}

/**
 * A private key for a target, as `ssh-keygen` and OpenSSL write it, or a key object.
 *
 * @param certificate for the key, in wire format
 * @throws KeyError with a sentence; what is in the text is never part of it
 */
export function targetKey(from: string | KeyObject, certificate?: Uint8Array): SshKey {
  const { key, type, blob } =
    typeof from === 'string' ? read(from) : { key: from, type: 'ssh-ed25519', blob: blobOf(from) };
  const algorithms = type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type];
  return {
    blob: certificate ?? blob,
    algorithms: certificate ? algorithms.map((one) => `${one}-cert-v01@openssh.com`) : algorithms,
    sign: (data, algorithm) => pack(algorithm, signature(key, type, data, algorithm)),
  };
}

function read(text: string): { key: KeyObject; type: string; blob: Buffer } {
  if (text.includes('BEGIN PRIVATE KEY')) {
    const key = createPrivateKey(text);
    const blob = blobOf(key);
    return { key, type: parsePublicKey(blob).type, blob };
  }
  const parsed = parser.parseKey(text);
  const first = Array.isArray(parsed) ? parsed[0] : parsed;
  if (!first || first instanceof Error) {
    const why = first instanceof Error && /passphrase|encrypted/i.test(first.message) ? ': it has a passphrase' : '';
    throw new KeyError(`the private key cannot be read${why}`);
  }
  const pem = first.getPrivatePEM();
  if (pem === null) throw new KeyError('this is a public key, and a private one is needed');
  const blob = first.getPublicSSH();
  return { key: createPrivateKey(pem), type: parsePublicKey(blob).type, blob };
}

function signature(key: KeyObject, type: string, data: Uint8Array, algorithm: string): Uint8Array {
  if (type === 'ssh-ed25519') return sign(null, data, key);
  if (type === 'ssh-rsa') return sign(algorithm === 'rsa-sha2-256' ? 'sha256' : 'sha512', data, key);
  const [hash, size] = type.endsWith('256') ? ['sha256', 32] : type.endsWith('384') ? ['sha384', 48] : ['sha512', 66];
  const pair = sign(hash as string, data, { key, dsaEncoding: 'ieee-p1363' });
  return pack(mpint(pair.subarray(0, size as number)), mpint(pair.subarray(size as number)));
}
