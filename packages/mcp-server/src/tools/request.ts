/** `request`: one request to a service. Does not: judge it, or know services and their credentials. */
import { z } from 'zod';
import { SERVICES } from '../clients/index.js';
import { type Answered, send } from '../clients/http.js';
import { readsOnly } from '../reads-only.js';
import { inSession } from '../running.js';
import { MAX_WAIT_S, RUNNING, ToolError, connectionName, connectionOf, tool } from '../tool.js';
import { readable } from './exec.js';

const MAX_BODY_BYTES = 512 * 1024;
const DEFAULT_BODY_BYTES = 128 * 1024;
/** Headers that say who sends it or how it is framed: none of the caller's. */
const NOT_FOR_CALLERS =
  /^(?:authorization|proxy-.*|cookie|host|connection|content-length|transfer-encoding|upgrade|expect|te|trailer|keep-alive|sluice-.*|x-api-key|api-key|x-goog-api-key|prefer)$/i;

export const request = tool({
  name: 'request',
  title: 'Call a service',
  description:
    'Sends one request by HTTP to a service and gives its answer. The gateway adds the credential: send none. A refusal says by which rule and what to do.',
  input: z.strictObject({
    connection: connectionName,
    method: z
      .string()
      .regex(/^[A-Z]{1,20}$/)
      .default('GET'),
    path: z
      .string()
      .regex(/^\/[\x21\x22\x24-\x7e]*$/)
      .max(8_000)
      .describe('Path and query of the service, as they are sent: "/v1/items?page=2".'),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]{1,100}$/), z.string().regex(/^[\t\x20-\x7e]{0,4000}$/))
      .default({}),
    body: z.string().optional(),
    max_bytes: z.int().min(1).max(MAX_BODY_BYTES).default(DEFAULT_BODY_BYTES).describe('Of the answer.'),
    ...RUNNING,
  }),
  output: z.object({
    status: z.int(),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
    body: z.string(),
    encoding: z.enum(['utf8', 'base64']),
    truncated: z.boolean().describe('Only the start of the body is given.'),
  }),
  isFor: (connections) => connections.some(({ protocol }) => SERVICES.includes(protocol)),
  annotations: ({ principal, connections }) => {
    const services = connections().filter(({ protocol }) => SERVICES.includes(protocol));
    const only = services.every((one) => readsOnly(one, principal));
    return { readOnlyHint: only, ...(!only && { destructiveHint: true }), openWorldHint: true };
  },
  run({ connection, method, path, headers: wanted, body, max_bytes: keep, ...bounds }, call) {
    const found = connectionOf(call.caller, connection, SERVICES);
    const foreign = Object.keys(wanted).find((name) => NOT_FOR_CALLERS.test(name));
    if (foreign !== undefined)
      throw new ToolError({ message: `The header "${foreign}" is the gateway's own to set.`, hint: 'Leave it out.' });
    // The service would read it too: it is left out where it says nothing else than the gateway does by itself.
    const patience = bounds.wait_s < MAX_WAIT_S ? { prefer: `wait=${Math.floor(bounds.wait_s)}` } : {};
    const wishes = { ...patience, 'Accept-Encoding': 'identity' };
    return inSession(call, found, bounds, 'command', async (open) => {
      const answer = await send(open, { method, path, headers: { ...wanted, ...wishes }, body, keep });
      const refused = refusalIn(answer);
      if (refused) throw refused;
      const { status, cut } = answer;
      const { text, encoding } = readable(answer.body);
      const headers = answer.headers.map(([name, value]) => ({ name, value }));
      return { status, headers, body: text, encoding, truncated: cut };
    });
  },
});

const Problem = z.object({
  type: z.string().startsWith('urn:sluice:problem:'),
  detail: z.string(),
  hint: z.string().optional(),
  rule: z.string().optional(),
  request: z.int().optional(),
});

/** What the gateway itself says: a target's answer with these words in it would only be an error with them. */
function refusalIn({ headers, body }: Answered): ToolError | undefined {
  const media = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  if (!media.startsWith('application/problem+json')) return undefined;
  try {
    const read = Problem.safeParse(JSON.parse(body.toString()));
    if (!read.success) return undefined;
    const { detail, hint, rule, request } = read.data;
    return new ToolError({ message: detail, hint, rule, request });
  } catch {
    return undefined;
  }
}
