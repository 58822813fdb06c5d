/** HTTP in a configuration. Owns: its settings and their checks. Does not: the protocol itself, or what a request means. */
import { isLoopback } from '@sluice/addresses';
import { Descriptors, GrpcCalls } from '@sluice/grpc-messages';
import { OpenApi, compileTemplate } from '@sluice/http-requests';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { HttpCredential, HttpSettings, ListenerConfig } from '../config.js';
import { type ConfigSources, readBytes } from '../files.js';
import type { Mistake, Path } from '../mistake.js';
import { type Secret, duration, durationOrOff, fileText, name, port, privateFileText, secret } from '../values.js';
import { list, record } from '../written.js';
import { listMistakes, modelSettings } from './language-models.js';
import { mcpSettings } from './mcp.js';
import type { PolicyRules, ProtocolFile, WrittenConnection } from './protocol.js';
import {
  addresses,
  checkAuthority,
  checkRequired,
  holdCommitMistakes,
  isExposed,
  listenerTls,
  reach,
  reached,
  requireTls,
  targetTls,
} from './shared.js';

const NAME = 'http';

export const http: ProtocolFile = {
  name: NAME,
  title: 'HTTP',
  traits: { answers: 'text', menu: true, keyExchange: false, alpn: ['http/1.1'], entrance: true },
  listener,
  isListened: (section) => section !== undefined,
  connection,
  mistakes: (value, path, rules) => [
    ...maskMistakes(value, path, rules),
    ...holdCommitMistakes(value, path, rules, http.title),
    ...listMistakes(record(value), path, rules),
  ],
  warnings: ({ name: connection, target, http: settings }) => [
    ...(settings?.https === false &&
    settings.socket === undefined &&
    settings.program === undefined &&
    !isLoopback(target.host)
      ? [`Connection "${connection}" talks to ${target.host} without TLS: others can read and change what is sent.`]
      : []),
    ...(settings?.https === true && target.tls === 'require'
      ? [`Connection "${connection}" encrypts without verifying whom it talks to (tls: require).`]
      : []),
  ],
  listenerWarnings: (one) =>
    one.requireTls || !isExposed(one.addresses)
      ? []
      : ['HTTP clients may come without TLS (require_tls: false): others can read their tokens.'],
};

function listener(outside: ConfigSources): z.ZodType<ListenerConfig | undefined> {
  return z
    .strictObject({
      address: addresses,
      port: port.default(8443),
      tls: listenerTls(outside),
      require_tls: requireTls,
      ports: z
        .record(name, port.min(1))
        .default({})
        .describe('further ports, each for one connection: its name, and the port'),
      client_certificates: z
        .strictObject({
          ca: fileText(outside).describe('file with the PEM of the authorities whose client certificates are taken'),
          crl: fileText(outside).optional().describe('file with the PEM of what they have revoked'),
        })
        .optional()
        .describe('clients may show a certificate; principals.NAME.certificates says whose it is'),
    })
    .superRefine(checkRequired)
    .transform(
      ({ address, port: number, tls, require_tls = isExposed(address), ports, client_certificates: clients }) => ({
        protocol: NAME,
        addresses: [address].flat(),
        port: number,
        tls,
        login: undefined,
        requireTls: require_tls,
        ports: Object.entries(ports).map(([connection, own]) => ({ connection, port: own })),
        ...(clients && { clientCertificates: clients }),
      }),
    )
    .optional()
    .describe('where clients of HTTP connect');
}

/** A header name (RFC 9110 section 5.6.2). */
const token = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'this is no name of a header');
/** What frames a request, or leads it somewhere, is no place for a credential. */
const FRAMING = /^(?:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/i;
const credentialHeader = token.refine((name) => !FRAMING.test(name), 'a credential cannot be in this header');
/** What would end a line, or begin another header. */
const isOneLine = (value: Secret): boolean => /^[\x20-\x7e\x80-\xff]*$/.test(value.reveal());

const hostName = z
  .string()
  .toLowerCase()
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'write a host name without a port');

