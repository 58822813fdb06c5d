/**
 * Names that are used without being there, or are there twice. Owns: these mistakes. Does not: shapes, which the schema checks.
 */
import { isIP } from 'node:net';
import { NOT_OF_SAML } from './issuers.js';
import { didYouMean, type Mistake, type Path } from './mistake.js';
import { PROTOCOLS } from './protocols/index.js';
import { listedTwice, packageOf, packagedMistakes } from './protocols/packaged.js';
import { list, record, texts } from './written.js';

/**
 * Names that are used without being there, and names that are there twice. Works on the value as it was written, so that
 * these mistakes are found together with those of shape; what has the wrong shape is left to the schema.
 */
export function referenceMistakes(value: unknown): Mistake[] {
  const { principals, connections, policies, listeners, issuers, roles } = record(value);
  const people = record(principals);
  const groups = new Set(Object.values(people).flatMap((one) => texts(record(one)['groups'])));
  const known: KnownNames = {
    people,
    groups: [...groups],
    policies: Object.keys(record(policies)),
    agents: record(listeners)['agents'] !== undefined,
    issuers: Object.keys(record(issuers)),
    listeners: record(listeners),
    rules: record(policies),
  };
  return [
    ...listedTwice(record(listeners)['packages']),
    ...ofIssuers(record(issuers)),
    ...ofConsole(record(listeners)['console'], record(issuers)),
    ...ofSaml(record(listeners)['console'], record(issuers)),
    ...Object.entries(people).flatMap(([name, one]) => ofPrincipal(one, ['principals', name], known)),
    ...Object.entries(record(roles)).flatMap(([name, entries]) => ofAccess(entries, ['roles', name], known)),
    ...Object.entries(record(connections)).flatMap(([name, one]) => ofConnection(one, ['connections', name], known)),
    ...sharedKeys(people),
    ...sharedNames(people),
    ...sharedHosts(record(connections)),
    ...ofPorts(record(listeners), record(connections)),
    ...reservedNames(people),
    ...Object.entries({ principals, connections, policies, issuers }).flatMap(([what, named]) =>
      namesAlike(what, Object.keys(record(named))),
    ),
    ...Object.entries(record(policies)).flatMap(([name, rules]) => [
      ...list(rules).flatMap((rule, at) =>
        holdsOf(rule).flatMap(({ hold, place }) =>
          ofStepUp(hold, ['policies', name, at, ...place], record(listeners)['console']),
        ),
      ),
      ...ofPolicy(rules, ['policies', name]),
      ...approversOf(rules, ['policies', name], known),
    ]),
  ];
}

interface KnownNames {
  readonly people: Readonly<Record<string, unknown>>;
  readonly groups: readonly string[];
  readonly policies: readonly string[];
  /** Whether agents can dial in. */
  readonly agents: boolean;
  readonly issuers: readonly string[];
  /** Sections of `listeners`, as they were written. */
  readonly listeners: Readonly<Record<string, unknown>>;
  readonly rules: Readonly<Record<string, unknown>>;
}

/** Two providers may call two people the same; then one could come in as the other. */
function ofIssuers(issuers: Readonly<Record<string, unknown>>): Mistake[] {
  const all = Object.entries(issuers).map(([name, one]) => ({
    name,
    url: record(one)['issuer'] ?? record(record(one)['saml'])['idp'],
    prefix: record(one)['principal_prefix'] ?? '',
    groups: record(one)['groups'] === undefined ? undefined : (record(one)['groups_prefix'] ?? ''),
  }));
  return all.flatMap(({ name, url, prefix, groups }, at) => {
    const before = all.slice(0, at);
    const twice = url === undefined ? undefined : before.find((one) => one.url === url);
    const same = before.find((one) => one.prefix === prefix);
    const mixed = groups === undefined ? undefined : before.find((one) => one.groups === groups);
    return [
      ...(twice ? [{ path: ['issuers', name, 'issuer'], message: `"${twice.name}" is this issuer already` }] : []),
      ...(same && !twice
        ? [
            {
              path: ['issuers', name, 'principal_prefix'],
              message: `names of "${name}" could be names of "${same.name}"`,
              hint: 'Give each issuer a principal_prefix of its own; one may have none.',
            },
          ]
        : []),
      ...(mixed && !twice
        ? [
            {
              path: ['issuers', name, 'groups'],
              message: `groups of "${name}" could be groups of "${mixed.name}"`,
              hint: 'Give each issuer with groups a groups_prefix of its own; one may have none.',
            },
          ]
        : []),
    ];
  });
}

