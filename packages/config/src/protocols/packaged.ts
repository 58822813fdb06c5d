/**
 * Protocols in packages of somebody else, in a configuration. Owns: how one is named, and settings that all of them have. Does
 * not: find, check or load a package, which is the gateway's.
 */
import { isBuiltin } from 'node:module';
import { z } from 'zod';
import type { ListenerConfig } from '../config.js';
import type { ConfigSources } from '../files.js';
import { didYouMean, type Mistake, type Path } from '../mistake.js';
import { port, secret } from '../values.js';
import { list, record } from '../written.js';
import type { PolicyRules, ProtocolFile, WrittenConnection } from './protocol.js';
import { plainListenerWarnings } from './database.js';
import {
  addresses,
  agentSecret,
  agentSecretName,
  checkAuthority,
  checkOneSecret,
  checkRequired,
  listenerTls,
  reach,
  reached,
  requireTls,
  targetPort,
  targetTls,
  textMaskMistakes,
  toListener,
} from './shared.js';

/** A name that a registry would take, and no path, no address and no module of Node's own. */
const PACKAGE_NAME = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/;
const MAX_NAME_CHARACTERS = 214;

/** `taken`: names of protocols that no package may have. */
const packageName = (taken: readonly string[]) =>
  z
    .string()
    .max(MAX_NAME_CHARACTERS)
    .regex(PACKAGE_NAME, 'write the name of a package, such as "@acme/sluice-redis": no path and no address')
    .refine((name) => !isBuiltin(name), { error: "this is a module of Node's own, and no package" })
    .refine((name) => !taken.includes(name), { error: "a protocol of Sluice's own has this name" });

const protocol = (taken: readonly string[]) => z.strictObject({ package: packageName(taken) });

/** Members of `listeners.packages`. */
export const packagedListener = (outside: ConfigSources, taken: readonly string[]) =>
  z
    .strictObject({
      protocol: protocol(taken),
      address: addresses,
      port,
      tls: listenerTls(outside),
      require_tls: requireTls,
    })
    .superRefine(checkRequired)
    .transform(
      ({ protocol: { package: name }, ...one }): ListenerConfig => ({ ...toListener(name, one), login: undefined }),
    );

export const packagedConnection = (outside: ConfigSources, taken: readonly string[]) =>
  z
    .strictObject({
      protocol: protocol(taken),
      target: z
        .strictObject({ host: z.string().min(1), port: targetPort, ...targetTls(outside) })
        .superRefine(checkAuthority),
      credential: z
        .strictObject({
          user: z.string().min(1).optional(),
          password: secret(outside).optional().describe('"${env:NAME}" or "${file:/path}" keeps it out of this file'),
          secret: agentSecret,
        })
        .superRefine(checkOneSecret)
        .prefault({}),
      options: z
        .record(z.string(), z.unknown())
        .default({})
        .describe('for the protocol, as it is; no place for secrets'),
      ...reach,
    })
    .transform((one): WrittenConnection => {
      const { user = '', password, secret: held } = one.credential;
      return {
        ...reached(one),
        protocol: one.protocol.package,
        target: { ...one.target, ca: one.target.ca, database: undefined, pooled: undefined, hostKeys: undefined },
        credential: { user, password, secret: agentSecretName(held), privateKey: undefined, certificate: false },
        accounts: [],
        shell: 'opaque',
        options: one.options,
        trustedFunctions: [],
        notFollowed: 'mask' as const,
      };
    });

/** The package that a written connection or listener names. */
export const packageOf = (value: unknown): string | undefined => {
  const name = record(record(value)['protocol'])['package'];
  return typeof name === 'string' ? name : undefined;
};

/** Mistakes of a connection by such a protocol. `listened`: packages that have a listener. */
export function packagedMistakes(
  value: unknown,
  path: Path,
  { listened, rules }: { readonly listened: readonly string[]; readonly rules: PolicyRules },
): Mistake[] {
  const name = packageOf(value);
  if (name === undefined) return [];
  const mistakes = textMaskMistakes(value, path, rules, `a protocol in a package`);
  if (listened.includes(name)) return mistakes;
  const hint = didYouMean(name, listened) ?? 'Add it to listeners.packages.';
  return [{ path: [...path, 'protocol'], message: 'no client can connect', hint }, ...mistakes];
}

/** One listener for each package: what it is judged by is the connection that a client asks for. */
export function listedTwice(packages: unknown): Mistake[] {
  const names = list(packages).map(packageOf);
  return names.flatMap((name, at): Mistake[] =>
    name === undefined || names.indexOf(name) === at
      ? []
      : [{ path: ['listeners', 'packages', at, 'protocol'], message: `"${name}" has a listener already` }],
  );
}

/** What is known of a protocol in a package without running its code. */
export const packaged = (
  name: string,
): Pick<ProtocolFile, 'name' | 'title' | 'traits' | 'warnings' | 'listenerWarnings'> => ({
  name,
  title: name,
  traits: { answers: 'text', menu: false, keyExchange: false, alpn: [] },
  warnings: ({ name: connection, target }) =>
    target.tls === 'require' || target.tls === 'disable'
      ? [`Connection "${connection}" does not verify whom it talks to (tls: ${target.tls}).`]
      : [],
  listenerWarnings: (one) => plainListenerWarnings(`Clients of ${name}`, one),
});
