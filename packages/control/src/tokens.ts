/** Routes about tokens. Owns: what a token may have that is made with another one. Does not: keep them (packages/identity). */
import { MadeToken, NamedToken, TokenRow } from '@sluice/api';
import { type Principal, ROLES, type Role } from '@sluice/contract';
import { OPERATOR, type Proven, type StoredToken, type TokenWish, samePerson } from '@sluice/identity';
import { z } from 'zod';
import type { Controlled } from './controlled.js';
import { actorOf } from '@sluice/audit';
import { NOT_STORED, problems } from './answers.js';
import { ById } from './openapi.js';
import { ControlError, type Routes, type TokenScope, admit } from './routes.js';
import { lifeOf } from './token-life.js';

const TokenBody = z.strictObject({
  principal: z.string().optional().describe("Whose; default: the caller's own."),
  name: z.string().max(200).default(''),
  expires: z.string().optional().describe('A duration: 12h, 30d. Default: 30d, or for as long as it may be.'),
  connections: z.array(z.string()).min(1).optional(),
  roles: z.array(z.enum(ROLES)).min(1).optional(),
});
type TokenBody = z.infer<typeof TokenBody>;

/** Tokens: people make, list and revoke their own, administrators those of everybody. */
export function tokenRoutes({ app, gateway, caller, scope }: Routes): void {
  const about = { config: { about: 'connections' } } as const;
  const isOwn = (token: StoredToken, { principal }: Pick<Proven, 'principal'>): boolean =>
    samePerson(gateway.identity.personOf(token), principal);
  const list = {
    tags: ['identity'],
    summary: 'Own tokens; those of everybody for administrators',
    response: { 200: z.array(TokenRow) },
  };
  app.get('/v1/tokens', { ...about, schema: list }, (request): TokenRow[] => {
    const proven = caller(request);
    const within = scope(request);
    const all = proven.principal.roles.includes('admin') && within(undefined);
    return gateway.identity
      .tokens()
      .filter((token) => all || (isOwn(token, proven) && isWithin(token, within)))
      .map(toRow);
  });

  /** One of the caller's own, or anybody's for administrators. */
  const find = (
    id: string,
    { principal }: Pick<Proven, 'principal'>,
  ): { readonly token: StoredToken; readonly own: boolean } => {
    const token = gateway.identity.token(id);
    const own = token !== undefined && isOwn(token, { principal });
    if (!token || !(own || principal.roles.includes('admin')))
      throw new ControlError(404, `There is no token ${id}.`, 'A token is called by its id: "sluice token ls" has it.');
    return { token, own };
  };

  const look = {
    tags: ['identity'],
    summary: 'One token, and the user name to log in with by it',
    params: ById,
    response: { 200: NamedToken, ...problems(403, 404) },
  };
  app.get('/v1/tokens/:id', { ...about, schema: look }, (request): TokenRow & { user: string } => {
    const within = scope(request);
    const { token, own } = find(request.params.id, caller(request));
    if (!own || !isWithin(token, within)) admit(within, undefined);
    return { ...toRow(token), user: gateway.identity.loginName(token) };
  });

  const make = {
    tags: ['identity'],
    summary: 'Make a token that can do no more than the one that is shown',
    body: TokenBody,
    response: { 200: MadeToken, ...problems(403, 404, 409) },
  };
  app.post(
    '/v1/tokens',
    { ...about, schema: make },
    async (request): Promise<TokenRow & { token: string; user: string }> => {
      const proven = caller(request);
      const made = await gateway.identity.createToken(allowed(gateway, proven, scope(request), request.body));
      gateway.log.admin(actorOf(proven), 'token.create', `${made.stored.id} for ${made.stored.principal}`);
      return { ...toRow(made.stored), token: made.token, user: gateway.identity.loginName(made.stored) };
    },
  );

  const revocation = {
    tags: ['identity'],
    summary: 'Revoke a token, those made with it, and end their sessions',
    params: ById,
    querystring: z.object({
      children: z.stringbool().default(false).describe('Also those that were made with it for others.'),
    }),
    response: { 200: TokenRow, ...problems(202, 403, 404) },
  };
  app.delete('/v1/tokens/:id', { ...about, schema: revocation }, async (request, reply) => {
    const proven = caller(request);
    const { id } = request.params;
    const { children } = request.query;
    const within = scope(request);
    const { token, own } = find(id, proven);
    if (!own || children || !isWithin(token, within)) admit(within, undefined);
    // What it opened and said ends first. Whether the store has room is another matter.
    const revoked = gateway.identity.revokeToken(id, { children });
    const [first = token] = revoked;
    for (const one of revoked) {
      gateway.endSessionsBy(one.id);
      gateway.log.admin(actorOf(proven), 'token.revoke', `${one.id} of ${one.principal}`);
    }
    const taken = gateway.approvals.takeBackSaidWith(new Set(revoked.map((one) => one.id)));
    const kept = revoked.map((one) =>
      gateway.revocations.keep(`token:${one.id}`, () => gateway.identity.storeRevocation(one)),
    );
    await taken;
    return (await Promise.all(kept)).every(Boolean) ? toRow(first) : reply.code(202).send(NOT_STORED);
  });
}

