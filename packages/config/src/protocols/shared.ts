/**
 * Settings that the connections and listeners of several protocols have. Lives here: their schemas, and mistakes that several
 * protocols share. Does not: which protocol has which.
 */
import { isLoopback } from '@sluice/addresses';
import { z } from 'zod';
import type { SessionApproval } from '../config.js';
import { releaseOf, sessionApproval } from '../release.js';
import type { ConfigSources } from '../files.js';
import type { Mistake, Path } from '../mistake.js';
import { fileText, keep, name, port, privateFileText } from '../values.js';
import { list, record } from '../written.js';
import type { PolicyRules, WrittenConnection } from './protocol.js';

/** Whether others than this machine reach one of these addresses. */
export const isExposed = (address: string | readonly string[]): boolean =>
  [address].flat().some((one) => !isLoopback(one));

export const addresses = z
  .union([z.string(), z.array(z.string()).min(1)], { error: 'write one address or a list of them' })
  .default('127.0.0.1')
  .describe('one address or several; "::" is all of them');

export const listenerTls = (outside: ConfigSources) =>
  z
    .union(
      [z.enum(['self-signed', 'off']), z.strictObject({ cert: fileText(outside), key: privateFileText(outside) })],
      { error: 'write self-signed, off, or { cert: file, key: file }' },
    )
    .default('self-signed')
    .describe("files in PEM, a certificate of the gateway's own, or none");

export const requireTls = z
  .boolean()
  .optional()
  .describe('clients without TLS are not let in; default: true where others than this machine reach the port');

/** TLS that is required and switched off would let nobody in. */
export function checkRequired(
  {
    address,
    tls,
    require_tls = isExposed(address),
  }: { address: string | string[]; tls: unknown; require_tls?: boolean | undefined },
  context: z.core.$RefinementCtx,
): void {
  if (tls !== 'off' || !require_tls) return;
  const message = 'TLS is required here and switched off, so nobody could log in';
  const hint = 'Switch tls on; with require_tls: false others can read and change what clients send.';
  context.addIssue({ code: 'custom', path: ['tls'], message, params: { hint } });
}

/** The typed form of a listener with TLS of its own. */
export const toListener = <From extends { address: string | string[]; require_tls?: boolean | undefined }>(
  protocol: string,
  { address, require_tls = isExposed(address), ...one }: From,
) => ({ protocol, addresses: [address].flat(), ...one, requireTls: require_tls });

/** How TLS with a target is made. */
export const targetTls = (outside: ConfigSources) => ({
  tls: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).default('verify-full'),
  ca: fileText(outside).optional().describe('file with the PEM of the authority to trust'),
});

/** An authority that nobody looks at is a slip of the pen. */
export function checkAuthority(
  { tls, ca }: { tls: string; ca?: string | undefined },
  context: z.core.$RefinementCtx,
): void {
  if (ca === undefined || tls.startsWith('verify')) return;
  const message = `"ca" is not looked at with "tls: ${tls}"`;
  context.addIssue({ code: 'custom', path: ['ca'], message, params: { hint: 'Use verify-ca or verify-full.' } });
}

export const targetPort = port.min(1);

export const agentSecret = z
  .string()
  .regex(/^agent:\S+$/, 'write agent:NAME, a name in the secrets file of the agent')
  .optional()
  .describe('agent:NAME: the agent of "via" has the password and sends it with each dial');

/** The name that an agent knows a secret by. */
export const agentSecretName = (secret: string | undefined): string | undefined => secret?.slice('agent:'.length);

/** A password is written here, or an agent has it. */
export function checkOneSecret(
  { password, secret }: { password?: unknown; secret?: unknown },
  context: z.core.$RefinementCtx,
): void {
  if (password === undefined || secret === undefined) return;
  const message = 'there is a "password" already: use one of them';
  context.addIssue({ code: 'custom', path: ['secret'], message });
}

