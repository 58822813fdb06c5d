import type { TokenRow } from '@sluice/cli';
import { parseDuration } from '@sluice/config';
import { type Principal, ROLES, type Role } from '@sluice/contract';
import type { Proven, StoredToken, Wish as TokenWish } from '@sluice/identity';
import { z } from 'zod';
import type { Gateway } from '../gateway.js';
import { problems } from './answers.js';
import { ById } from './openapi.js';
import { MadeToken, TokenRow as Row } from './schemas.js';
import { ControlError, type Routes } from './server.js';

const Wish = z.strictObject({
  principal: z.string().optional().describe("Whose; default: the caller's own."),
  name: z.string().max(200).default(''),
  expires: z.string().optional().describe('A duration: 12h, 30d. Default: for as long as it may be.'),
  connections: z.array(z.string()).min(1).optional(),
  roles: z.array(z.enum(ROLES)).min(1).optional(),
});
type Wish = z.infer<typeof Wish>;

/** Tokens: people make, list and revoke their own, administrators those of everybody. */
export function tokenRoutes({ app, gateway, caller }: Routes): void {
  const list = {
    tags: ['identity'],
    summary: 'Own tokens; those of everybody for administrators',
    response: { 200: z.array(Row) },
  };
  app.get('/v1/tokens', { schema: list }, (request): TokenRow[] => {
    const { principal } = caller(request);
    const all = principal.roles.includes('admin');
    return gateway.identity
      .tokens()
      .filter((token) => all || token.principal === principal.name)
      .map(toRow);
  });

  const make = {
    tags: ['identity'],
    summary: 'Make a token that can do no more than the one that is shown',
    body: Wish,
    response: { 200: MadeToken, ...problems(403, 404) },
  };
  app.post('/v1/tokens', { schema: make }, async (request): Promise<TokenRow & { token: string; user: string }> => {
    const proven = caller(request);
    const made = await gateway.identity.createToken(allowed(gateway, proven, request.body));
    gateway.log.admin(proven.principal.name, 'token.create', `${made.stored.id} for ${made.stored.principal}`);
    return { ...toRow(made.stored), token: made.token, user: gateway.identity.loginName(made.stored) };
  });

  const revocation = {
    tags: ['identity'],
    summary: 'Revoke a token, those made with it, and end their sessions',
    params: ById,
    response: { 200: Row, ...problems(404) },
  };
  app.delete('/v1/tokens/:id', { schema: revocation }, async (request): Promise<TokenRow> => {
    const { principal: actor } = caller(request);
    const { id } = request.params;
    const owner = gateway.identity.token(id)?.principal;
    const own = owner === actor.name || actor.roles.includes('admin');
    const revoked = own ? await gateway.identity.revokeToken(id) : [];
    const [first] = revoked;
    if (!first) throw new ControlError(404, `There is no token ${id}.`);
    for (const one of revoked) {
      gateway.endSessionsBy(one.id, 'The token of this session was revoked.');
      gateway.log.admin(actor.name, 'token.revoke', `${one.id} of ${one.principal}`);
    }
    return toRow(first);
  });
}

/** A token can do no more than what it was asked with, nor for longer. */
function allowed(gateway: Gateway, proven: Proven, wish: Wish): TokenWish {
  const { principal: actor } = proven;
  const own = wish.principal === undefined || wish.principal === actor.name;
  const owner = own ? actor : ownerFor(gateway, actor, wish.principal ?? '');
  const unknown = wish.connections?.find((connection) => !gateway.config.connections.has(connection));
  if (unknown !== undefined) throw new ControlError(404, `There is no connection "${unknown}".`);
  const connections = wish.connections ?? proven.connections;
  const beyond = connections?.find((connection) => proven.connections?.includes(connection) === false);
  if (beyond !== undefined) throw new ControlError(403, `The token that you show is not for connection "${beyond}".`);
  const foreign = wish.roles?.find((role) => !owner.roles.includes(role));
  if (foreign !== undefined) throw new ControlError(403, `"${owner.name}" does not have the role ${foreign}.`);
  // The roles of the token that it was asked with, which may be fewer than its owner's.
  const roles: readonly Role[] | undefined = wish.roles ?? (own ? actor.roles : undefined);
  const expires = expiry(wish.expires, own ? longest(gateway, proven) : Number.POSITIVE_INFINITY);
  return {
    principal: own ? actor : owner.name,
    name: wish.name,
    connections,
    roles,
    expires,
    parent: parentOf(proven, own),
  };
}

function ownerFor(gateway: Gateway, actor: Principal, name: string): Principal {
  if (!actor.roles.includes('admin'))
    throw new ControlError(403, `"${actor.name}" makes tokens for themselves: those of others are for admin.`);
  const owner = gateway.identity.principal(name);
  if (owner) return owner;
  throw new ControlError(
    404,
    `There is no principal "${name}".`,
    'Principals are listed under "principals" in the configuration; people of an issuer make their own after "sluice login".',
  );
}

/** What an administrator makes for others outlives the administrator's own token. */
const parentOf = ({ by, tokenId }: Proven, own: boolean): string | undefined =>
  own && by === 'token' ? tokenId : undefined;

/** For how long somebody may make a token for themselves, in milliseconds. */
function longest({ identity }: Gateway, { by, principal, expires }: Proven): number {
  if (by === 'issuer') return identity.issuers?.get(principal.issuer ?? '')?.tokens ?? 0;
  return expires === undefined ? Number.POSITIVE_INFINITY : expires - Date.now();
}

/** `most`: milliseconds. */
function expiry(wish: string | undefined, most: number): number | undefined {
  const wished = wish === undefined ? 0 : parseDuration(wish);
  if (wished === undefined) throw new ControlError(400, `"${wish}" is not a duration: write 12h or 30d.`);
  if (most <= 0)
    throw new ControlError(403, 'People of this issuer make no gateway tokens.', '"tokens" of the issuer allows them.');
  if (wished > most)
    throw new ControlError(
      403,
      `This token could be valid for ${Math.floor(most / 60_000)} minutes at most.`,
      'A token does not outlive the one it is made with, nor what "tokens" of an issuer allows its people.',
    );
  const time = wished > 0 ? wished : most;
  return Number.isFinite(time) ? Date.now() + time : undefined;
}

const toRow = ({
  id,
  principal,
  name,
  created,
  expires,
  lastUsed,
  revoked,
  connections,
  roles,
}: StoredToken): TokenRow => ({
  id,
  principal,
  name,
  created: iso(created),
  ...(expires !== undefined && { expires: iso(expires) }),
  ...(lastUsed !== undefined && { lastUsed: iso(lastUsed) }),
  ...(revoked !== undefined && { revoked: iso(revoked) }),
  ...(connections && { connections }),
  ...(roles && { roles }),
});

const iso = (time: number): string => new Date(time).toISOString();
