/** The API described as OpenAPI, and checks of requests by the same schemas. Owns: what every route has in common there. */
import { Problem, VERSION } from '@sluice/api';
import swagger from '@fastify/swagger';
import type { Role } from '@sluice/contract';
import type { FastifySchemaCompiler } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type App, ControlError } from './routes.js';

/** Of a schema: whoever has no token may call the route too. All others are for callers with one. */
export const OPEN = { security: [] } as const;

/** For the parameters of a path that names something by its id. */
export const ById = z.object({ id: z.string() });

const TAGS = {
  sessions: 'What runs and what ran, live and on record.',
  approvals: 'Requests that wait for people.',
  policy: 'What the rules say.',
  connections: 'What the caller may reach, and how.',
  identity: 'Who the caller is, tokens and logins.',
  agents: 'Agents in private networks.',
  gateway: 'The gateway itself.',
  budgets: 'What of which budget is used up, and by whom.',
  freezes: 'Who is frozen until somebody thaws them.',
  grants: 'What people have allowed the gateway to do in their name at targets, each for themselves.',
};

const MEANING: Readonly<Record<string, string>> = {
  200: 'Done.',
  202: 'In effect, and not stored yet.',
  400: 'Something in the request is wrong; the message names it.',
  401: 'There is no token, or none that is valid.',
  403: 'The caller may not do this.',
  404: 'There is no such thing, or none that the caller may see.',
  409: 'Not in this state of things.',
  421: 'The gateway does not go by the host name that was asked for.',
  422: 'The configuration has a mistake; the message has its place.',
  429: 'Too many requests or attempts; the header retry-after says when to try again.',
  500: 'The gateway failed to answer; its log says why.',
  503: 'Not now: try again.',
};

/**
 * Has the routes that are added to `app` from here on described as OpenAPI 3.1.
 *
 * The document adds to what a route says of itself the problems that come from outside its handler: 400 where it takes
 * input, 401 unless it is open, 403 where it is for certain roles, 421, 429, 500 and 503.
 */
export async function describeApi(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sluice control API',
        version: VERSION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'A gateway token, or a token of an identity provider.',
          },
        },
      },
      security: [{ token: [] }],
    },
    transform: (document) => {
      const { schema, route } = document;
      const open = schema.security?.length === 0;
      const roles: readonly Role[] | undefined = route.config?.roles;
      const outside = [
        ...(schema.body || schema.params || schema.querystring ? [400] : []),
        ...(open ? [] : [401, 503]),
        ...(roles ? [403] : []),
        421,
        429,
        500,
      ];
      const own: Record<string, unknown> = { ...(schema.response as object | undefined) };
      const response = { ...Object.fromEntries(outside.map((status) => [status, Problem])), ...own };
      const description = [schema.description, roles && `For the role ${roles.join(' or ')}.`]
        .filter(Boolean)
        .join(' ');
      const described = jsonSchemaTransform({
        ...document,
        schema: { ...schema, response, ...(description !== '' && { description }) },
      });
      for (const [status, one] of Object.entries((described.schema.response ?? {}) as Record<string, object>)) {
        // Next to a reference, the plugin reads it there only; elsewhere it would become part of the schema.
        const place = '$ref' in one ? 'description' : 'x-response-description';
        Object.assign(one, { [place]: 'description' in one ? one.description : MEANING[status] });
      }
      return described;
    },
    transformObject: (document) => {
      // Only what is answered has a name, so no request refers to the second form that the provider makes of each.
      const made = jsonSchemaTransformObject(document);
      if (!('components' in made)) return made;
      const schemas = Object.entries(made.components?.schemas ?? {}).filter(([name]) => !name.endsWith('Input'));
      return { ...made, components: { ...made.components, schemas: Object.fromEntries(schemas) } } as typeof made;
    },
  });
  app.get(
    '/v1/openapi.json',
    {
      schema: {
        ...OPEN,
        tags: ['gateway'],
        summary: 'This document',
        response: { 200: z.looseObject({ openapi: z.string() }).describe('OpenAPI 3.1.') },
      },
    },
    () => documentOf(app),
  );
}

/** The document of all routes that `app` has. Only once `app` is ready. */
export const documentOf = (app: App): { openapi: string } => ({ ...app.swagger(), openapi: '3.1.0' });

/** Checks a part of a request, and says which of its fields is wrong and why. */
export const checked: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (data: unknown) => {
    // A body that is not there comes as null.
    const read = schema.safeParse(data ?? undefined);
    if (read.success) return { value: read.data };
    const part = httpPart === 'querystring' ? 'query' : httpPart === 'params' ? 'path' : 'body';
    return { error: new ControlError(400, read.error.issues.map((issue) => sentence(issue, part)).join(' ')) };
  };

function sentence({ path, message }: z.core.$ZodIssue, part: string): string {
  const what = message
    .replace(/^Invalid (input|string|option): /, '')
    .replace(/^[A-Z]/, (first) => first.toLowerCase());
  const field = z.core.toDotPath(path);
  return field === ''
    ? `The ${part} of the request is wrong: ${what}.`
    : `"${field}" in the ${part} of the request is wrong: ${what}.`;
}
