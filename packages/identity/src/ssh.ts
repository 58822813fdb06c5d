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

/** Whether an address is in a list of addresses and CIDR ranges (`source-address` of sshd). */
export function isWithin(address: string, list: string): boolean {
  return list.split(',').some((range) => {
    const [network = '', bits] = range.trim().split('/');
    const [own, other] = [bitsOf(address), bitsOf(network)];
    if (own === undefined || other === undefined || own.length !== other.length) return false;
    // No bits behind the stroke would be none to compare, and every address within.
    if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return false;
    const count = bits === undefined ? own.length : Number(bits);
    return count <= own.length && own.slice(0, count) === other.slice(0, count);
  });
}

/** An address as the digits of its bits; IPv4 within IPv6 as IPv4. Undefined when it is none. */
function bitsOf(address: string): string | undefined {
  const v4 = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address);
  if (v4) {
    const bytes = v4.slice(1).map(Number);
    return bytes.some((one) => one > 255) ? undefined : bytes.map((one) => one.toString(2).padStart(8, '0')).join('');
  }
  const halves = address.replace(/%.*$/, '').split('::');
  if (halves.length > 2 || !/^[\da-f:]+$/i.test(address)) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  return groups.map((one) => Number.parseInt(one, 16).toString(2).padStart(16, '0')).join('');
}
