/**
 * From a file to a checked configuration. Owns: all mistakes at once, and the typed form. Does not: single shapes (schema.ts)
 * and references (references.ts).
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { HoldRule, MaskMode, Rule } from '@sluice/contract';
import { toBound, toBudget, toTripwire } from './budgets.js';
import {
  type Config,
  type ConnectionConfig,
  type IssuerConfig,
  type ListenerConfig,
  type ConfigProblem,
  describeProblem,
} from './config.js';
import { formatPath, parsePath, type TextPosition, SettingsDocument } from './document.js';
import { type Less, lessOf } from './less.js';
import { type Mistake, mistakesOf, type Path } from './mistake.js';
import { referenceMistakes } from './references.js';
import { releaseOf } from './release.js';
import { PROTOCOL_NAMES } from './protocols/index.js';
import { jsonSchema, type Settings, settings } from './schema.js';

export type Loaded =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly locate: Locate;
      /** What is no mistake and worth knowing, in sentences. */
      readonly warnings: readonly string[];
      readonly less: LessOf;
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[]; readonly less?: LessOf };

/** What of a configuration in force is left without what the file takes away; undefined: all. */
export type LessOf = (now: Config) => Less | undefined;

/** Where a path such as `policies.production[2].when` stands, for mistakes that only its user can find. */
export type Locate = (path: string) => TextPosition & { readonly file: string };

/** Reads and checks a configuration file. `anyEnvironment`: see `Outside`. */
export function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env, anyEnvironment = false): Loaded {
  try {
    return parseConfig(readFileSync(file, 'utf8'), { file, env, anyEnvironment });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const message = `The configuration cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code}.`;
    return { ok: false, problems: [{ file, line: 1, column: 1, path: '', message }] };
  }
}

/** Checks a configuration text. Finds all mistakes at once; relative paths in it are relative to its folder. */
export function parseConfig(
  text: string,
  { file, env, anyEnvironment = false }: { file: string; env: NodeJS.ProcessEnv; anyEnvironment?: boolean },
): Loaded {
  const document = new SettingsDocument(text);
  if (document.mistakes.length > 0) {
    const problems = document.mistakes.map(({ message, ...place }) => ({
      file,
      ...place,
      path: '',
      message: `${message}.`,
    }));
    return { ok: false, problems };
  }
  const warnings: string[] = [];
  const outside = {
    folder: dirname(resolve(file)),
    env,
    anyEnvironment,
    warn: (warning: string) => void warnings.push(warning),
  };
  const parsed = settings(outside).safeParse(document.value);
  const mistakes = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => mistakesOf(issue, keysAt)),
    ...referenceMistakes(document.value),
  ];
  const problems = mistakes
    .map((mistake) => ({ file, ...document.find(mistake.path, mistake.at), ...inWords(mistake) }))
    .sort((a, b) => a.line - b.line || a.column - b.column);
  // Whoever takes the last member out of a group takes rights away: that is not held back.
  const less: LessOf = (now) => lessOf(now, document.value, mistakes);
  if (!parsed.success || mistakes.some(({ admitsNobody }) => !admitsNobody)) return { ok: false, problems, less };
  const locate: Locate = (path) => ({ file, ...document.find(parsePath(path)) });
  // What names nobody keeps nobody else from anything.
  warnings.push(...problems.map(describeProblem));
  return { ok: true, config: toConfig(parsed.data, outside.folder), locate, warnings, less };
}

function inWords({ path, message, hint }: Mistake): Pick<ConfigProblem, 'path' | 'message' | 'hint'> {
  const sentence = message.endsWith('.') ? message : `${message}.`;
  return { path: formatPath(path), message: sentence, ...(hint !== undefined && { hint }) };
}

function toConfig(from: Settings, folder: string): Config {
  const { agents, packages } = from.listeners;
  const own: Readonly<Record<string, unknown>> = from.listeners;
  const { recorded_answer, upstream_login, sessions_per_principal, logins_per_address, ...limits } = from.limits;
  const rules = mapped(from.policies, (list, name) =>
    list.map((one, at): Rule => {
      const then = thenOf(one);
      const path = formatPath(['policies', name, at]);
      return { rule: one.rule, ...(one.when !== undefined && { when: one.when }), then, mode: one.mode, path };
    }),
  );
  return {
    folder,
    data: resolve(folder, from.data),
    listeners: {
      clients: [...PROTOCOL_NAMES.flatMap((name) => (own[name] as ListenerConfig | undefined) ?? []), ...packages],
      agents: toAgents(agents),
      console: from.listeners.console,
    },
    control: from.control,
    limits: {
      ...limits,
      recordedAnswer: recorded_answer,
      upstreamLogin: upstream_login,
      sessionsPerPrincipal: sessions_per_principal,
      loginsPerAddress: logins_per_address,
    },
    record: toRecord(from.record, folder),
    webhooks: from.webhooks,
    issuers: mapped(from.issuers, toIssuer),
    roles: from.roles,
    principals: mapped(from.principals, ({ kind, groups, roles, issuer, subject }, name) => ({
      name,
      kind,
      groups,
      roles,
      ...(issuer !== undefined && { issuer }),
      ...(subject !== undefined && { subject }),
    })),
    sshKeys: mapped(from.principals, ({ ssh_keys }) => ssh_keys),
    certificates: new Map(
      Object.entries(from.principals).flatMap(([name, { certificates }]) =>
        certificates.map((one) => [one, name] as const),
      ),
    ),
    sshUserCa: from.ssh_user_ca,
    connections: mapped(from.connections, (one, name) => toConnection(one, name, rules)),
  };
}