/** People log in to the console at an issuer, and nowhere else. */
function ofConsole(value: unknown, issuers: Readonly<Record<string, unknown>>): Mistake[] {
  const canLogIn = Object.values(issuers)
    .map(record)
    .some((one) => one['kind'] !== 'agent' && (one['client_id'] ?? one['console'] ?? one['saml']) !== undefined);
  if (value === undefined || canLogIn) return [];
  const message = 'nobody can log in to the console';
  return [{ path: ['listeners', 'console'], message, hint: 'Add an issuer with a client_id: docs/console.md.' }];
}

/** The browser comes back to the console; and what is of tokens has no meaning where there are none. */
function ofSaml(console: unknown, issuers: Readonly<Record<string, unknown>>): Mistake[] {
  const those = Object.entries(issuers).filter(([, one]) => record(one)['saml'] !== undefined);
  return those.flatMap(([name, one]): Mistake[] => [
    ...(console === undefined
      ? [
          {
            path: ['issuers', name, 'saml'],
            message: 'nobody can log in by it: a browser comes back to the console, and there is none',
            hint: 'Add listeners.console: docs/console.md.',
          },
        ]
      : []),
    ...Object.keys(record(one))
      .filter((key) => NOT_OF_SAML.includes(key))
      .map(
        (key): Mistake => ({ path: ['issuers', name, key], message: `"${key}" has no meaning with "saml"`, at: 'key' }),
      ),
  ]);
}

function ofPrincipal(value: unknown, path: Path, { issuers }: KnownNames): Mistake[] {
  const { issuer, subject } = record(value);
  if (issuer === undefined && subject !== undefined)
    return [{ path: [...path, 'subject'], message: '"subject" says nothing without "issuer"' }];
  if (typeof issuer !== 'string' || issuers.includes(issuer)) return [];
  const hint = didYouMean(issuer, issuers);
  return [{ path: [...path, 'issuer'], message: `there is no issuer "${issuer}"`, hint }];
}

function ofAccess(entries: unknown, path: Path, known: KnownNames): Mistake[] {
  return list(entries).flatMap((entry, at) => {
    const wrong = typeof entry === 'string' ? wrongAccess(entry, known) : undefined;
    return wrong ? [{ path: [...path, at], ...wrong }] : [];
  });
}

function ofConnection(value: unknown, path: Path, known: KnownNames): Mistake[] {
  const { policies, access, via, credential, approval, mcp } = record(value);
  const { changes } = record(mcp);
  const noListener = { path: [...path, 'via'], message: 'no agent can dial in', hint: 'Add listeners.agents.' };
  const noAgent = { path: [...path, 'credential', 'secret'], message: 'no agent is asked for it', hint: 'Add "via".' };
  return [
    ...ofProtocol(value, path, known),
    ...(via !== undefined && !known.agents ? [noListener] : []),
    ...(record(credential)['secret'] !== undefined && via === undefined ? [noAgent] : []),
    ...list(policies).flatMap((name, at) => {
      if (typeof name !== 'string' || known.policies.includes(name)) return [];
      const hint = didYouMean(name, known.policies);
      return [{ path: [...path, 'policies', at], message: `there is no policy "${name}"`, hint }];
    }),
    ...ofAccess(access, [...path, 'access'], known),
    ...ofAccess(record(approval)['approvers'], [...path, 'approval', 'approvers'], known),
    ...ofAccess(record(record(approval)['escalate'])['to'], [...path, 'approval', 'escalate', 'to'], known),
    ...ofApprovers(record(approval)['break_glass'], [...path, 'approval', 'break_glass'], known),
    ...ofStepUp(approval, [...path, 'approval'], known.listeners['console']),
    ...ofGrant(record(credential)['grant'], [...path, 'credential', 'grant'], known.listeners['console']),
    ...ofApprovers(record(changes)['approvers'], [...path, 'mcp', 'changes', 'approvers'], known),
    ...ofApprovers(record(record(changes)['escalate'])['to'], [...path, 'mcp', 'changes', 'escalate', 'to'], known),
    ...ofStepUp(changes, [...path, 'mcp', 'changes'], known.listeners['console']),
  ];
}