/** What connections of every protocol have. */
export const reach = {
  access: z
    .array(z.string())
    .default([])
    .describe('who may use it: group:name, user:name, agent:name, claim:name=value, or "*"'),
  approval: sessionApproval.optional().describe('people have to agree before a session begins'),
  policies: z.array(z.string()).default([]).describe('names of policies; the rules of all of them apply'),
  via: name.optional().describe('the agent that dials the target, from inside its network'),
  keep: keep
    .optional()
    .describe('how long the record of its sessions stays, such as 90d; off: for ever; without it, as record.keep says'),
};

/** Of a written connection what every protocol has. */
export const reached = (
  one: z.output<z.ZodObject<typeof reach>>,
): Pick<WrittenConnection, 'access' | 'approval' | 'policies' | 'via' | 'keep'> => ({
  access: one.access,
  approval: one.approval && approvalOf(one.approval),
  policies: one.policies,
  via: one.via,
  keep: one.keep,
});

const approvalOf = ({ window, ...rest }: z.output<typeof sessionApproval>): SessionApproval => ({
  ...releaseOf(rest),
  window,
});

/** Of a mask what only bodies and heads by HTTP have. */
const OF_HTTP = ['json', 'headers', 'spec', 'request'] as const;

/** A mask of bodies by HTTP on a connection by another protocol would be believed in vain. */
export const httpMaskMistakes = (value: unknown, path: Path, rules: PolicyRules, title: string): Mistake[] =>
  list(record(value)['policies']).flatMap((policy, at) =>
    (typeof policy === 'string' ? list(rules[policy]) : []).flatMap((rule): Mistake[] => {
      const mask = record(record(rule)['mask']);
      const member = OF_HTTP.find((name) => mask[name] !== undefined);
      if (member === undefined) return [];
      const message = `rule "${String(record(rule)['rule'])}" has a mask with "${member}", which is for HTTP, and this is ${title}`;
      return [{ path: [...path, 'policies', at], message, hint: 'Use a policy of its own for HTTP.' }];
    }),
  );

/** What is wrong in rules for a protocol that has neither places in bodies nor transactions that are followed. */
export const noTransactionMistakes = (value: unknown, path: Path, rules: PolicyRules, title: string): Mistake[] => [
  ...httpMaskMistakes(value, path, rules, title),
  ...holdCommitMistakes(value, path, rules, title),
];

/** Where no transaction is followed nobody could look at it before its COMMIT. */
export const holdCommitMistakes = (value: unknown, path: Path, rules: PolicyRules, title: string): Mistake[] =>
  list(record(value)['policies']).flatMap((policy, at) =>
    (typeof policy === 'string' ? list(rules[policy]) : []).flatMap((rule): Mistake[] => {
      if (record(rule)['hold_commit'] === undefined) return [];
      const message = `rule "${String(record(rule)['rule'])}" has "hold_commit", which is for PostgreSQL, and this is ${title}`;
      const hint = 'Use "hold", or a policy of its own for PostgreSQL.';
      return [{ path: [...path, 'policies', at], message, hint }];
    }),
  );

/** What masks of columns and values cannot do to a text is refused here, and not when somebody relies on it. */
export function textMaskMistakes(value: unknown, path: Path, rules: PolicyRules, title: string): Mistake[] {
  return [...noTransactionMistakes(value, path, rules, title), ...textMasks(value, path, rules, title)];
}

function textMasks(value: unknown, path: Path, rules: PolicyRules, title: string): Mistake[] {
  return list(record(value)['policies']).flatMap((policy, at) =>
    (typeof policy === 'string' ? list(rules[policy]) : []).flatMap((rule): Mistake[] => {
      const mask = record(record(rule)['mask']);
      const where = [...path, 'policies', at];
      const named = String(record(rule)['rule']);
      if (list(mask['columns']).length > 0) {
        const hint = 'Use "detect", or a policy of its own for databases.';
        return [{ path: where, message: `rule "${named}" masks columns, which ${title} does not have`, hint }];
      }
      if (mask['with'] !== 'null' && mask['with'] !== 'generalise') return [];
      const hint = 'Use redact, partial or hash.';
      const message = `rule "${named}" masks with "${mask['with']}", which a stream of bytes has no place for`;
      return [{ path: where, message, hint }];
    }),
  );
}