function toRecord({ max_size, witness, ...record }: Settings['record'], folder: string): Config['record'] {
  const { file, webhook } = witness;
  return {
    ...record,
    maxSize: max_size === 'off' ? Infinity : max_size,
    witness: { file: file === undefined ? undefined : resolve(folder, file), webhook },
  };
}

function toConnection(
  one: Settings['connections'][string],
  name: string,
  rules: ReadonlyMap<string, readonly Rule[]>,
): ConnectionConfig {
  return { ...one, name, rules: one.policies.flatMap((policy) => rules.get(policy) ?? []) };
}

function toIssuer(from: Settings['issuers'][string], name: string): IssuerConfig {
  const { client_id: clientId, client_secret: clientSecret, scopes, token, saml } = from;
  const any = {
    name,
    kind: from.kind,
    principal: { claim: from.principal, prefix: from.principal_prefix },
    groups: { claim: from.groups, prefix: from.groups_prefix },
    require: Object.fromEntries(Object.entries(from.require).map(([claim, value]) => [claim, [value].flat()])),
    clockSkew: from.clock_skew,
    tokens: from.tokens,
    endsSessions: from.ends_sessions,
    record: from.record,
  };
  if (saml) {
    const { idp, sso_url: ssoUrl, certificate, entity_id: entityId } = saml;
    return { ...any, saml: { idp, ssoUrl, certificates: certificate, entityId } };
  }
  return {
    ...any,
    url: from.issuer ?? '',
    audience: [from.audience ?? []].flat(),
    login: clientId === undefined ? undefined : { clientId, clientSecret, token },
    console: from.console && { clientId: from.console.client_id, clientSecret: from.console.client_secret },
    scopes,
    authorizedParties: from.authorized_parties,
    algorithms: from.algorithms,
    keysMaxAge: from.keys_max_age,
  };
}

function thenOf({
  deny,
  mask,
  hold,
  hold_answer,
  hold_commit,
  budget,
  risk,
  tripwire,
  ...bounds
}: Settings['policies'][string][number]): Rule['then'] {
  if (deny !== undefined) return { type: 'deny', message: deny };
  if (risk !== undefined) return { type: 'risk', points: risk };
  if (tripwire) return toTripwire(tripwire);
  if (budget) {
    const { hold: beyond, ...amounts } = budget;
    return toBudget(amounts, beyond && holdOf(beyond));
  }
  const bound = toBound(bounds);
  if (bound) return bound;
  if (hold_answer) {
    const { on_timeout: onTimeout, ...rest } = hold_answer;
    return { type: 'hold_answer', ...releaseOf({ ...rest, fail: false }), onTimeout };
  }
  if (hold_commit) {
    const { open: openMs, lock_wait: lockWaitMs, ...rest } = hold_commit;
    return { type: 'hold_commit', ...releaseOf(rest), onTimeout: 'deny', transaction: { openMs, lockWaitMs } };
  }
  if (hold) return holdOf(hold);
  if (!mask) return { type: 'allow' };
  const { columns, detect, json, headers, spec, request } = mask;
  const mode: MaskMode =
    typeof mask.with === 'string' ? { type: mask.with } : { type: 'partial', keepLast: mask.with.partial.keep_last };
  return {
    type: 'mask',
    columns,
    detect,
    with: mode,
    ...(json && { json }),
    ...(headers && { headers }),
    ...(spec && { spec }),
    ...(request && { request }),
  };
}

function holdOf({
  on_timeout: onTimeout,
  preview,
  ...rest
}: NonNullable<Settings['policies'][string][number]['hold']>): HoldRule {
  return { type: 'hold', ...releaseOf(rest), onTimeout, ...(preview && { preview }) };
}

function toAgents(from: Settings['listeners']['agents']): Config['listeners']['agents'] {
  return from && { addresses: [from.address].flat(), port: from.port, tls: from.tls };
}

const mapped = <From, To>(from: Record<string, From>, each: (value: From, name: string) => To): Map<string, To> =>
  new Map(Object.entries(from).map(([name, value]) => [name, each(value, name)]));

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** The keys that an object of the configuration may have; of a choice of shapes, those of all of them. */
function keysAt(path: Path): readonly string[] {
  let at: readonly JsonSchema[] = [jsonSchema()];
  for (const key of path) {
    at = at.flatMap(shapes).flatMap((one) => {
      const next =
        typeof key === 'number' ? one.items : (one.properties?.[key] ?? (one.additionalProperties || undefined));
      return next ? [next] : [];
    });
  }
  return [...new Set(at.flatMap(shapes).flatMap((one) => Object.keys(one.properties ?? {})))];
}

const shapes = (schema: JsonSchema): readonly JsonSchema[] =>
  (schema.anyOf ?? schema.oneOf)?.flatMap(shapes) ?? [schema];