const template = z.string().transform((text, context) => {
  try {
    return compileTemplate(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const spec = (outside: ConfigSources) =>
  fileText(outside).transform((text, context) => {
    try {
      return new OpenApi(parseYaml(text));
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message: (error as Error).message.split('\n')[0] ?? 'the file cannot be read',
      });
      return z.NEVER;
    }
  });

const descriptors = (outside: ConfigSources) =>
  z.string().transform((name, context) => {
    const read = readBytes(name, outside);
    try {
      if (read.type === 'read') return new GrpcCalls(new Descriptors(read.bytes));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
    context.addIssue({ code: 'custom', message: read.message });
    return z.NEVER;
  });

const targetUrl = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url && plain && /^https?:$/.test(url.protocol)) return url;
  context.addIssue({
    code: 'custom',
    message: 'write an address such as https://tickets.internal/api, without a user and a query',
  });
  return z.NEVER;
});

/** How a program is spoken to, which has no address. */
const PROGRAM_URL = new URL('http://program.invalid/mcp');

function credential(outside: ConfigSources) {
  const words = secret(outside).refine(isOneLine, 'a secret that goes into a request is one line of Latin letters');
  return z
    .strictObject({
      bearer: words.optional().describe('a token, sent as "Authorization: Bearer"'),
      basic: z.strictObject({ user: z.string().regex(/^[^:]*$/, 'a user has no colon'), password: words }).optional(),
      header: z
        .strictObject({ name: credentialHeader, value: words })
        .optional()
        .describe('a header of its own, such as X-Api-Key'),
      query: z
        .strictObject({ name: z.string().min(1), value: words })
        .optional()
        .describe('a parameter of the query'),
      oauth2: z
        .strictObject({
          token_url: z.url({ protocol: /^https?$/, error: 'write an https URL' }).refine(isSafe, {
            error: 'the secret of the client is sent there: without https anybody between could read it',
          }),
          client_id: z.string().min(1),
          client_secret: words,
          scope: z.string().optional(),
          audience: z.string().optional(),
        })
        .optional()
        .describe('client credentials (RFC 6749 section 4.4): a token is got, and renewed before it ends'),
      grant: z
        .strictObject({
          client_id: z.string().min(1),
          client_secret: words.optional(),
          issuer: z
            .url({ protocol: /^https?$/, error: 'write an https URL' })
            .refine(isSafe, { error: 'people are sent there: without https anybody between could send them on' })
            .optional()
            .describe('where people log in; without it, where the target says'),
          scope: z.string().min(1).optional().describe('what is asked for, parted by blanks'),
        })
        .refine(({ client_secret: own, issuer }) => own === undefined || issuer !== undefined, {
          error: 'name the "issuer" that "client_secret" is for: it goes to no one whom the target names',
        })
        .optional()
        .describe('each person gives a grant of their own, in the console (RFC 6749 section 4.1)'),
      certificate: z
        .strictObject({ cert: fileText(outside), key: privateFileText(outside) })
        .optional()
        .describe('a client certificate, in PEM; may stand beside another one'),
    })
    .superRefine((one, context) => {
      const used = KINDS.filter((kind) => one[kind] !== undefined);
      if (used.length < 2) return;
      context.addIssue({ code: 'custom', message: `use one of ${KINDS.join(', ')}` });
    })
    .prefault({});
}

const KINDS = ['bearer', 'basic', 'header', 'query', 'oauth2', 'grant'] as const;

function isSafe(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === 'https:' || isLoopback(url?.hostname.replace(/^\[|\]$/g, '') ?? '');
}

