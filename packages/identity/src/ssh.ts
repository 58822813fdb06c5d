/**
 * Whom a key or a certificate of SSH stands for. Owns: what a certificate permits. Does not: verify signatures (packages/keys).
 */
import { RangeError, parseAddress, parseRange } from '@sluice/addresses';
import type { Admission, Principal } from '@sluice/contract';
import { type Certificate, type PublicKey, faultOf, isCertificate, parseCertificate } from '@sluice/keys';

type Without = NonNullable<Admission['without']>;

/** Who a key or certificate of SSH stands for, once possession of it has been proven; or why for nobody. */
export type SshProof =
  | { readonly principal: Principal; readonly without: Without; readonly detail: string }
  | { readonly fault: string };

/** What a certificate without the extension does not permit (PROTOCOL.certkeys). */
const PERMITS: Readonly<Record<string, Without[number]>> = {
  'permit-pty': 'terminal',
  'permit-port-forwarding': 'forwarding',
  'permit-agent-forwarding': 'agent',
  'permit-X11-forwarding': 'x11',
};

/** Principals by their SSH keys, and by certificates of the authorities that are trusted. */
export class SshIdentities {
  readonly #owners: ReadonlyMap<string, string>;
  readonly #principal: (name: string) => Principal | undefined;
  readonly #authorities: readonly PublicKey[];

  constructor(
    keys: ReadonlyMap<string, readonly PublicKey[]>,
    authorities: readonly PublicKey[],
    principal: (name: string) => Principal | undefined,
  ) {
    this.#owners = new Map([...keys].flatMap(([name, own]) => own.map(({ blob }) => [blob.toString('base64'), name])));
    this.#authorities = authorities;
    this.#principal = principal;
  }

  /** Whether a proof of this key would be worth anything. Wire format. */
  offers(blob: Uint8Array, address: string): boolean {
    return 'principal' in this.proven(blob, address);
  }

  /**
   * The client has proven to hold it. `address` is where it connects from, `now` in milliseconds since 1970.
   * Never throws.
   */
  proven(blob: Uint8Array, address: string, now = Date.now()): SshProof {
    try {
      if (isCertificate(blob)) return this.#certificate(parseCertificate(blob), address, now);
    } catch {
      return { fault: 'the certificate cannot be read' };
    }
    const name = this.#owners.get(Buffer.from(blob).toString('base64'));
    const principal = name === undefined ? undefined : this.#principal(name);
    return principal ? { principal, without: [], detail: 'key' } : { fault: 'nobody has this key' };
  }

  #certificate(certificate: Certificate, address: string, now: number): SshProof {
    const understood = ['source-address'];
    const fault = faultOf(certificate, { type: 'user', authorities: this.#authorities, now, understood });
    if (fault !== undefined) return { fault };
    const { critical, extensions, principals, id, serial } = certificate;
    const source = critical.get('source-address');
    if (source && !isWithin(address, textOf(source))) return { fault: 'it is not for the address that you come from' };
    const principal = principals.map((name) => this.#principal(name)).find((one) => one !== undefined);
    if (!principal) return { fault: 'it names nobody who is known here' };
    const without = Object.entries(PERMITS).flatMap(([name, what]) => (extensions.has(name) ? [] : [what]));
    return { principal, without, detail: `certificate ${serial} "${id}"` };
  }
}

/** The value of an option is a string within its string. */
const textOf = (value: Buffer): string => value.subarray(4).toString('utf8');

/**
 * Whether an address is in a list of addresses and CIDR ranges (`source-address`, PROTOCOL.certkeys). A list that has anything
 * else in it admits no address: what was meant by it is not known.
 */
export function isWithin(address: string, list: string): boolean {
  const own = parseAddress(address.replace(/%.*$/, ''));
  if (!own) return false;
  try {
    return list
      .split(',')
      .map((range) => parseRange(range.trim()))
      .some((range) => range.contains(own));
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
