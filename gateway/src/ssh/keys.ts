/**
 * The gateway's own keys for SSH, and the host keys of its targets. Owns: where they are kept, and certificates for targets.
 * Does not: speak SSH (protocols/ssh).
 */
import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { SshKey, SshTarget } from '@sluice/contract';
import { type ConnectionConfig, type SshConnection, hasHostKeys } from '@sluice/config';
import {
  KeyError,
  type PublicKey,
  blobOf,
  faultOf,
  fingerprint,
  isCertificate,
  issue,
  keyLine,
  parseCertificate,
  parsePublicKey,
} from '@sluice/keys';
import { type HostKey, hostKeyFrom, targetKey } from '@sluice/ssh';

/** What the gateway keeps for SSH. */
interface SettingStore {
  setting(name: string): Promise<string | undefined>;
  setSetting(name: string, value: string): Promise<void>;
}

type Warn = (message: string, details: object) => void;

/** A certificate for a target is valid from a little before now, for clocks that differ, to this long after, in ms. */
const EARLY_MS = 60_000;
const LIFE_MS = 5 * 60_000;

const HOST_KEY = 'ssh.host_key';
const USER_CA = 'ssh.user_ca';
const pin = (connection: string): string => `ssh.first_use.${connection}`;

/** The gateway's own keys for SSH, and what it knows of the keys of its targets. */
export class SshKeys {
  readonly hostKey: HostKey;
  /** Signs certificates for targets that trust it (TrustedUserCAKeys). */
  readonly #authority: KeyObject;
  readonly #store: SettingStore;
  /** First keys that were seen, in wire format, by connection. */
  readonly #pinned = new Map<string, Buffer>();
  readonly #warn: Warn;

  private constructor(hostKey: string, authority: string, store: SettingStore, warn: Warn) {
    this.hostKey = hostKeyFrom(hostKey);
    this.#authority = createPrivateKey(authority);
    this.#store = store;
    this.#warn = warn;
  }

  /** `warn` hears of host keys that are not as they were. */
  static async open(store: SettingStore, connections: Iterable<ConnectionConfig>, warn: Warn): Promise<SshKeys> {
    const keys = new SshKeys(await keyOf(store, HOST_KEY), await keyOf(store, USER_CA), store, warn);
    await keys.know(connections);
    return keys;
  }

  /** Looks up the first keys that were seen of these connections, which may be new ones. Throws where a key cannot be read. */
  async know(connections: Iterable<ConnectionConfig>): Promise<void> {
    for (const connection of connections) {
      if (!hasHostKeys(connection)) continue;
      const { name } = connection;
      checkKey(connection);
      const blob = this.#pinned.has(name) ? undefined : await this.#store.setting(pin(name));
      if (blob !== undefined) this.#pinned.set(name, Buffer.from(blob, 'base64'));
    }
  }

  /** As `known_hosts` and `TrustedUserCAKeys` want them. */
  get hostKeyLine(): string {
    return keyLine(this.hostKey);
  }

