/**
 * The code that speaks each protocol. Lives here: which package has which of Sluice's own, and the way to one in a package of
 * somebody else. Does not: settings, which are in packages/config/src/protocols, or what a protocol does.
 */
import type { ListenerConfig } from '@sluice/config';
import { CONTRACT, type Gate, type Lookup, type Protocol, type Target } from '@sluice/contract';
import type { Replay } from '@sluice/reading';
import type { SshOptions } from '@sluice/ssh';

/** What the gateway has for protocols of its own. */
export interface ProtocolParts {
  /** What it proves itself with to SSH clients. */
  readonly hostKeys: SshOptions['hostKeys'];
  /** What the listener that it is for says; undefined: only the record is read. */
  readonly listener?: ListenerConfig;
  /** Tells whoever runs the gateway a sentence. */
  info(sentence: string): void;
}

/** Loaded when they are needed: the thread that reads the record needs few of them. */
const OWN: readonly { readonly name: string; load(parts: ProtocolParts): Promise<Protocol> }[] = [
  { name: 'postgres', load: async () => (await import('@sluice/postgres')).postgres },
  { name: 'mysql', load: async ({ listener }) => (await import('@sluice/mysql')).mysql(listener) },
  {
    name: 'ssh',
    load: async ({ hostKeys, info }) => {
      const { nativeCiphers, ssh } = await import('@sluice/ssh');
      if (!nativeCiphers)
        info('SSH runs without the native ciphers of ssh2 (see docs/ssh.md): bulk traffic costs more CPU');
      return ssh({ hostKeys });
    },
  },
  { name: 'http', load: async () => (await import('@sluice/http')).http },
];

/**
 * The protocol of this name. `packaged` has those in packages of somebody else, by package.
 *
 * @throws Error when it was made for another contract, or when there is none
 */
export async function loadProtocol(
  name: string,
  packaged: ReadonlyMap<string, Protocol>,
  parts: ProtocolParts,
): Promise<Protocol> {
  const protocol = packaged.get(name) ?? (await OWN.find((one) => one.name === name)?.load(parts));
  if (!protocol) throw new Error(`There is no protocol "${name}".`);
  checkContract(protocol);
  return protocol;
}

function checkContract({ name, contract }: Protocol): void {
  if (contract === CONTRACT) return;
  throw new Error(`Protocol ${name} was made for contract ${String(contract)}; this gateway has ${CONTRACT}.`);
}

/** Opens a connection of the gateway's own to a target, for looking things up. */
export type OpenLookup = (reach: Pick<Gate, 'dial' | 'secure' | 'limits'>, target: Target) => Promise<Lookup>;

const LOOKUPS: Readonly<Record<string, () => Promise<OpenLookup>>> = {
  postgres: async () => (await import('@sluice/postgres')).openLookup,
  mysql: async () => (await import('@sluice/mysql')).openLookup,
};

/** Whether a target of this protocol can be asked for what it has. */
export const hasLookup = (name: string): boolean => Object.hasOwn(LOOKUPS, name);

/** @throws Error when a protocol has none */
export async function lookupOf(name: string): Promise<OpenLookup> {
  const open = await LOOKUPS[name]?.();
  if (!open) throw new Error(`There is nothing to look up by protocol "${name}".`);
  return open;
}

/** For the thread that reads the record. `packages`: the files of those that the gateway has loaded, by package. */
export async function replayOf(name: string, packages: Readonly<Record<string, string>>): Promise<Replay | undefined> {
  const file = Object.hasOwn(packages, name) ? packages[name] : undefined;
  const loaded = file === undefined ? undefined : ((await import(file)) as { default: Protocol }).default;
  const own = OWN.find((one) => one.name === name)?.load({ hostKeys: {}, info: () => undefined });
  const protocol = loaded ?? (await own);
  return protocol?.replay?.bind(protocol);
}

/** Whether the answers of a protocol with rows are masked in packets of MySQL, and not in messages of PostgreSQL. */
export const masksPackets = (name: string): boolean => name === 'mysql';