/** Whether all that a token is good for is good for what the caller shows. */
const isWithin = ({ connections }: StoredToken, within: TokenScope): boolean =>
  connections === undefined ? within(undefined) : connections.every((one) => within(one));

/** A token can do no more than what it was asked with, nor for longer. */
function allowed(gateway: Controlled, proven: Proven, within: TokenScope, wish: TokenBody): TokenWish {
  const { principal: actor } = proven;
  const own = wish.principal === undefined || wish.principal === actor.name;
  const owner = own ? actor : ownerFor(gateway, actor, wish.principal ?? '');
  if (!own) admit(within, undefined);
  const unknown = wish.connections?.find((connection) => !gateway.config.connections.has(connection));
  if (unknown !== undefined) throw new ControlError(404, `There is no connection "${unknown}".`);
  const connections = wish.connections ?? proven.connections;
  for (const connection of connections ?? []) admit(within, connection);
  const foreign = wish.roles?.find((role) => !owner.roles.includes(role));
  if (foreign !== undefined) throw new ControlError(403, `"${owner.name}" does not have the role ${foreign}.`);
  // The roles of the token that it was asked with, which may be fewer than its owner's.
  const roles: readonly Role[] | undefined = wish.roles ?? (own ? actor.roles : undefined);
  const expires = Date.now() + lifeOf(gateway, proven, wish.expires);
  return {
    principal: own ? actor : owner.name,
    name: wish.name,
    connections,
    roles,
    expires,
    parent: parentOf(proven, own),
    madeWith: proven,
  };
}

function ownerFor(gateway: Controlled, actor: Principal, name: string): Principal {
  if (!actor.roles.includes('admin'))
    throw new ControlError(403, `"${actor.name}" makes tokens for themselves: those of others are for admin.`);
  if (name === OPERATOR)
    throw new ControlError(403, `Tokens of "${OPERATOR}" are for who can read the data folder of the gateway.`);
  const owner = gateway.identity.principal(name);
  if (owner) return owner;
  throw new ControlError(
    404,
    `There is no principal "${name}".`,
    'Principals are listed under "principals" in the configuration; people of an issuer make their own after "sluice login".',
  );
}

/** What an administrator made for others stays when the administrator's own token is revoked, unless that is asked for. */
const parentOf = ({ by, tokenId }: Proven, own: boolean): string | undefined =>
  own && by === 'token' ? tokenId : undefined;

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
  makers: [maker],
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
  ...(maker && { madeBy: maker.name, ...(maker.token !== '' && { madeWith: maker.token }) }),
});

const iso = (time: number): string => new Date(time).toISOString();
