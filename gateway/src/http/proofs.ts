/**
 * What a request by HTTP shows of who sends it. Owns: reading tokens and certificates, and remembering tokens of identity providers
 * for as long as they are good. Does not: say where somebody may go.
 */
import { X509Certificate, hash } from 'node:crypto';
import type { HttpProof } from '@sluice/contract';
import { TokenError } from '@sluice/identity';
import type { LoginProof } from '../login.js';
import type { Services } from '../services.js';

/** Whoever has shown it; undefined: it proves nothing. */
export type ShownProof = LoginProof | undefined;

/** Tokens of identity providers that are remembered. The oldest beyond that are checked again. */
const MAX_REMEMBERED_TOKENS = 2_000;

/** An identity provider could not be asked. */
export class ProofUncheckable extends Error {}

export class Proofs {
  readonly #services: Services;
  /** By the SHA-256 of the token, never by the token. */
  readonly #known = new Map<string, LoginProof>();

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * At once for tokens of the gateway and for those that were checked before, which is the hot path.
   *
   * @throws ProofUncheckable; a promise rejects with it
   */
  read(proof: HttpProof): ShownProof | Promise<ShownProof> {
    if (proof.type === 'certificate') return this.#ofCertificate(proof.der);
    const { identity } = this.#services;
    const own = identity.bearer(proof.secret);
    if (own || !identity.issuers) return own;
    const name = hash('sha256', proof.secret, 'base64');
    const known = this.#known.get(name);
    if (known) return this.#again(name, known);
    return this.#check(name, proof.secret);
  }

  async #check(name: string, secret: string): Promise<ShownProof> {
    try {
      const proven = await this.#services.identity.authenticate(secret);
      if (!proven) return undefined;
      this.#known.set(name, proven);
      const [oldest] = this.#known.keys();
      if (this.#known.size > MAX_REMEMBERED_TOKENS && oldest !== undefined) this.#known.delete(oldest);
      return proven;
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      if (error.reason === 'invalid') return undefined;
      throw new ProofUncheckable(error.message, { cause: error });
    }
  }

  /** It has been checked before: has it run out, and who is it under the configuration of now? */
  #again(name: string, known: LoginProof): ShownProof {
    const principal = this.#services.identity.current(known);
    if (principal && (known.expires ?? Infinity) > Date.now()) return { ...known, principal };
    this.#known.delete(name);
    return undefined;
  }

  /** Its authority was verified when TLS began; whose it is, one of its alternative names says (RFC 5280 section 4.2.1.6). */
  #ofCertificate(der: Uint8Array): ShownProof {
    const certificate = new X509Certificate(der);
    const expires = Date.parse(certificate.validTo);
    if (!(expires > Date.now())) return undefined;
    const { certificates, identity } = this.#services;
    // Names with a comma in them are quoted by Node, so that they are none of these.
    const names = (certificate.subjectAltName ?? '').split(', ');
    const owners = new Set(names.flatMap((one) => certificates.get(one) ?? []));
    const [owner] = owners;
    const principal = owners.size === 1 && owner !== undefined ? identity.principal(owner) : undefined;
    if (!principal) return undefined;
    return { principal, certificate: certificate.fingerprint256, expires };
  }
}

/** By what proofs differ that are the same principal's: a visit is of one of them. */
export const proofKey = ({ principal, tokenId, certificate }: LoginProof): string =>
  JSON.stringify([principal.name, tokenId ?? '', certificate ?? '']);
