import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Rule } from '@sluice/contract';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import type { Config, ConnectionConfig, Problem } from './config.js';
import { type Raw, type RawRule, schema } from './schema.js';
import { Secret } from './values.js';

export type Loaded =
  | { readonly ok: true; readonly config: Config; readonly locate: Locate }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Where a path such as `policies.production[2].when` stands. */
export type Locate = (path: string) => { file: string; line: number; column: number };

/** Reads and checks a configuration file. */
export function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): Loaded {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
    return {
      ok: false,
      problems: [{ file, line: 1, column: 1, path: '', message: `The configuration cannot be read: ${why}.` }],
    };
  }
  return parseConfig(text, { file, env });
}

/** Checks a configuration text. Finds all mistakes at once; relative paths in it are relative to its folder. */
export function parseConfig(text: string, { file, env }: { file: string; env: NodeJS.ProcessEnv }): Loaded {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const place = (offset: number): { file: string; line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    return {
      ok: false,
      problems: document.errors.map((error) => ({
        ...place(error.pos[0]),
        path: '',
        message: error.message.split('\n')[0] ?? '',
      })),
    };
  }
  const locate: Locate = (path) => place(offsetOf(document, segments(path)));

  const raw = schema.safeParse(document.toJS() ?? {});
  if (!raw.success) {
    const problems = raw.error.issues.flatMap((issue) => describe(issue));
    return { ok: false, problems: problems.map(({ path, message }) => ({ ...locate(path), path, message })) };
  }
  const reader = new ConfigReader(dirname(resolve(file)), env);
  const config = reader.read(raw.data);
  return reader.problems.length > 0
    ? { ok: false, problems: reader.problems.map(({ path, message }) => ({ ...locate(path), path, message })) }
    : { ok: true, config, locate };
}

