/** Public keys of SSH: read, written, and signatures checked by them. Owns: which kinds are accepted. Pure. */
import { type KeyObject, createPublicKey, hash, verify } from 'node:crypto';
import { SshFields, KeyError, mpint, pack, unsigned } from './fields.js';

/** A public key as SSH writes it (RFC 4253 section 6.6), of a kind that can be checked here. */
export interface PublicKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, `sk-ssh-ed25519@openssh.com` and the like; never a certificate. */
  readonly type: string;
  /** In wire format. Two keys are the same when these bytes are. */
  readonly blob: Buffer;
  /** Whether `signature` (wire format: algorithm and value) is this key's, over these bytes. Never throws. */
  verifies(data: Uint8Array, signature: Uint8Array): boolean;
}

const CURVES: Readonly<Record<string, { jwk: string; hash: string; size: number }>> = {
  nistp256: { jwk: 'P-256', hash: 'sha256', size: 32 },
  nistp384: { jwk: 'P-384', hash: 'sha384', size: 48 },
  nistp521: { jwk: 'P-521', hash: 'sha512', size: 66 },
};

/** RSA keys below this are refused, as OpenSSH may be told to and NIST SP 800-131A says. Bits. */
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 16_384;

/** Signature algorithms of RSA keys (RFC 8332); SHA-1 is none of them. */
const RSA_HASHES: Readonly<Record<string, string>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' };

/** @throws KeyError when it is no key, or one of a kind that is not accepted (DSA, short RSA) */
export function parsePublicKey(bytes: Uint8Array): PublicKey {
  const fields = new SshFields(bytes);
  const key = readKey(fields.text(), fields);
  if (fields.left > 0) throw new KeyError('bytes follow the key');
  return key;
}

/** Reads the fields of a key behind its type, which in a certificate have others around them. */
export function readKey(type: string, fields: SshFields): PublicKey {
  switch (type) {
    case 'ssh-ed25519': {
      const x = fields.string();
      return signer(type, pack(type, x), ed25519(x));
    }
    case 'ssh-rsa': {
      const e = fields.string();
      const n = fields.string();
      const modulus = unsigned(n);
      const bits = modulus.length * 8;
      if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS)
        throw new KeyError(`an RSA key of about ${bits} bits is not accepted`);
      const key = fromJwk({ kty: 'RSA', e: base64url(unsigned(e)), n: base64url(modulus) });
      return signer(type, pack(type, e, n), key);
    }
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521': {
      const curve = fields.string();
      const point = fields.string();
      return signer(type, pack(type, curve, point), onCurve(type.slice('ecdsa-sha2-'.length), curve, point));
    }
    case 'sk-ssh-ed25519@openssh.com': {
      const x = fields.string();
      const application = fields.string();
      return token(type, pack(type, x, application), ed25519(x), application);
    }
    case 'sk-ecdsa-sha2-nistp256@openssh.com': {
      const curve = fields.string();
      const point = fields.string();
      const application = fields.string();
      return token(type, pack(type, curve, point, application), onCurve('nistp256', curve, point), application);
    }
    default:
      throw new KeyError(`keys of type "${type.slice(0, 60)}" are not accepted`);
  }
}

/** A line of `authorized_keys` or of a `.pub` file: type, base64, comment. @throws KeyError */
export function parseKeyLine(line: string): PublicKey {
  const [type, base64] = line.trim().split(/\s+/);
  if (type === undefined || base64 === undefined) throw new KeyError('a public key is written "ssh-ed25519 AAAA..."');
  const key = parsePublicKey(Buffer.from(base64, 'base64'));
  if (key.type !== type) throw new KeyError(`the line says ${type} and the key is of type ${key.type}`);
  return key;
}

export const keyLine = ({ type, blob }: Pick<PublicKey, 'type' | 'blob'>): string =>
  `${type} ${blob.toString('base64')}`;

/** As `ssh-keygen -l` shows it. */
export const fingerprint = (blob: Uint8Array): string => `SHA256:${hash('sha256', blob, 'base64').replace(/=+$/, '')}`;

function signer(type: string, blob: Buffer, key: KeyObject): PublicKey {
  const verifies = (data: Uint8Array, signature: Uint8Array): boolean =>
    quietly(() => {
      const fields = new SshFields(signature);
      const algorithm = fields.text();
      const value = fields.string();
      if (fields.left > 0) return false;
      return checked(type, key, algorithm, data, value);
    });
  return { type, blob, verifies };
}

/** A security key (OpenSSH PROTOCOL.u2f): it signs what it was asked to and that somebody touched it. */
function token(type: string, blob: Buffer, key: KeyObject, application: Buffer): PublicKey {
  const verifies = (data: Uint8Array, signature: Uint8Array): boolean =>
    quietly(() => {
      const fields = new SshFields(signature);
      if (fields.text() !== type) return false;
      const value = fields.string();
      const state = fields.bytes(5);
      const touched = ((state[0] ?? 0) & 1) === 1;
      if (fields.left > 0 || !touched) return false;
      const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');
      const signed = Buffer.concat([sha256(application), state, sha256(data)]);
      const plain = type.slice('sk-'.length).replace('@openssh.com', '');
      return checked(plain, key, plain, signed, value);
    });
  return { type, blob, verifies };
}

function checked(type: string, key: KeyObject, algorithm: string, data: Uint8Array, value: Buffer): boolean {
  if (type === 'ssh-rsa') {
    const digest = RSA_HASHES[algorithm];
    return digest !== undefined && verify(digest, data, key, value);
  }
  if (algorithm !== type) return false;
  if (type === 'ssh-ed25519') return verify(null, data, key, value);
  const curve = CURVES[type.slice('ecdsa-sha2-'.length)];
  if (!curve) return false;
  const fields = new SshFields(value);
  const pair = Buffer.concat([unsigned(fields.string(), curve.size), unsigned(fields.string(), curve.size)]);
  return fields.left === 0 && verify(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' }, pair);
}

function ed25519(x: Buffer): KeyObject {
  if (x.length !== 32) throw new KeyError('an Ed25519 key has 32 bytes');
  return fromJwk({ kty: 'OKP', crv: 'Ed25519', x: base64url(x) });
}

function onCurve(name: string, said: Buffer, point: Buffer): KeyObject {
  const curve = CURVES[name];
  if (!curve || said.toString('latin1') !== name) throw new KeyError('the curve is not that of the type of the key');
  const { size, jwk } = curve;
  if (point.length !== 1 + 2 * size || point[0] !== 4)
    throw new KeyError('the point of the key is not written in full');
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
  return fromJwk({ kty: 'EC', crv: jwk, x: base64url(x), y: base64url(y) });
}

function fromJwk(key: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch {
    throw new KeyError('the numbers of the key are none');
  }
}

/** The wire format of a key of ours. @throws KeyError for kinds that are not made here */
export function blobOf(key: KeyObject): Buffer {
  const jwk = key.export({ format: 'jwk' }) as Record<string, string>;
  const field = (name: string): Buffer => Buffer.from(jwk[name] ?? '', 'base64url');
  if (jwk['crv'] === 'Ed25519') return pack('ssh-ed25519', field('x'));
  if (jwk['kty'] === 'RSA') return pack('ssh-rsa', mpint(field('e')), mpint(field('n')));
  throw new KeyError('only Ed25519 and RSA keys are made here');
}

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

const quietly = (check: () => boolean): boolean => {
  try {
    return check();
  } catch {
    return false;
  }
};
