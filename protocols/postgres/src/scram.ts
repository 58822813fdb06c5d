/** SCRAM-SHA-256, both ends. Owns: the texts and proofs. Does not: whose secret it is (the gate). Pure. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { malformed } from '@sluice/wire';

/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), both ends: the gateway is the server for its clients and
 * the client of its targets. Channel binding is `tls-server-end-point` (RFC 5929 section 4.1), the one that Postgres uses.
 */
export const SCRAM = 'SCRAM-SHA-256';
export const SCRAM_PLUS = 'SCRAM-SHA-256-PLUS';

const derive = promisify(pbkdf2);
const NONCE_BYTES = 18;
/** Iterations beyond this are an attempt to keep us busy (RFC 7677 asks for 4096; servers in the field use up to 10^6). */
const MAX_ITERATIONS = 2_000_000;

/** The client's first message, taken apart. */
export interface ClientFirst {
  /** 'p=...', 'y' (could bind, thinks we cannot) or 'n'. */
  readonly gs2: string;
  readonly bare: string;
  readonly nonce: string;
}

export function readClientFirst(text: string): ClientFirst {
  const match = /^(p=[A-Za-z0-9.-]+|y|n),(?:a=[^,]*)?,((?:n=[^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/.exec(text);
  if (!match) throw malformed('the first SCRAM message does not have the form of RFC 5802');
  return {
    gs2: text.slice(0, text.length - (match[2] as string).length),
    bare: match[2] as string,
    nonce: match[3] as string,
  };
}

export function serverFirst(
  client: ClientFirst,
  salt: Uint8Array,
  iterations: number,
): { text: string; nonce: string } {
  const nonce = client.nonce + randomBytes(NONCE_BYTES).toString('base64');
  return { nonce, text: `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}` };
}

export interface ClientFinal {
  readonly binding: Buffer;
  readonly nonce: string;
  readonly proof: Buffer;
  readonly withoutProof: string;
}

export function readClientFinal(text: string): ClientFinal {
  const match = /^(c=([A-Za-z0-9+/=]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,[^p].*)?),p=([A-Za-z0-9+/=]+)$/.exec(text);
  if (!match) throw malformed('the last SCRAM message does not have the form of RFC 5802');
  return {
    withoutProof: match[1] as string,
    binding: Buffer.from(match[2] as string, 'base64'),
    nonce: match[3] as string,
    proof: Buffer.from(match[4] as string, 'base64'),
  };
}

/** Whether a proof was made with the secret behind this stored key. ClientProof = ClientKey XOR HMAC(StoredKey, AuthMessage). */
export function proofFits(proof: Uint8Array, storedKey: Uint8Array, authMessage: string): boolean {
  const signature = hmac(storedKey, authMessage);
  if (proof.length !== signature.length) return false;
  const clientKey = xor(proof, signature);
  return timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey);
}

export const serverSignature = (serverKey: Uint8Array, authMessage: string): string =>
  hmac(serverKey, authMessage).toString('base64');

/** The client's side of one exchange, as the gateway logs in at a target. */
export class ScramClient {
  readonly mechanism: string;
  readonly first: string;
  readonly #gs2: string;
  readonly #bare: string;
  readonly #binding: Uint8Array;
  #expected = '';

  /** `offered`: the server's mechanisms. `endpoint`: the hash of its certificate, over TLS. */
  constructor(offered: readonly string[], endpoint?: Uint8Array) {
    const bind = endpoint !== undefined && offered.includes(SCRAM_PLUS);
    if (!bind && !offered.includes(SCRAM))
      throw malformed(`the target offers no login that the gateway can do: ${offered.join(', ')}`);
    this.mechanism = bind ? SCRAM_PLUS : SCRAM;
    // 'y' says: we could bind, and you did not offer it. A man in the middle who removed the offer is found out by it.
    this.#gs2 = bind ? 'p=tls-server-end-point,,' : endpoint ? 'y,,' : 'n,,';
    this.#binding = bind ? endpoint : Buffer.alloc(0);
    this.#bare = `n=,r=${randomBytes(NONCE_BYTES).toString('base64')}`;
    this.first = this.#gs2 + this.#bare;
  }

  async final(password: string, serverFirstMessage: string): Promise<string> {
    const match = /^r=([^,]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,.*)?$/.exec(serverFirstMessage);
    const ours = this.#bare.slice('n=,r='.length);
    const [, nonce = '', salt = '', count = ''] = match ?? [];
    const iterations = Number(count);
    if (!match || !nonce.startsWith(ours) || nonce.length === ours.length)
      throw malformed("the target's SCRAM challenge is not valid");
    if (iterations < 1 || iterations > MAX_ITERATIONS)
      throw malformed(`the target asks for ${iterations} SCRAM iterations`);
    const salted = await derive(password.normalize('NFKC'), Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const storedKey = createHash('sha256').update(clientKey).digest();
    const binding = Buffer.concat([Buffer.from(this.#gs2), this.#binding]).toString('base64');
    const withoutProof = `c=${binding},r=${nonce}`;
    const authMessage = `${this.#bare},${serverFirstMessage},${withoutProof}`;
    this.#expected = serverSignature(hmac(salted, 'Server Key'), authMessage);
    return `${withoutProof},p=${xor(clientKey, hmac(storedKey, authMessage)).toString('base64')}`;
  }

  /** The server must know the password too. Throws when it does not. */
  verify(serverFinalMessage: string): void {
    const signature = Buffer.from(/^v=([A-Za-z0-9+/=]+)/.exec(serverFinalMessage)?.[1] ?? '', 'base64');
    const expected = Buffer.from(this.#expected, 'base64');
    if (expected.length === 0 || signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw malformed('the target could not prove that it knows the password: it may be an impostor');
    }
  }
}

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, at) => byte ^ (b[at] as number)));
