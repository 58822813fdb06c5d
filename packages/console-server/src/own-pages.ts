/**
 * Which requests come from pages of our own. Owns: the name that the console goes by, and what a change has to carry. Does not: who
 * somebody is (logins.ts).
 */
import { ControlError, HEADERS, type App } from '@sluice/control';
import type { FastifyRequest } from 'fastify';

/** A header that forms cannot send and other sites may not, on every change; its value says whether somebody is at the keyboard. */
export const OWN_HEADER = 'x-sluice-console';

/** Of what is no document: nothing in it is run, wherever it is opened. The document has a policy of its own. */
const NOTHING = "default-src 'none'; frame-ancestors 'none'";
/**
 * Of every answer, unless it says otherwise. No window of another site keeps a hold of ours, and none embeds what it answers. What
 * somebody may see is kept neither by their browser nor by what stands before the console.
 */
export const OWN_HEADERS = {
  ...HEADERS,
  'cache-control': 'no-store',
  'content-security-policy': NOTHING,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
} as const;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A page of another site sends it, and nothing is done by anybody's cookie. */
    fromElsewhere?: boolean;
  }
}

/** Methods that change nothing. */
export const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Before any route. `origin`: what browsers have in their address line. */
export function guardPages(app: App, origin: () => URL): void {
  app.addHook('onRequest', async (request, reply) => {
    const { host, origin: own } = origin();
    reply.headers(OWN_HEADERS);
    // Another name may be that of a page which had it point at us (DNS rebinding).
    if (request.headers.host?.toLowerCase() !== host)
      throw new ControlError(421, 'The console does not go by the name that was asked for.', `Open ${own}/ instead.`);
    if (request.routeOptions.config.fromElsewhere) return;
    if (!READS.has(request.method)) refuseForeign(request, own);
    else if (isOfApi(request) && isForeign(request))
      throw new ControlError(403, 'Pages of other sites read nothing here.');
  });
}

/** @throws ControlError unless a script of one of our pages sends it */
function refuseForeign({ headers }: FastifyRequest, own: string): void {
  if (headers.origin === own && headers[OWN_HEADER] !== undefined) return;
  throw new ControlError(403, 'Changes are made by the pages of the console alone.', `Open ${own}/ and do it there.`);
}

/** Whether a request is for a route of the control API, however its address is written. */
export const isOfApi = ({ routeOptions }: FastifyRequest): boolean => routeOptions.url?.startsWith('/v1/') ?? false;

/** By what browsers say of themselves (Fetch Metadata), where they do: pages of other sites, and of other ports of this machine. */
export const isForeign = ({ headers }: FastifyRequest): boolean =>
  !['same-origin', 'none', undefined].includes(headers['sec-fetch-site'] as string | undefined);
