/**
 * The configuration in force and all that is made of it, replaced as a whole. Owns: what a new one may change while sessions
 * run. Does not: read files (configuration.ts).
 */
import { type Config, type ConnectionConfig, protocolNamed, tokenIssuers } from '@sluice/config';
import type { Discovery } from '@sluice/contract';
import { type CompiledPolicy, compilePolicy } from '@sluice/guardrails';
import { SshIdentities, type Directory } from '@sluice/identity';

/** Sections that are read once: what they open or write stays as it is until the next start. */
const FIXED = ['data', 'listeners', 'control', 'limits', 'record'] as const;

/** What is in force: a configuration and what is made of it. Replaced as a whole, never changed. */
export interface Snapshot {
  readonly config: Config;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  readonly discovery: Discovery | undefined;
  readonly sshIdentities: SshIdentities;
}

/** A configuration file that could not be used, so that the one before it is in force. */
export interface ConfigurationProblem {
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** Throws when a rule does not compile. */
export function snapshotOf(config: Config, identity: Directory): Snapshot {
  return {
    config,
    policies: new Map(
      [...config.connections].map(([name, { rules, trustedFunctions, annotate = false, protocol }]) => [
        name,
        compilePolicy(rules, { trustedFunctions, annotate, rows: protocolNamed(protocol).traits.answers === 'rows' }),
      ]),
    ),
    discovery: discoveryOf(config),
    sshIdentities: new SshIdentities(config.sshKeys, config.sshUserCa, (name) => identity.principal(name)),
  };
}

/** The new configuration with the sections of the old one that need a restart, and which of those differ. */
export function merged(old: Config, wanted: Config): { config: Config; restart: string[] } {
  const restart = FIXED.filter((section) => JSON.stringify(old[section]) !== JSON.stringify(wanted[section]));
  const { data, listeners, control, limits, record } = old;
  return { config: { ...wanted, data, listeners, control, limits, record }, restart };
}

/** Whether two connections lead to the same target as the same user, and trust the same functions there. */
export function sameTarget(one: Config, other: Config, name: string): boolean {
  const [a, b] = [one, other].map((config) => {
    const connection = config.connections.get(name);
    if (!connection) return undefined;
    const { credential, trustedFunctions, readsNothing } = connection;
    return JSON.stringify([targetOf(connection), credential.password?.reveal(), trustedFunctions, readsNothing]);
  });
  return a === b;
}

/** Where a connection leads, by which way, and as whom; `account` where it is not that of the credential. */
function targetOf({ protocol, target, credential, via, options, http }: ConnectionConfig, account = ''): string {
  const place = http && [http.https, http.authority, http.base, http.socket, http.program, http.http2, http.credential];
  return JSON.stringify([protocol, target, account || credential.user, credential.secret, via, options, place]);
}

/**
 * What an approval is bound to besides the command and who asks: where it acts and as whom (`opened`: a session keeps the
 * target that it was opened with), and the rules that are in force, masks among them.
 */
export const boundTo = (opened: ConnectionConfig, account: string, inForce: ConnectionConfig): string =>
  JSON.stringify([
    targetOf(opened, account),
    inForce.rules,
    inForce.trustedFunctions,
    inForce.readsNothing,
    inForce.notFollowed,
    inForce.annotate,
    inForce.rows,
  ]);

/** Of the first issuer that people log in at: a client is told of one only. */
function discoveryOf(config: Config): Discovery | undefined {
  const all = tokenIssuers(config).filter(({ kind }) => kind === 'person');
  const one = all.find(({ login }) => login) ?? all[0];
  return one && { url: `${one.url.replace(/\/$/, '')}/.well-known/openid-configuration`, scope: one.scopes.join(' ') };
}
