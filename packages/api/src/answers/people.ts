/** Answers about people and agents: what they show, what they have used up, what they may do elsewhere. Types only, and the schemas that check them. */
import { z } from 'zod';
import { named } from '../named.js';
import { text, count, flag, texts, time, maybe } from './values.js';

const token = z.strictObject({
  id: text,
  principal: text,
  name: text,
  created: time,
  expires: maybe(time),
  lastUsed: maybe(time),
  revoked: maybe(time),
  connections: maybe(texts.describe('The only ones that it is for.')),
  roles: maybe(texts.describe('The only ones of its owner that it has.')),
  madeBy: maybe(text.describe('Who made it; absent: the gateway itself.')),
  madeWith: maybe(text.describe('The id of what they showed for it.')),
});

export const TokenRow = named('Token', 'A gateway token, without its secret.')(token);

const user = text.describe('The user name to log in with: with the id of the token where there are too many others.');

export const NamedToken = named('NamedToken', 'A gateway token, and how to log in with it.')(token.extend({ user }));
export type NamedToken = z.output<typeof NamedToken>;

export const MadeToken = named(
  'MadeToken',
  'A new gateway token.',
)(token.extend({ token: text.describe('The secret. It is told this once.'), user }));
export type MadeToken = z.output<typeof MadeToken>;
export type TokenRow = z.output<typeof TokenRow>;

const budgetUse = z.strictObject({
  rule: text,
  unit: z.enum(['requests', 'tokens', 'cost', 'statements', 'rows', 'bytes', 'time', 'at_once', 'logins', 'distinct']),
  of: text.describe('Whose it is: all, a person, agent:NAME, group:NAME.'),
  by: maybe(text.describe('What it is counted by besides: a connection, a model.')),
  used: count,
  limit: count,
  within: text.describe('Its time, in words.'),
  free: maybe(time.describe('When there is room again; absent: there is.')),
  observed: maybe(flag.describe('It refuses nothing.')),
});

export const BudgetRow = named('Budget', 'What of a budget is used up.')(budgetUse);
export type BudgetRow = z.output<typeof BudgetRow>;

export const FreezeRow = named(
  'Freeze',
  'Somebody who is frozen.',
)(
  z.strictObject({
    subject: text.describe('user:NAME, agent:NAME, owner:NAME or connection:NAME.'),
    since: time,
    by: text.describe('Who froze them, or which tripwire.'),
    reason: text,
  }),
);
export type FreezeRow = z.output<typeof FreezeRow>;

export const GrantRow = named(
  'Grant',
  'What somebody has allowed the gateway to do in their name at a target.',
)(
  z.strictObject({
    connection: text,
    principal: text.describe('Whose it is, as they were called when they gave it.'),
    since: time,
  }),
);
export type GrantRow = z.output<typeof GrantRow>;

export const WhoAmI = named(
  'WhoAmI',
  'The caller, as the gateway sees them.',
)(
  z.strictObject({
    name: text,
    kind: z.enum(['person', 'agent']),
    groups: texts,
    roles: texts,
    by: z.enum(['token', 'issuer']).describe('What was shown: a token of the gateway, or of an identity provider.'),
    token: text.describe('Its id.'),
    issuer: maybe(text),
    subject: maybe(text),
    connections: maybe(texts),
    expires: maybe(time),
    budgets: maybe(z.array(budgetUse).describe('What they have used of budgets, with what all share.')),
    frozen: maybe(text.describe('Why they are frozen.')),
  }),
);
export type WhoAmI = z.output<typeof WhoAmI>;

const tokenIssuer = z.strictObject({
  name: text,
  issuer: text.describe('Its URL.'),
  clientId: text,
  clientSecret: maybe(text.describe('Of a public client, where the provider wants one nevertheless.')),
  scopes: texts,
  token: z.enum(['id_token', 'access_token']).describe('Which of its tokens the gateway takes.'),
});
const consoleIssuer = z.strictObject({
  name: text,
  console: text.describe('Where the console is, which people log in to there; it lets "sluice login" in.'),
});

export const IssuerRow = named(
  'Issuer',
  'An identity provider that "sluice login" can go to: itself, or by way of the console.',
)(z.union([tokenIssuer, consoleIssuer]));
export type TokenIssuerRow = z.output<typeof tokenIssuer>;
export type ConsoleIssuerRow = z.output<typeof consoleIssuer>;
export type IssuerRow = TokenIssuerRow | ConsoleIssuerRow;

export const LoginToken = named(
  'LoginToken',
  'What "sluice login" shows from then on: a gateway token of whoever let it in.',
)(z.strictObject({ token: text.describe('The secret. It is told this once.'), expires: time }));
export type LoginToken = z.output<typeof LoginToken>;

/** A security key, without what checks its signatures. */
export const SecurityKeyRow = named(
  'SecurityKey',
  'A security key that somebody decides with.',
)(
  z.strictObject({
    id: text,
    name: text.describe('What its owner calls it.'),
    owner: text,
    issuer: text.describe('The identity provider that knows its owner.'),
    created: time,
    lastUsed: maybe(time),
  }),
);
export type SecurityKeyRow = z.output<typeof SecurityKeyRow>;

export const WaitingLogin = named(
  'WaitingLogin',
  'A login that waits for somebody to confirm it.',
)(
  z.strictObject({
    address: text.describe('Where it comes from.'),
    client: text.describe('What the client says that it is.'),
    account: text.describe('Which account it wants; empty: that of the connection.'),
    connection: text.describe('What it wants to reach; empty: it chooses later.'),
    expires: time,
  }),
);
export type WaitingLogin = z.output<typeof WaitingLogin>;
