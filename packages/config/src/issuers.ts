/**
 * Settings of identity providers, roles, and approval of sessions. Owns: their schemas. Does not: names that they refer to
 * (references.ts).
 */
import { X509Certificate } from 'node:crypto';
import { isSafeUrl } from '@sluice/addresses';
import { ROLES } from '@sluice/contract';
import { z } from 'zod';
import { type ConfigSources, readText } from './files.js';
import { duration, durationOrOff, secret } from './values.js';

/** Signatures that only the holder of a private key can make. HS256 and its kin, and "none", are not among them. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const MAX_SKEW_MS = 5 * 60_000;

/** Issuers that sign tokens for everybody who asks: without a required claim, "everybody" is who may come in. */
const OPEN_TO_ALL = /^https:\/\/(accounts\.google\.com|token\.actions\.githubusercontent\.com|gitlab\.com)\/?$/;

/** What an access list, a list of approvers or a list of roles may name. */
const SUBJECT = /^(group|user|agent|claim):\S.*$/;

const address = z.string().superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && isSafeUrl(text) && !url.search && !url.hash && !url.username) return;
  context.addIssue({
    code: 'custom',
    message: `"${text}" is not the address of an issuer`,
    params: { hint: 'Write its https address exactly as its tokens have it in "iss" (http on loopback only).' },
  });
});

const claim = z.string().min(1).max(500);

/** What a setting of OpenID Connect would be good for beside "saml": nothing, so that somebody meant something else. */
export const NOT_OF_SAML: readonly string[] = [
  'issuer',
  'audience',
  'client_id',
  'client_secret',
  'console',
  'scopes',
  'token',
  'authorized_parties',
  'algorithms',
  'keys_max_age',
];

const AUDIENCE = 'write one audience or a list of them';
/** RSA keys below that are not taken. Bits. */
const MIN_RSA_BITS = 2_048;
/** While one takes the place of another there are two. */
const MAX_CERTIFICATES = 5;

/** Why a text is no certificate that an answer could be signed with; undefined: it is one. */
function wrongCertificate(pem: string): string | undefined {
  try {
    const { publicKey } = new X509Certificate(pem);
    if (publicKey.asymmetricKeyType !== 'rsa') return 'it is of no RSA key';
    const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
    return modulusLength < MIN_RSA_BITS ? `its key has less than ${MIN_RSA_BITS} bits` : undefined;
  } catch {
    return 'it is no certificate (PEM)';
  }
}

/** Certificates in files: one, or several. */
const signingCertificates = (outside: ConfigSources) =>
  z
    .union([z.string(), z.array(z.string()).min(1).max(MAX_CERTIFICATES)], { error: 'write the name of a file' })
    .transform((names, context) =>
      [names].flat().map((file) => {
        const read = readText(file, outside);
        const wrong = read.type === 'failed' ? read.message : wrongCertificate(read.text);
        const hint = 'Take the signing certificate that the identity provider shows, one to a file.';
        if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong, params: { hint } });
        return read.type === 'read' ? read.text : '';
      }),
    );

/** How people log in at a provider that speaks SAML 2.0. */
const saml = (outside: ConfigSources) =>
  z.strictObject({
    idp: z.string().min(1).max(1024).describe('its entity ID, as its answers have it in "Issuer"'),
    sso_url: z
      .string()
      .refine((text) => URL.canParse(text) && isSafeUrl(text), {
        error: 'write an https address (http on loopback only)',
      })
      .describe('where it logs people in (HTTP-Redirect)'),
    certificate: signingCertificates(outside).describe(
      'the file with the certificate that its answers are signed with, or several while it changes',
    ),
    entity_id: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .describe('what the gateway is called there; default: the address of its metadata, /auth/saml/NAME/metadata'),
  });

/** One identity provider. The shape is that of `IssuerConfig`, with the keys of the file. */
export const issuer = (outside: ConfigSources) =>
  z
    .strictObject({
      issuer: address.optional().describe('its address, as tokens have it in "iss"'),
      audience: z
        .union([z.string().min(1), z.array(z.string().min(1)).min(1)], { error: AUDIENCE })
        .optional()
        .describe('what tokens for this gateway have in "aud"'),
      saml: saml(outside).optional().describe('it speaks SAML 2.0, in place of OpenID Connect'),
      client_id: z.string().min(1).optional().describe('what "sluice login" is registered as'),
      client_secret: secret(outside)
        .optional()
        .describe('for providers that want one of a program too; whoever reaches the control API is given it'),
      console: z
        .strictObject({
          client_id: z.string().min(1).describe('one of "audience" as well'),
          client_secret: secret(outside).optional().describe('stays with the gateway'),
        })
        .optional()
        .describe('what the console is registered as, where that is another client than the one of "sluice login"'),
      scopes: z.array(z.string().min(1)).min(1).default(['openid', 'profile', 'email']),
      token: z.enum(['id_token', 'access_token']).default('id_token').describe('which one "sluice login" shows'),
      kind: z.enum(['person', 'agent']).default('person').describe('what its tokens stand for'),
      principal: claim.default('sub').describe('the claim that names the principal'),
      principal_prefix: z.string().max(100).default('').describe('put before each name'),
      groups: claim.optional().describe('the claim with the groups: a name, or a path such as realm_access.roles'),
      groups_prefix: z.string().max(100).default('').describe('put before each group'),
      require: z
        .record(claim, z.union([z.string(), z.boolean(), z.array(z.string()).min(1)]))
        .default({})
        .describe('claims that a token must have, with one of these values'),
      authorized_parties: z.array(z.string().min(1)).min(1).optional().describe('the only values of "azp"'),
      algorithms: z.array(z.enum(ALGORITHMS)).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']),
      clock_skew: durationOrOff.prefault('60s').describe('how far its clock may be off; 5m at most'),
      keys_max_age: duration.prefault('24h').describe('how long its keys are good for while it cannot be reached'),
      tokens: durationOrOff.prefault('12h').describe('the longest gateway token that its people may make; off: none'),
      record: z
        .array(claim)
        .max(20)
        .default([])
        .describe('claims that are kept with each session, such as run_id, sha and repository of a pipeline'),
      ends_sessions: z.boolean().default(false).describe('a session ends when the token that opened it expires'),
    })
    .superRefine(({ issuer: url, audience, saml: bySaml, kind, require, clock_skew }, context) => {
      const mistake = (path: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [path], message });
      if (!bySaml && url === undefined) mistake('issuer', '"issuer" is missing');
      if (!bySaml && audience === undefined) mistake('audience', AUDIENCE);
      if (bySaml && kind === 'agent') mistake('kind', 'programs do not log in by SAML');
      if (url !== undefined && OPEN_TO_ALL.test(url) && Object.keys(require).length === 0) {
        const hint = 'Name whose: require: { hd: example.com }, { repository_owner: acme }, { namespace_path: acme }.';
        const message = 'this issuer signs tokens for everybody';
        context.addIssue({ code: 'custom', path: ['require'], message, params: { hint } });
      }
      if (clock_skew > MAX_SKEW_MS)
        context.addIssue({ code: 'custom', path: ['clock_skew'], message: 'more than 5m would keep old tokens alive' });
    });

const subjects = z.array(z.string().regex(SUBJECT, 'write group:name, user:name, agent:name or claim:name=value'));

/** Who has which role, besides what principals say themselves. */
export const roles = z.partialRecord(z.enum(ROLES), subjects);
