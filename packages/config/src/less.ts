/**
 * What a configuration file takes away, where it has mistakes elsewhere: people, their groups, roles and keys, connections, and who
 * may use them. Owns: telling what the file means to take from what it only fails to say. Does not: take anything new into use: what
 * gives rights waits until the file is right.
 */
import type { Principal } from '@sluice/contract';
import { type PublicKey, parseKeyLine } from '@sluice/keys';
import type { Config, ConnectionConfig } from './config.js';
import type { Mistake, Path } from './mistake.js';
import { record, texts } from './written.js';

/** The configuration in force without what a file takes away, and a sentence about each thing. */
export interface Less {
  readonly config: Config;
  readonly taken: readonly string[];
}

/** What goes where nobody says otherwise (`principal` of schema.ts). */
const DEFAULT_ROLES: readonly string[] = ['user'];

/**
 * @param value the file as YAML has it
 * @param mistakes what is wrong in it: nothing is concluded from a part that has one
 * @returns undefined where it takes nothing away
 */
export function lessOf(now: Config, value: unknown, mistakes: readonly Mistake[]): Less | undefined {
  const file = record(value);
  const taken: string[] = [];
  const unclear = (...path: Path): boolean => mistakes.some((one) => touches(one, path));
  /** A section that is not there may have been misspelt: only one that is there says who is in it. */
  const section = (name: string): Readonly<Record<string, unknown>> | undefined =>
    Object.hasOwn(file, name) && isRecord(file[name]) && !isWrongItself(mistakes, [name])
      ? record(file[name])
      : undefined;
  const kept = <One>(
    all: readonly One[],
    wanted: readonly string[],
    what: string,
    nameOf: (one: One) => string = String,
  ): readonly One[] =>
    all.filter((one) => {
      const stays = wanted.includes(nameOf(one));
      if (!stays) taken.push(`${what} "${nameOf(one)}"`);
      return stays;
    });

  const people = section('principals');
  const principals = new Map<string, Principal>();
  const sshKeys = new Map<string, readonly PublicKey[]>();
  const certificates = new Map(now.certificates);
  for (const [name, one] of now.principals) {
    const keys = now.sshKeys.get(name) ?? [];
    if (!people || (Object.hasOwn(people, name) && unclear('principals', name))) {
      principals.set(name, one);
      sshKeys.set(name, keys);
      continue;
    }
    const own = record(people[name]);
    const isOther = own['issuer'] !== one.issuer || own['subject'] !== one.subject;
    if (!Object.hasOwn(people, name) || isOther) taken.push(`principal "${name}"`);
    else {
      const roles = own['roles'] === undefined ? DEFAULT_ROLES : texts(own['roles']);
      principals.set(name, {
        ...one,
        groups: kept(one.groups, texts(own['groups']), `"${name}" in group`),
        roles: kept(one.roles, roles, `"${name}" as`),
      });
      const written = texts(own['ssh_keys']).map((line) => blobOf(parseKeyLine(line)));
      sshKeys.set(name, kept(keys, written, `SSH key of "${name}"`, blobOf));
    }
    const names = principals.has(name) ? texts(own['certificates']) : [];
    for (const [san, whose] of now.certificates) if (whose === name && !names.includes(san)) certificates.delete(san);
  }

  const named = section('connections');
  const connections = new Map<string, ConnectionConfig>();
  for (const [name, one] of now.connections) {
    const own = record(named?.[name]);
    if (!named || (Object.hasOwn(named, name) && unclear('connections', name, 'access'))) connections.set(name, one);
    else if (!Object.hasOwn(named, name)) taken.push(`connection "${name}"`);
    else connections.set(name, { ...one, access: kept(one.access, texts(own['access']), `access to "${name}" of`) });
  }

  const given = section('roles');
  const roles = Object.fromEntries(
    Object.entries(now.roles).map(([role, entries]) => [
      role,
      // Without a list of users everybody is one: that would give.
      !given || unclear('roles', role) || (role === 'user' && !Object.hasOwn(given, role))
        ? entries
        : kept(entries, texts(given[role]), `role "${role}" of`),
    ]),
  ) as Config['roles'];

  const trusted = section('issuers');
  const issuers = new Map([...now.issuers].filter(([name]) => !trusted || Object.hasOwn(trusted, name)));
  for (const name of now.issuers.keys()) if (!issuers.has(name)) taken.push(`issuer "${name}"`);

  if (taken.length === 0) return undefined;
  return { config: { ...now, principals, sshKeys, certificates, connections, roles, issuers }, taken };
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The mistake is in this part, or this part is in what is wrong. Names that nobody has are no mistake here. */
function touches({ path, admitsNobody }: Mistake, part: Path): boolean {
  if (admitsNobody) return false;
  const common = Math.min(path.length, part.length);
  return path.slice(0, common).every((key, at) => key === part[at]);
}

/** The section as a whole is wrong, not something in it. */
const isWrongItself = (mistakes: readonly Mistake[], section: Path): boolean =>
  mistakes.some(({ path }) => path.length <= section.length && path.every((key, at) => key === section[at]));

const blobOf = ({ blob }: PublicKey): string => Buffer.from(blob).toString('base64');
