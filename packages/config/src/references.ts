import { didYouMean, type Mistake, type Path } from './mistake.js';

/**
 * Names that are used without being there, and names that are there twice. Works on the value as it was written, so that
 * these mistakes are found together with those of shape; what has the wrong shape is left to the schema.
 */
export function referenceMistakes(value: unknown): Mistake[] {
  const { principals, connections, policies, listeners } = record(value);
  const people = record(principals);
  const groups = new Set(Object.values(people).flatMap((one) => texts(record(one)['groups'])));
  const known: Known = {
    people,
    groups: [...groups],
    policies: Object.keys(record(policies)),
    agents: record(listeners)['agents'] !== undefined,
    ssh: record(listeners)['ssh'] !== undefined,
    rules: record(policies),
  };
  return [
    ...Object.entries(record(connections)).flatMap(([name, one]) => ofConnection(one, ['connections', name], known)),
    ...sharedKeys(people),
    ...Object.entries(record(policies)).flatMap(([name, rules]) => [
      ...ofPolicy(rules, ['policies', name]),
      ...approversOf(rules, ['policies', name], known),
    ]),
  ];
}

interface Known {
  readonly people: Readonly<Record<string, unknown>>;
  readonly groups: readonly string[];
  readonly policies: readonly string[];
  /** Whether agents can dial in. */
  readonly agents: boolean;
  /** Whether SSH clients can. */
  readonly ssh: boolean;
  readonly rules: Readonly<Record<string, unknown>>;
}

function ofConnection(value: unknown, path: Path, known: Known): Mistake[] {
  const { policies, access, via, credential } = record(value);
  const noListener = { path: [...path, 'via'], message: 'no agent can dial in', hint: 'Add listeners.agents.' };
  const noAgent = { path: [...path, 'credential', 'secret'], message: 'no agent is asked for it', hint: 'Add "via".' };
  return [
    ...(record(value)['protocol'] === 'ssh' ? ofSsh(value, path, known) : []),
    ...(via !== undefined && !known.agents ? [noListener] : []),
    ...(record(credential)['secret'] !== undefined && via === undefined ? [noAgent] : []),
    ...list(policies).flatMap((name, at) => {
      if (typeof name !== 'string' || known.policies.includes(name)) return [];
      const hint = didYouMean(name, known.policies);
      return [{ path: [...path, 'policies', at], message: `there is no policy "${name}"`, hint }];
    }),
    ...list(access).flatMap((entry, at) => {
      const wrong = typeof entry === 'string' ? wrongAccess(entry, known) : undefined;
      return wrong ? [{ path: [...path, 'access', at], ...wrong }] : [];
    }),
  ];
}

/** What SSH has no way to do is refused here, and not when somebody relies on it. */
function ofSsh(value: unknown, path: Path, known: Known): Mistake[] {
  const mistakes: Mistake[] = [];
  if (!known.ssh) {
    const hint = 'Add listeners.ssh.';
    mistakes.push({ path: [...path, 'protocol'], message: 'no SSH client can connect', hint });
  }
  for (const [at, policy] of list(record(value)['policies']).entries()) {
    const rules = typeof policy === 'string' ? list(known.rules[policy]) : [];
    for (const rule of rules) {
      const mask = record(record(rule)['mask']);
      const where = [...path, 'policies', at];
      const name = String(record(rule)['rule']);
      if (list(mask['columns']).length > 0) {
        const hint = 'Use "detect", or a policy of its own for databases.';
        mistakes.push({ path: where, message: `rule "${name}" masks columns, which SSH does not have`, hint });
      } else if (mask['with'] === 'null' || mask['with'] === 'generalise') {
        const hint = 'Use redact, partial or hash.';
        mistakes.push({
          path: where,
          message: `rule "${name}" masks with "${mask['with']}", which a stream of bytes has no place for`,
          hint,
        });
      }
    }
  }
  return mistakes;
}

/** An entry that admits nobody is a slip of the pen: whoever wrote it had somebody in mind. */
function wrongAccess(entry: string, { people, groups }: Known): Omit<Mistake, 'path'> | undefined {
  if (entry === '*') return undefined;
  const colon = entry.indexOf(':');
  const name = entry.slice(colon + 1);
  const kind = colon < 0 ? 'name' : entry.slice(0, colon);
  if (kind === 'group') {
    if (groups.includes(name)) return undefined;
    return { message: `no principal is in a group "${name}"`, hint: didYouMean(name, groups) };
  }
  if (!['user', 'agent', 'name'].includes(kind)) {
    return { message: `"${entry}" names nobody`, hint: 'Write group:name, user:name, agent:name or "*".' };
  }
  if (!Object.hasOwn(people, name)) {
    return { message: `there is no principal "${name}"`, hint: didYouMean(name, Object.keys(people)) };
  }
  const actual = record(people[name])['kind'] === 'agent' ? 'agent' : 'user';
  if (kind === 'name' || kind === actual) return undefined;
  return { message: `"${name}" is ${actual === 'agent' ? 'an agent' : 'a person'}`, hint: `Write ${actual}:${name}.` };
}

/** A key stands for one principal. */
function sharedKeys(people: Readonly<Record<string, unknown>>): Mistake[] {
  const owners = new Map<string, string>();
  return Object.entries(people).flatMap(([name, one]) =>
    list(record(one)['ssh_keys']).flatMap((line, at): Mistake[] => {
      const key = typeof line === 'string' ? line.trim().split(/\s+/)[1] : undefined;
      const owner = key === undefined ? undefined : owners.get(key);
      if (key !== undefined) owners.set(key, owner ?? name);
      if (owner === undefined) return [];
      return [{ path: ['principals', name, 'ssh_keys', at], message: `this key is that of "${owner}" already` }];
    }),
  );
}

/** Whoever is to release a command has to be somebody. */
function approversOf(rules: unknown, path: Path, known: Known): Mistake[] {
  return list(rules).flatMap((one, at) =>
    list(record(record(one)['hold'])['approvers']).flatMap((entry, index) => {
      const wrong = typeof entry === 'string' && /^(group|user):/.test(entry) ? wrongAccess(entry, known) : undefined;
      return wrong ? [{ path: [...path, at, 'hold', 'approvers', index], ...wrong }] : [];
    }),
  );
}

/** The record names the rule that decided: a name stands for one rule, and `gateway` for the gateway's own. */
function ofPolicy(rules: unknown, path: Path): Mistake[] {
  const names = list(rules).map((one) => record(one)['rule']);
  return names.flatMap((name, at) => {
    const where = [...path, at, 'rule'];
    if (name === 'gateway') return [{ path: where, message: '"gateway" is what the gateway calls its own rules' }];
    if (typeof name !== 'string' || names.indexOf(name) === at) return [];
    return [{ path: where, message: `this policy has another rule "${name}"` }];
  });
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

const texts = (value: unknown): string[] => list(value).filter((one) => typeof one === 'string');