function connection(outside: ConfigSources): z.ZodType<WrittenConnection> {
  return z
    .strictObject({
      protocol: z.literal(NAME),
      target: z
        .strictObject({
          url: targetUrl.optional().describe('where requests go; its path stands in front of theirs'),
          program: name
            .optional()
            .describe(
              'in place of "url": a program on the list of the agent of "via", which speaks MCP over its input',
            ),
          socket: z
            .string()
            .startsWith('/', 'write the path of a Unix socket')
            .optional()
            .describe('the Unix socket to connect to'),
          http2: z.boolean().default(false).describe('the target is spoken to by HTTP/2, as gRPC needs it'),
          ...targetTls(outside),
        })
        .superRefine(checkAuthority)
        .transform((one, context) => {
          const { url, program } = one;
          if (url && program === undefined) return { ...one, url };
          if (!url && program !== undefined) return { ...one, url: PROGRAM_URL };
          context.addIssue({ code: 'custom', message: 'a target has either "url" or "program"' });
          return z.NEVER;
        }),
      credential: credential(outside),
      hosts: z.array(hostName).default([]).describe('host names by which clients reach it; without one it is /NAME/'),
      paths: z
        .enum(['strict', 'raw'])
        .default('strict')
        .describe('raw: encoded slashes, empty segments and dots in paths are left to the target'),
      suffixes: z
        .enum(['alike', 'apart'])
        .default('alike')
        .describe('apart: /users/7.json is another path than /users/7, also for rules that refuse, hold or mask'),
      uploads: z
        .enum(['read', 'stream'])
        .default('read')
        .describe('stream: forms with uploads pass unread, however long, and so do method overrides in them'),
      spec: spec(outside).optional().describe('an OpenAPI document of version 3, whose operations rules see'),
      descriptors: descriptors(outside)
        .optional()
        .describe(
          'a set of descriptors (protoc --include_imports --descriptor_set_out), by which messages of gRPC are read',
        ),
      graphql: z.array(template).default([]).describe('paths of GraphQL besides those with a segment "graphql"'),
      origins: z
        .array(z.string().min(1))
        .default([])
        .describe('origins of web pages that may open WebSockets; "*": any'),
      unread: z
        .record(mediaPattern, z.enum(['pass', 'text']))
        .default({})
        .describe('media types that masks cannot read, such as image/*: pass, or looked through as text; else refused'),
      llm: modelSettings(outside),
      mcp: mcpSettings(),
      hold_wait: durationOrOff.prefault('45s').describe('how long a held request waits before it is told "later"'),
      linger: duration.prefault('2m').describe('how long a request for approval outlives a client that hung up'),
      ...reach,
    })
    .superRefine(({ llm, mcp }, context) => {
      if (llm === undefined || mcp === undefined) return;
      context.addIssue({ code: 'custom', path: ['mcp'], message: 'a target is either a model or a server of MCP' });
    })
    .superRefine((one, context) => {
      const { program, socket, http2 } = one.target;
      if (program === undefined) return;
      const amiss = (path: string[], message: string): void =>
        context.addIssue({ code: 'custom', path, message: `"program" ${message}` });
      if (one.via === undefined) amiss(['target', 'program'], 'is run by an agent: name it in "via"');
      if (one.mcp === undefined) amiss(['target', 'program'], 'speaks MCP: add "mcp: {}" to the connection');
      if (socket !== undefined || http2) amiss(['target', 'program'], 'is reached by neither "socket" nor "http2"');
      if (Object.keys(one.credential).length > 0)
        amiss(['credential'], 'takes no credential: the agent puts what it needs into its environment');
    })
    .superRefine(({ credential: own, via, target }, context) => {
      if (!own.grant || own.grant.issuer !== undefined) return;
      if (via === undefined && target.socket === undefined) return;
      const message = 'what is reached by an agent or by a socket is not asked where people log in: name it here';
      context.addIssue({ code: 'custom', path: ['credential', 'grant', 'issuer'], message });
    })
    .superRefine(({ credential: own, via }, context) => {
      if (via === undefined || own.certificate === undefined) return;
      context.addIssue({ code: 'custom', path: ['via'], message: 'an agent does not show client certificates yet' });
    })
    .transform((one): WrittenConnection => {
      const { url, socket, program, http2, tls, ca } = one.target;
      const https = url.protocol === 'https:';
      const settings: HttpSettings = {
        https,
        authority: url.host,
        base: url.pathname.replace(/\/+$/, ''),
        socket,
        program,
        http2,
        credential: credentialOf(one.credential),
        certificate: one.credential.certificate,
        hosts: one.hosts,
        reading: {
          paths: one.paths,
          suffixes: one.suffixes,
          graphql: one.graphql,
          spec: one.spec,
          uploads: one.uploads,
          grpc: one.descriptors,
        },
        descriptors: one.descriptors,
        origins: one.origins,
        unread: new Map(Object.entries(one.unread)),
        holdWait: one.hold_wait,
        linger: one.linger,
        models: one.llm,
        mcp: one.mcp,
      };
      return {
        ...reached(one),
        protocol: NAME,
        target: {
          host: program ?? url.hostname.replace(/^\[|\]$/g, ''),
          port: url.port === '' ? (https ? 443 : 80) : Number(url.port),
          tls: https ? tls : 'disable',
          ca,
          database: undefined,
          pooled: undefined,
          hostKeys: undefined,
        },
        credential: { user: '', password: undefined, secret: undefined, privateKey: undefined, certificate: false },
        accounts: [],
        shell: 'opaque',
        options: {},
        trustedFunctions: [],
        notFollowed: 'mask' as const,
        http: settings,
      };
    });
}

