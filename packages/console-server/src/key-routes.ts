/**
 * One's own security keys. Owns: that one is registered or removed only by who has just shown their issuer who they are, and shows a key of
 * theirs if they have one. Does not: check what keys sign (packages/step-up), or ask for one at a decision (packages/control).
 */
import {
  Assertion,
  ControlError,
  OPEN,
  keysInWords,
  refuseFrozen,
  relyingParty,
  tellOfKey,
  toKeyRow,
} from '@sluice/control';
import type { Proven } from '@sluice/identity';
import type { Bound, KeyOwner } from '@sluice/step-up';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { LoginRoutes } from './login-routes.js';

type SecurityKeyRow = ReturnType<typeof toKeyRow>;

const name = z.string().trim().min(1).max(100);
const id = z.string().max(1_400);
const Wish = z.discriminatedUnion('to', [
  z.strictObject({ to: z.literal('add'), name }),
  z.strictObject({ to: z.literal('remove'), id }),
]);
const Addition = z.strictObject({ name, made: Assertion, assertion: Assertion.optional() });
const Removal = z.strictObject({ id, assertion: Assertion });

/** What is signed by a new key, and what by one that was there before. */
const making = (called: string): Bound => ['key', 'make', called];
const allowing = (wish: z.output<typeof Wish>): Bound => ['key', wish.to, wish.to === 'add' ? wish.name : wish.id];

interface Visitor {
  readonly login: string;
  readonly proven: Proven;
  readonly owner: KeyOwner;
}

export function keyRoutes({ app, gateway, logins, found }: LoginRoutes): void {
  const keys = gateway.securityKeys;
  const visitor = (request: FastifyRequest): Visitor => {
    const known = found(request);
    if (!known) throw new ControlError(401, 'You are not logged in, or not any more.', 'Log in again.');
    const { name: called, issuer, subject } = known.proven.principal;
    // Only people of an issuer log in here.
    if (issuer === undefined || subject === undefined) throw new ControlError(403, 'Your issuer does not know you.');
    return { ...known, owner: { name: called, issuer, subject } };
  };
  const fresh = (request: FastifyRequest): Visitor => {
    const who = visitor(request);
    refuseFrozen(gateway, who.proven);
    if (!logins.isFresh(who.login))
      throw new ControlError(403, 'This takes a login of just now, at your identity provider.', 'Log in again.');
    return who;
  };

  app.get('/auth/keys', { schema: OPEN }, (request): { keys: SecurityKeyRow[]; fresh: boolean } => {
    const { login, owner } = visitor(request);
    return { keys: keys.of(owner).map(toKeyRow), fresh: logins.isFresh(login) };
  });

  /** What has to be signed: by the new key, and by one of the old ones where there are any. */
  app.post('/auth/keys/question', { schema: { ...OPEN, body: Wish } }, async (request) => {
    const { owner } = fresh(request);
    const wish = request.body;
    const at = relyingParty(gateway);
    const has = keys.of(owner).length > 0;
    return keysInWords(async () => ({
      ...(wish.to === 'add' && { make: await keys.newKey(owner, making(wish.name), at) }),
      ...(has && { show: await keys.ask(owner, allowing(wish), at) }),
    }));
  });

  app.post('/auth/keys', { schema: { ...OPEN, body: Addition } }, async (request): Promise<SecurityKeyRow> => {
    const { owner, proven } = fresh(request);
    const { name: called, made, assertion } = request.body;
    const at = relyingParty(gateway);
    return keysInWords(async () => {
      if (keys.of(owner).length > 0)
        await keys.shown(owner, allowing({ to: 'add', name: called }), at, assertion ?? {});
      const key = await keys.add(owner, making(called), at, made, called);
      tellOfKey(gateway, proven, 'added', key);
      return toKeyRow(key);
    });
  });

  app.post('/auth/keys/remove', { schema: { ...OPEN, body: Removal } }, async (request): Promise<SecurityKeyRow> => {
    const { owner, proven } = fresh(request);
    const { id: gone, assertion } = request.body;
    return keysInWords(async () => {
      await keys.shown(owner, allowing({ to: 'remove', id: gone }), relyingParty(gateway), assertion);
      const key = keys.of(owner).find((one) => one.id === gone);
      if (!key) throw new ControlError(404, 'You have no such key.');
      const removing = keys.remove(gone);
      tellOfKey(gateway, proven, 'removed', key);
      await removing;
      return toKeyRow(key);
    });
  });
}