  get authorityLine(): string {
    return keyLine({ type: 'ssh-ed25519', blob: blobOf(createPublicKey(this.#authority)) });
  }

  /** How to log in at a target as this account. */
  target(connection: SshConnection, account: string): SshTarget {
    const { credential, shell } = connection;
    const { privateKey, certificate } = credential;
    const key = certificate
      ? () => this.#shortLived(account, connection.name)
      : privateKey && (() => targetKey(privateKey.reveal()));
    return {
      shell,
      hostKeyAlgorithms: this.#algorithms(connection),
      refuses: (blob) => this.#refuses(connection, blob),
      proven: (blob) => this.#proven(connection, blob),
      ...(key && { key }),
    };
  }

  /** A key that lives as long as the login, and a certificate for it. */
  #shortLived(account: string, connection: string): SshKey {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const now = Date.now();
    const certificate = issue(
      {
        key: parsePublicKey(blobOf(publicKey)),
        type: 'user',
        id: `sluice ${connection}`,
        principals: [account],
        from: now - EARLY_MS,
        until: now + LIFE_MS,
        extensions: ['permit-pty', 'permit-port-forwarding', 'permit-agent-forwarding', 'permit-X11-forwarding'],
      },
      this.#authority,
    );
    return targetKey(privateKey, certificate);
  }

  /** Those of the pinned keys, so that a host with several shows one that is known. */
  #algorithms({ name, target: { hostKeys } }: SshConnection): string[] {
    const first = this.#pinned.get(name);
    const keys = hostKeys.firstUse ? (first ? [parsePublicKey(first)] : []) : hostKeys.keys;
    const known = new Set(keys.flatMap(({ type }) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type])));
    const certificates = hostKeys.authorities.length > 0 ? HOST_CERTIFICATES : [];
    return [
      ...certificates,
      ...HOST_ALGORITHMS.filter((one) => (known.size === 0 ? certificates.length === 0 : known.has(one))),
    ];
  }

  #refuses({ name, target }: SshConnection, blob: Uint8Array): string | undefined {
    const { host, port, hostKeys } = target;
    const is = ({ blob: other }: PublicKey): boolean => other.equals(blob);
    const shown = fingerprint(blob);
    const no = (why: string): string => {
      this.#warn('a target shows a host key that is not accepted', { connection: name, host, port, key: shown, why });
      return `The host key of ${host} is not accepted: ${why} (${shown}). Nothing was sent to it. Somebody may be in between; ask an administrator.`;
    };
    if (hostKeys.revoked.some(is)) return no('it is revoked');
    if (hostKeys.firstUse) {
      const first = this.#pinned.get(name);
      return !first || first.equals(blob) ? undefined : no('it is another one than at first');
    }
    if (!isCertificate(blob)) return hostKeys.keys.some(is) ? undefined : no('it is not the pinned one');
    try {
      const certificate = parseCertificate(blob);
      if (hostKeys.revoked.some(({ blob: other }) => other.equals(certificate.key.blob))) return no('it is revoked');
      const fault = faultOf(certificate, { type: 'host', authorities: hostKeys.authorities, now: Date.now() });
      if (fault !== undefined) return no(fault);
      return certificate.principals.includes(host)
        ? undefined
        : no(`its certificate is for ${certificate.principals.join(', ')}`);
    } catch {
      return no('its certificate cannot be read');
    }
  }

  /** Kept once the host has proven to have it, and before anything is sent there. */
  #proven({ name, target }: SshConnection, blob: Uint8Array): void {
    if (!target.hostKeys.firstUse || this.#pinned.has(name)) return;
    this.#pinned.set(name, Buffer.from(blob));
    this.#store
      .setSetting(pin(name), Buffer.from(blob).toString('base64'))
      .catch((error: unknown) =>
        this.#warn('the first host key could not be kept', { connection: name, error: String(error) }),
      );
  }
}

/** It leads to a host that is known by its keys. */
const HOST_ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];
const HOST_CERTIFICATES = [
  'ssh-ed25519-cert-v01@openssh.com',
  'ecdsa-sha2-nistp256-cert-v01@openssh.com',
  'ecdsa-sha2-nistp384-cert-v01@openssh.com',
  'ecdsa-sha2-nistp521-cert-v01@openssh.com',
];

async function keyOf(store: SettingStore, name: string): Promise<string> {
  const known = await store.setting(name);
  if (known !== undefined) return known;
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  await store.setSetting(name, pem);
  return pem;
}

/** Found at the start, and not when somebody wants to log in. */
function checkKey({ name, credential }: SshConnection): void {
  try {
    if (credential.privateKey) targetKey(credential.privateKey.reveal());
  } catch (error) {
    const why = error instanceof KeyError ? error.message : 'it cannot be read';
    throw new Error(`connections.${name}.credential.private_key: ${why}.`, { cause: error });
  }
}