/** From what the file says to what it means: files read, secrets resolved, names looked up. */
class ConfigReader {
  readonly problems: { path: string; message: string }[] = [];
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#env = env;
  }

  read(raw: Raw): Config {
    const { listeners, limits } = raw;
    const rules = new Map(
      Object.entries(raw.policies).map(([name, list]) => [
        name,
        list.map((rule, at) => this.#rule(rule, `policies.${name}[${at}]`)),
      ]),
    );
    const { address, port, tls } = listeners.postgres;
    return {
      data: resolve(this.#folder, raw.data),
      listeners: {
        postgres: {
          addresses: typeof address === 'string' ? [address] : address,
          port,
          tls:
            typeof tls === 'string'
              ? tls
              : {
                  cert: this.#file(tls.cert, 'listeners.postgres.tls.cert'),
                  key: this.#file(tls.key, 'listeners.postgres.tls.key'),
                },
        },
      },
      control: raw.control,
      limits: {
        message: limits.message,
        recorded: limits.recorded,
        handshake: limits.handshake,
        upstreamLogin: limits.upstream_login,
        idle: limits.idle,
        sessionsPerPrincipal: limits.sessions_per_principal,
        connections: limits.connections,
        drain: limits.drain,
      },
      record: raw.record,
      principals: new Map(Object.entries(raw.principals).map(([name, principal]) => [name, { name, ...principal }])),
      connections: new Map(
        Object.entries(raw.connections).map(([name, connection]) => [
          name,
          this.#connection(name, connection, raw, rules),
        ]),
      ),
    };
  }

  #connection(
    name: string,
    raw: Raw['connections'][string],
    all: Raw,
    rules: ReadonlyMap<string, Rule[]>,
  ): ConnectionConfig {
    const path = `connections.${name}`;
    if (raw.via !== undefined)
      this.#say(`${path}.via`, 'This version has no agents yet: it reaches a target directly. Take "via" out.');
    raw.policies.forEach((policy, at) => {
      if (!rules.has(policy))
        this.#say(`${path}.policies[${at}]`, `There is no policy "${policy}".${nearest(policy, [...rules.keys()])}`);
    });
    const groups = new Set(Object.values(all.principals).flatMap((principal) => principal.groups));
    raw.access.forEach((entry, at) => this.#access(entry, `${path}.access[${at}]`, groups, all));
    const { host, port, database, tls, ca } = raw.target;
    return {
      name,
      protocol: raw.protocol,
      target: { host, port, database, tls, ca: ca === undefined ? undefined : this.#file(ca, `${path}.target.ca`) },
      credential: {
        user: raw.credential.user,
        password:
          raw.credential.password === undefined
            ? undefined
            : this.#secret(raw.credential.password, `${path}.credential.password`),
      },
      access: raw.access,
      policies: raw.policies,
      rules: raw.policies.flatMap((policy) => rules.get(policy) ?? []),
      trustedFunctions: raw.functions.trusted,
    };
  }

  #access(entry: string, path: string, groups: ReadonlySet<string>, all: Raw): void {
    const [kind = '', name = ''] = entry.includes(':') ? entry.split(':', 2) : ['name', entry];
    const known = kind === 'group' ? groups.has(name) : entry === '*' || Object.hasOwn(all.principals, name);
    if (!['group', 'user', 'agent', 'name'].includes(kind)) {
      this.#say(path, `"${entry}" names nobody: write group:name, user:name, agent:name or "*".`);
    } else if (!known) {
      const candidates = kind === 'group' ? [...groups] : Object.keys(all.principals);
      this.#say(path, `No principal of this configuration is meant by "${entry}".${nearest(name, candidates)}`);
    }
  }

  #rule(raw: RawRule, path: string): Rule {
    for (const later of ['mask', 'hold'] as const) {
      if (raw[later] !== undefined) {
        this.#say(
          `${path}.${later}`,
          `This version cannot enforce "${later}", so it does not start with a rule that relies on it. Use "deny" meanwhile.`,
        );
      }
    }
    if (raw.mask === undefined && raw.hold === undefined && (raw.deny === undefined) === (raw.allow === undefined)) {
      this.#say(path, `Rule "${raw.rule}" needs one of "deny" and "allow".`);
    }
    return {
      rule: raw.rule,
      ...(raw.when !== undefined && { when: raw.when }),
      then: raw.deny === undefined ? { type: 'allow' } : { type: 'deny', message: raw.deny },
      mode: raw.mode,
      path,
    };
  }

  #secret(text: string, path: string): Secret | undefined {
    const [, source, name = ''] = /^\$\{(env|file):([^}]+)\}$/.exec(text) ?? [];
    if (source === 'file') return new Secret(this.#file(name, path).replace(/\r?\n$/, ''));
    if (source === undefined) return new Secret(text);
    const value = this.#env[name];
    if (value === undefined) this.#say(path, `The environment variable ${name} is not set.`);
    return new Secret(value ?? '');
  }

  #file(name: string, path: string): string {
    try {
      return readFileSync(resolve(this.#folder, name), 'utf8');
    } catch (error) {
      this.#say(
        path,
        `The file ${resolve(this.#folder, name)} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'error'}.`,
      );
      return '';
    }
  }

  #say(path: string, message: string): void {
    this.problems.push({ path, message });
  }
}

type Issue = z.core.$ZodIssue;

/** What zod found, in sentences. */
function describe(issue: Issue): { path: string; message: string }[] {
  const path = issue.path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      message: `"${key}" is not a setting${path === '' ? '' : ` of ${path}`}.${nearest(key, KNOWN)}`,
    }));
  }
  return [{ path, message: `${path === '' ? 'The configuration' : path}: ${issue.message}.` }];
}

const KNOWN = [
  'data',
  'listeners',
  'control',
  'limits',
  'record',
  'principals',
  'connections',
  'policies',
  'postgres',
  'address',
  'port',
  'tls',
  'cert',
  'key',
  'message',
  'recorded',
  'handshake',
  'upstream_login',
  'idle',
  'sessions_per_principal',
  'drain',
  'durability',
  'parameters',
  'segment',
  'kind',
  'groups',
  'roles',
  'protocol',
  'target',
  'host',
  'database',
  'ca',
  'credential',
  'user',
  'password',
  'access',
  'functions',
  'trusted',
  'rule',
  'when',
  'deny',
  'allow',
  'mode',
];

function nearest(word: string, candidates: readonly string[]): string {
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: distance(word, candidate) }))
    .filter((one) => one.distance <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best ? ` Did you mean "${best.candidate}"?` : '';
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const segments = (path: string): (string | number)[] =>
  path === '' ? [] : path.split(/\.|(?=\[)/).map((part) => (part.startsWith('[') ? Number(part.slice(1, -1)) : part));

/** Offset of the value at a path, or of the nearest thing around it that is there. Keys may contain dots: longest first. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    if (node?.range) return node.range[0];
  }
  return 0;
}