/** A grant is given by somebody who is logged in with a browser: by nobody else for them. */
function ofGrant(grant: unknown, path: Path, console: unknown): Mistake[] {
  if (grant === undefined || console !== undefined) return [];
  return [{ path, message: 'nobody can give a grant, since there is no console', hint: 'Add listeners.console.' }];
}

/** Security keys are shown in the console, and nobody else has one. */
function ofStepUp(value: unknown, path: Path, console: unknown): Mistake[] {
  const { step_up: stepUp, approvers, escalate, on_timeout: onTimeout } = record(value);
  if (stepUp === undefined) return [];
  const mistake = (message: string, hint: string): Mistake => ({ path: [...path, 'step_up'], message, hint });
  const program = [...texts(approvers), ...texts(record(escalate)['to'])].find((one) => one.startsWith('agent:'));
  if (console === undefined)
    return [mistake('nobody can show a security key, since there is no console', 'Add listeners.console.')];
  const { external_url: url, address } = record(console);
  const at = URL.parse(String(url ?? `http://${[address ?? '127.0.0.1'].flat()[0]}`))?.hostname ?? '';
  // Web Authentication (section 5.1.3): a key belongs to a domain.
  if (isIP(at.replaceAll(/[[\]]/g, '')) !== 0)
    return [
      mistake(
        'browsers show no security key to an address that is a number',
        'Give listeners.console an external_url with a name: http://localhost:7440 on loopback.',
      ),
    ];
  if (program !== undefined) return [mistake(`"${program}" has no security key`, 'Name people.')];
  if (onTimeout === 'allow')
    return [mistake('it would pass without a security key when nobody answers', 'Take on_timeout out.')];
  return [];
}

/** What is a mistake by the protocol of a connection. */
function ofProtocol(value: unknown, path: Path, { rules, listeners }: KnownNames): Mistake[] {
  const protocol = PROTOCOLS.find(({ name }) => name === record(value)['protocol']);
  if (!protocol) {
    const listened = list(listeners['packages']).flatMap((one) => packageOf(one) ?? []);
    return packagedMistakes(value, path, { listened, rules });
  }
  const { name, title } = protocol;
  const mistakes = protocol.mistakes(value, path, rules);
  if (protocol.isListened(listeners[name])) return mistakes;
  const hint = `Add listeners.${name}.`;
  return [{ path: [...path, 'protocol'], message: `no ${title} client can connect`, hint }, ...mistakes];
}

/** An entry that admits nobody is a slip of the pen: whoever wrote it had somebody in mind. */
function wrongAccess(entry: string, { people, groups, issuers }: KnownNames): Omit<Mistake, 'path'> | undefined {
  if (entry === '*') return undefined;
  if (entry.startsWith('claim:')) {
    if (!/^claim:[^=]+=.+$/s.test(entry))
      return { message: `"${entry}" asks for nothing`, hint: 'Write claim:name=value.' };
    return issuers.length > 0 ? undefined : { message: 'only tokens of an issuer have claims', hint: 'Add "issuers".' };
  }
  const colon = entry.indexOf(':');
  const name = entry.slice(colon + 1);
  const kind = colon < 0 ? 'name' : entry.slice(0, colon);
  if (kind === 'group') {
    // Identity providers have groups and people that are not written here.
    if (groups.includes(name) || issuers.length > 0) return undefined;
    const hint = didYouMean(name, groups);
    return { message: `no principal is in a group "${name}"`, hint, admitsNobody: true };
  }
  if (!['user', 'agent', 'name'].includes(kind)) {
    return {
      message: `"${entry}" names nobody`,
      hint: 'Write group:name, user:name, agent:name, claim:name=value or "*".',
    };
  }
  if (!Object.hasOwn(people, name)) {
    if (issuers.length > 0) return undefined;
    const hint = didYouMean(name, Object.keys(people));
    return { message: `there is no principal "${name}"`, hint, admitsNobody: true };
  }
  const actual = record(people[name])['kind'] === 'agent' ? 'agent' : 'user';
  if (kind === 'name' || kind === actual) return undefined;
  return { message: `"${name}" is ${actual === 'agent' ? 'an agent' : 'a person'}`, hint: `Write ${actual}:${name}.` };
}

