/** OpenSSH certificates: read, judged, made. Pure. Does not: know who is trusted (packages/identity). */
import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { SshFields, KeyError, pack } from './fields.js';
import { type PublicKey, blobOf, parsePublicKey, readKey } from './public.js';

const SUFFIX = '-cert-v01@openssh.com';

/** An OpenSSH certificate (PROTOCOL.certkeys). Reading one proves nothing: see `signed` and `faultOf`. */
export interface Certificate {
  readonly key: PublicKey;
  readonly serial: bigint;
  readonly type: 'user' | 'host';
  /** What the authority calls its owner, for records. */
  readonly id: string;
  /** Names that it is for. An empty list would be for all, and is not accepted here. */
  readonly principals: readonly string[];
  /** Seconds since 1970. */
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  /** Restrictions that have to be understood: `force-command`, `source-address`. */
  readonly critical: ReadonlyMap<string, Buffer>;
  /** What it permits: `permit-pty`, `permit-port-forwarding`. */
  readonly extensions: ReadonlyMap<string, Buffer>;
  readonly authority: PublicKey;
  /** The authority's signature is good. Whether the authority is trusted is another question. */
  readonly signed: boolean;
}

export const isCertificate = (blob: Uint8Array): boolean => {
  try {
    return new SshFields(blob).text().endsWith(SUFFIX);
  } catch {
    return false;
  }
};

/** @throws KeyError when it is none, or of a key that is not accepted */
export function parseCertificate(blob: Uint8Array): Certificate {
  const fields = new SshFields(blob);
  const type = fields.text();
  if (!type.endsWith(SUFFIX)) throw new KeyError('this is no certificate');
  fields.string();
  const plain = type.slice(0, -SUFFIX.length);
  const key = readKey(plain.startsWith('sk-') ? `${plain}@openssh.com` : plain, fields);
  const serial = fields.uint64();
  const kind = fields.uint32();
  const id = fields.text();
  const principals = fields.strings().map((name) => name.toString('utf8'));
  const validAfter = fields.uint64();
  const validBefore = fields.uint64();
  const critical = options(fields.string());
  const extensions = options(fields.string());
  fields.string();
  const authority = parsePublicKey(fields.string());
  const signedPart = Buffer.from(blob).subarray(0, fields.position);
  const signature = fields.string();
  if (fields.left > 0) throw new KeyError('bytes follow the certificate');
  if (kind !== 1 && kind !== 2) throw new KeyError('the certificate is neither of a user nor of a host');
  const signed = authority.verifies(signedPart, signature);
  const times = { validAfter, validBefore };
  return {
    key,
    serial,
    type: kind === 1 ? 'user' : 'host',
    id,
    principals,
    ...times,
    critical,
    extensions,
    authority,
    signed,
  };
}

/** In lexical order and each once, as the format demands: anything else could be read in two ways. */
function options(bytes: Uint8Array): Map<string, Buffer> {
  const fields = new SshFields(bytes);
  const found = new Map<string, Buffer>();
  let last = '';
  while (fields.left > 0) {
    const name = fields.text();
    if (found.size > 0 && name <= last) throw new KeyError('the options of the certificate are out of order');
    found.set(name, fields.string());
    last = name;
  }
  return found;
}

/**
 * Why a certificate is not accepted, in a sentence; undefined when it is. `now` in milliseconds since 1970. Critical options
 * other than those in `understood` are refused, which is what critical means.
 */
export function faultOf(
  certificate: Certificate,
  expected: {
    readonly type: Certificate['type'];
    readonly authorities: readonly PublicKey[];
    readonly now: number;
    readonly understood?: readonly string[];
  },
): string | undefined {
  const { type, authority, signed, validAfter, validBefore, critical, principals } = certificate;
  if (!expected.authorities.some(({ blob }) => blob.equals(authority.blob))) return 'its authority is not trusted here';
  if (!signed) return 'the signature of its authority is wrong';
  if (type !== expected.type) return `it is the certificate of a ${type}`;
  const seconds = BigInt(Math.floor(expected.now / 1000));
  if (seconds < validAfter) return 'it is not valid yet';
  if (seconds >= validBefore) return 'it has expired';
  if (principals.length === 0) return 'it names no principal';
  for (const name of critical.keys()) {
    if (!expected.understood?.includes(name)) return `its critical option "${name}" is not supported`;
  }
  return undefined;
}

export interface CertificateWish {
  readonly key: PublicKey;
  readonly type: Certificate['type'];
  readonly id: string;
  readonly principals: readonly string[];
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly extensions?: readonly string[];
  readonly critical?: Readonly<Record<string, string>>;
}

/** Makes a certificate for an Ed25519 key, signed by an Ed25519 key. Returns its blob. */
export function issue(wish: CertificateWish, authority: KeyObject): Buffer {
  if (wish.key.type !== 'ssh-ed25519') throw new KeyError('certificates are made for Ed25519 keys only');
  const [, x] = fieldsOf(wish.key.blob);
  const flags = (names: readonly string[]): Buffer =>
    Buffer.concat([...names].sort().map((name) => pack(name, Buffer.alloc(0))));
  const critical = Object.entries(wish.critical ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const body = pack(
    `ssh-ed25519${SUFFIX}`,
    randomBytes(32),
    x as Buffer,
    randomBytes(8).readBigUInt64BE(),
    wish.type === 'user' ? 1 : 2,
    wish.id,
    Buffer.concat(wish.principals.map((name) => pack(name))),
    BigInt(Math.floor(wish.from / 1000)),
    BigInt(Math.floor(wish.until / 1000)),
    Buffer.concat(critical.map(([name, value]) => pack(name, pack(value)))),
    flags(wish.extensions ?? []),
    Buffer.alloc(0),
    blobOf(authority),
  );
  return pack({ raw: body }, pack('ssh-ed25519', sign(null, body, authority)));
}

function fieldsOf(blob: Uint8Array): Buffer[] {
  const fields = new SshFields(blob);
  const list: Buffer[] = [];
  while (fields.left > 0) list.push(fields.string());
  return list;
}