function credentialOf({
  bearer,
  basic,
  header,
  query,
  oauth2,
  grant,
}: z.output<ReturnType<typeof credential>>): HttpCredential {
  if (bearer) return { type: 'bearer', token: bearer };
  if (basic) return { type: 'basic', ...basic };
  if (header) return { type: 'header', ...header };
  if (query) return { type: 'query', ...query };
  if (grant) {
    const { client_id: clientId, client_secret: clientSecret, issuer, scope } = grant;
    return { type: 'grant', clientId, clientSecret, issuer, scope };
  }
  if (!oauth2) return { type: 'none' };
  const { token_url: tokenUrl, client_id: clientId, client_secret: clientSecret, scope, audience } = oauth2;
  return { type: 'oauth2', tokenUrl, clientId, clientSecret, scope, audience };
}

/** Masks that have nothing to do in what is sent by HTTP. */
function maskMistakes(value: unknown, path: Path, rules: PolicyRules): Mistake[] {
  const connection = record(value);
  return list(connection['policies']).flatMap((policy, at) =>
    (typeof policy === 'string' ? list(rules[policy]) : []).flatMap((rule): Mistake[] => {
      const mask = record(record(rule)['mask']);
      const where = [...path, 'policies', at];
      const named = String(record(rule)['rule']);
      if (list(mask['columns']).length > 0) {
        const hint = 'Use "json", "headers", "spec" or "detect", or a policy of its own for databases.';
        return [{ path: where, message: `rule "${named}" masks columns, which HTTP does not have`, hint }];
      }
      if (mask['with'] === 'reversible' && connection['llm'] === undefined) {
        const message = `rule "${named}" puts values back in answers of language models, and this connection serves none`;
        return [{ path: where, message, hint: 'Add "llm", or use hash.' }];
      }
      if (mask['spec'] !== true || connection['spec'] !== undefined) return [];
      const message = `rule "${named}" masks what the OpenAPI document marks, and this connection has none`;
      return [{ path: where, message, hint: 'Add "spec".' }];
    }),
  );
}

/** `image/png`, or `image/*`. */
const mediaPattern = z
  .string()
  .toLowerCase()
  .regex(/^[a-z0-9][a-z0-9.+-]*\/(?:\*|[a-z0-9][a-z0-9.+-]*)$/, 'write a media type, as application/pdf or image/*');