/** What the gateway calls somebody of its own. */
const RESERVED_PRINCIPALS: readonly string[] = ['operator', 'gateway'];

/** Whoever has such a name would be the gateway's own administrator, whatever their roles here say. */
const reservedNames = (people: Readonly<Record<string, unknown>>): Mistake[] =>
  Object.keys(people)
    .filter((name) => RESERVED_PRINCIPALS.includes(name.toLowerCase()))
    .map((name) => ({
      path: ['principals', name],
      message: `"${name}" is a name of the gateway's own`,
      hint: 'Choose another name; roles: [admin] makes an administrator.',
      at: 'key',
    }));

/** Names are told apart by their case, people do not: a token for "Bob" is not one for "bob". */
const namesAlike = (what: string, names: readonly string[]): Mistake[] =>
  names.flatMap((name, at): Mistake[] => {
    const before = names.slice(0, at).find((one) => one.toLowerCase() === name.toLowerCase());
    if (before === undefined) return [];
    return [{ path: [what, name], message: `"${name}" and "${before}" differ in their case only`, at: 'key' }];
  });

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

/** A name in a certificate stands for one principal. */
function sharedNames(people: Readonly<Record<string, unknown>>): Mistake[] {
  const owners = new Map<string, string>();
  return Object.entries(people).flatMap(([name, one]) =>
    list(record(one)['certificates']).flatMap((san, at): Mistake[] => {
      const owner = typeof san === 'string' ? owners.get(san) : undefined;
      if (typeof san === 'string') owners.set(san, owner ?? name);
      if (owner === undefined) return [];
      return [{ path: ['principals', name, 'certificates', at], message: `this stands for "${owner}" already` }];
    }),
  );
}

/** A host leads to one connection. */
function sharedHosts(connections: Readonly<Record<string, unknown>>): Mistake[] {
  const owners = new Map<string, string>();
  return Object.entries(connections).flatMap(([name, one]) =>
    list(record(one)['hosts']).flatMap((host, at): Mistake[] => {
      const key = String(host).toLowerCase();
      const owner = owners.get(key);
      owners.set(key, owner ?? name);
      if (owner === undefined) return [];
      return [{ path: ['connections', name, 'hosts', at], message: `this host leads to "${owner}" already` }];
    }),
  );
}

/** A port of its own is for a connection of the listener's protocol. */
function ofPorts(
  listeners: Readonly<Record<string, unknown>>,
  connections: Readonly<Record<string, unknown>>,
): Mistake[] {
  return Object.entries(listeners).flatMap(([protocol, listener]) =>
    Object.keys(record(record(listener)['ports'])).flatMap((name): Mistake[] => {
      if (record(connections[name])['protocol'] === protocol) return [];
      const message = `there is no connection "${name}" of this protocol`;
      return [{ path: ['listeners', protocol, 'ports', name], message, at: 'key' }];
    }),
  );
}

/** Whoever is to release a command has to be somebody. */
function approversOf(rules: unknown, path: Path, known: KnownNames): Mistake[] {
  return list(rules).flatMap((one, at) =>
    holdsOf(one).flatMap(({ hold, place }) => {
      const { approvers, escalate, break_glass: passing } = record(hold);
      return [
        ...ofApprovers(approvers, [...path, at, ...place, 'approvers'], known),
        ...ofApprovers(record(escalate)['to'], [...path, at, ...place, 'escalate', 'to'], known),
        ...ofApprovers(passing, [...path, at, ...place, 'break_glass'], known),
      ];
    }),
  );
}

/** Where a rule may have people release something. */
function holdsOf(rule: unknown): { readonly hold: unknown; readonly place: readonly string[] }[] {
  const { hold, hold_answer, hold_commit, budget } = record(rule);
  return [
    { hold, place: ['hold'] },
    { hold: hold_answer, place: ['hold_answer'] },
    { hold: hold_commit, place: ['hold_commit'] },
    { hold: record(budget)['hold'], place: ['budget', 'hold'] },
  ];
}

const ofApprovers = (entries: unknown, path: Path, known: KnownNames): Mistake[] =>
  list(entries).flatMap((entry, at) => {
    const isOne = typeof entry === 'string' && /^(group|user|agent):/.test(entry);
    const wrong = isOne ? wrongAccess(entry, known) : undefined;
    return wrong ? [{ path: [...path, at], ...wrong }] : [];
  });

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
