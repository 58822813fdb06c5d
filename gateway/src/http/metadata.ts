/**
 * What a client of MCP is told that has no token (RFC 9728): whose tokens are good at the address that it asked. Owns: the document. Does not:
 * say which connections there are: it is the same for an address that is none.
 */
import { type OwnAnswer, type OwnRequest, RESOURCE_METADATA_PATH } from '@sluice/contract';
import type { Directory } from '@sluice/identity';

export const isMetadata = ({ path }: Pick<OwnRequest, 'path'>): boolean =>
  path === RESOURCE_METADATA_PATH || path.startsWith(`${RESOURCE_METADATA_PATH}/`);

/** Undefined: tokens are those of the gateway alone, and nobody logs in anywhere for one. */
export function resourceMetadata({ path, secure, host }: OwnRequest, { issuers }: Directory): OwnAnswer | undefined {
  const servers = issuers?.all.flatMap((one) => ('url' in one && one.kind === 'person' ? [one.url] : [])) ?? [];
  if (servers.length === 0 || host === '') return undefined;
  const resource = `${secure ? 'https' : 'http'}://${host}${path.slice(RESOURCE_METADATA_PATH.length)}`;
  return {
    status: 200,
    headers: [
      ['Content-Type', 'application/json'],
      ['Cache-Control', 'no-store'],
    ],
    body: `${JSON.stringify({ resource, authorization_servers: servers, bearer_methods_supported: ['header'] })}\n`,
  };
}
