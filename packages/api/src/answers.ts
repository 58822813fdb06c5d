/**
 * What the control API answers: each thing once, as the schema that checks and describes it, and by the same name the type that
 * commands and pages read. Does not own: what is asked, and by which route (gateway).
 *
 * Objects are strict, so that an answer with a field that is not described fails in a test, instead of losing it on the way, or
 * of saying what nobody meant to say.
 */
import { z } from 'zod';
import { named } from './named.js';

const text = z.string();
const count = z.number();
const flag = z.boolean();
const texts = z.array(text);
const time = z.string().describe('ISO 8601');

/** Absent, but never undefined: as the types have it. */
const maybe = z.exactOptional;

export const Finding = named(
  'Finding',
  'Something that was looked at, and what to do about it.',
)(
  z.strictObject({
    check: text.describe('What kind of thing: target, catalog, mask, certificate ...'),
    about: text,
    state: z.enum(['ok', 'warning', 'failed', 'unknown']),
    says: text,
    todo: maybe(text),
  }),
);
export type Finding = z.output<typeof Finding>;

export const Status = named(
  'Status',
  'What runs, since when, and what waits.',
)(
  z.strictObject({
    version: text,
    pid: count,
    started: time,
    ready: flag,
    reason: maybe(text.describe('Why no command is let through.')),
    configuration: maybe(text.describe('What is wrong with a newer file, while the one before it is in force.')),
    record: maybe(text.describe('What an operator should know about the record.')),
    listeners: z.record(text, text),
    data: text,
    log: text.describe('The file of the log.'),
    sessions: count.describe('Open ones.'),
    waiting: count.describe('Statements and sessions that wait for people.'),
    oldest: maybe(time.describe('Since when the oldest of them waits.')),
    reviews: z
      .array(count)
      .describe('Requests that passed by break-glass and that nobody else has looked at yet, the oldest first.'),
    agents: z.array(z.strictObject({ name: text, address: text, since: time })),
    missing: texts.describe('Agents that connections go by and that are not here.'),
    connections: count,
  }),
);
export type Status = z.output<typeof Status>;

export const SessionRow = named(
  'Session',
  'A session, open or on record.',
)(
  z.strictObject({
    id: text,
    state: z.enum(['open', 'login', 'ended']),
    principal: text,
    connection: text,
    protocol: text,
    client: text.describe('Address of the client.'),
    started: time,
    ended: maybe(time),
    reason: maybe(text.describe('Why it ended.')),
    commands: count.describe('Let through.'),
    denied: count,
    claims: maybe(z.record(text, texts).describe('Claims of the principal that are kept with each session.')),
  }),
);
export type SessionRow = z.output<typeof SessionRow>;

export const TimelineEntry = named(
  'TimelineEntry',
  'One thing that happened in a session.',
)(
  z.strictObject({
    at: count.describe('Milliseconds since the start of the session.'),
    type: z.enum(['opened', 'command', 'output', 'response', 'approval', 'closed', 'other']),
    command: maybe(count),
    phase: maybe(z.enum(['prepare', 'run'])),
    kind: maybe(
      z
        .enum(['exec', 'shell', 'subsystem', 'forward', 'request', 'tool', 'answer'])
        .describe('Of commands that are no SQL.'),
    ),
    account: maybe(text),
    stream: maybe(z.enum(['out', 'err', 'size', 'line', 'request', 'head', 'in'])),
    data: maybe(text.describe('base64')),
    text: maybe(text),
    request: maybe(
      z
        .strictObject({
          method: text,
          host: text,
          path: text,
          query: text,
          headers: z.array(z.tuple([text, text])),
          body: maybe(
            z.strictObject({
              media: text,
              bytes: maybe(count),
              sha256: maybe(text),
              unread: maybe(z.literal(true).describe('It passed as it came.')),
            }),
          ),
          upgrade: maybe(text),
          message: maybe(
            z
              .strictObject({ kind: z.enum(['text', 'binary']), origin: count })
              .describe('It was said on the WebSocket that the command `origin` opened.'),
          ),
        })
        .describe('Of a request by HTTP, without secrets.'),
    ),
    parameters: maybe(z.union([z.array(z.unknown()), z.strictObject({ count })])),
    decision: maybe(z.enum(['allow', 'deny', 'hold'])),
    rule: maybe(text),
    message: maybe(text),
    matched: maybe(
      z
        .array(z.strictObject({ rule: text, effect: text, observed: flag.describe('It only observes.') }))
        .describe('Rules that matched, in their order: those that decided, and masks.'),
    ),
    approval: maybe(count.describe('The number of the request that is meant.')),
    outcome: maybe(text),
    summary: maybe(text),
    rows: maybe(count),
    bytes: maybe(count),
    hidden: maybe(
      z
        .record(text, count)
        .describe('Columns that were NULL because nothing better is known of them, how many by reason.'),
    ),
    result: maybe(
      z.strictObject({ columns: texts, rows: z.array(z.array(text.nullable())), messages: texts, copied: texts }),
    ),
  }),
);
export type TimelineEntry = z.output<typeof TimelineEntry>;

export const FoundCommand = named(
  'FoundCommand',
  'A command on record that was looked for.',
)(
  z.strictObject({
    session: text,
    principal: text,
    connection: text,
    protocol: text,
    at: time,
    command: count.describe('Its number in the session.'),
    text: text.describe('Its start.'),
    decision: z.enum(['allow', 'deny', 'hold']),
    rule: maybe(text),
  }),
);
export type FoundCommand = z.output<typeof FoundCommand>;

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

export const ConnectionRow = named(
  'Connection',
  'Something that the caller may reach.',
)(
  z.strictObject({
    name: text,
    protocol: text,
    listener: text.describe('host:port of the gateway.'),
    tls: maybe(flag.describe('Whether that speaks TLS.')),
    policies: texts,
  }),
);
export type ConnectionRow = z.output<typeof ConnectionRow>;

export const ClientSnippet = named(
  'ClientSnippet',
  'What to paste into one client.',
)(
  z.strictObject({
    client: text,
    about: text,
    text: text.describe('$TOKEN stands for the token, which the gateway does not know any more.'),
  }),
);
export type ClientSnippet = z.output<typeof ClientSnippet>;

export const Explanation = named(
  'Explanation',
  'What the rules say of a command.',
)(
  z.strictObject({
    decision: z.enum(['allow', 'deny', 'hold']),
    rule: maybe(text),
    message: maybe(text),
    hint: maybe(text),
    hidden: maybe(
      z.array(z.strictObject({ column: text, reason: text, why: text })).describe('Columns that would be NULL.'),
    ),
    text: text.describe('The reasoning, in lines for people.'),
  }),
);
export type Explanation = z.output<typeof Explanation>;

export const Rules = named(
  'Rules',
  'The rules in force, and how often each matched.',
)(
  z.strictObject({
    since: time.describe('Since when it is counted: the start of the gateway.'),
    rules: z.array(
      z.strictObject({
        connection: text,
        rule: text,
        when: maybe(text.describe('Its condition, in CEL; absent: always.')),
        effect: z.enum([
          'deny',
          'allow',
          'mask',
          'hold',
          'hold_answer',
          'hold_commit',
          'risk',
          'budget',
          'bound',
          'tripwire',
        ]),
        does: text.describe('What it does, in words.'),
        mode: z.enum(['enforce', 'observe']),
        place: text.describe('Where it stands in the configuration: policies.production[2].'),
        matched: count.describe('Commands that it matched, whether it decided about them or not.'),
        last: maybe(time.describe('When it matched last.')),
      }),
    ),
  }),
);
export type Rules = z.output<typeof Rules>;

export const Day = named(
  'Day',
  'What the gateway did in the last day, a value a minute.',
)(
  z.strictObject({
    every: count.describe('Seconds between two values.'),
    until: time.describe('Of the last value.'),
    curves: z.array(
      z.strictObject({
        name: text,
        about: text,
        unit: z.enum(['count', 'per minute', 'milliseconds', 'bytes']),
        values: z.array(count.nullable()).describe('The oldest first; null: the gateway did not run.'),
      }),
    ),
  }),
);
export type Day = z.output<typeof Day>;

export const PersonRow = named(
  'Person',
  'A person or agent, as the gateway last saw them.',
)(
  z.strictObject({
    name: text,
    kind: z.enum(['person', 'agent']),
    groups: texts,
    roles: texts.describe('Those that they would have now.'),
    issuer: maybe(text.describe('Who says so; absent: the configuration.')),
    subject: maybe(text),
    seen: maybe(time.describe('When they last proved who they are; absent: not since the start of the gateway.')),
    sessions: count.describe('Open ones.'),
    tokens: count.describe('Good ones.'),
  }),
);
export type PersonRow = z.output<typeof PersonRow>;

export const ApprovalRow = named(
  'Approval',
  'A request for approval, and what became of it.',
)(
  z.strictObject({
    number: count,
    kind: z.enum(['command', 'session']).describe('A command, or sessions of the principal on the connection.'),
    state: z
      .enum(['pending', 'approved', 'passed', 'denied', 'withdrawn', 'expired'])
      .describe('passed: by break-glass, by whoever asked; see review.'),
    principal: text,
    connection: text,
    session: text,
    page: maybe(text.describe('Its address in the console, where there is one.')),
    text: text.describe('In lists its start.'),
    textBytes: count.describe('How long the whole text is.'),
    parameters: texts.describe('In lists the first of them.'),
    values: count.describe('How many there are.'),
    requirements: z.array(
      z.strictObject({
        rule: text,
        approvers: texts,
        count,
        stepUp: maybe(z.literal('webauthn').describe('Whoever decides shows a security key, in the console.')),
        escalate: maybe(
          z
            .strictObject({ afterMs: count, to: texts })
            .describe('Who is asked as well when it has no outcome by then.'),
        ),
        breakGlass: maybe(texts.describe('Who may pass what they asked themselves, at once and with a reason.')),
      }),
    ),
    onTimeout: z.enum(['deny', 'allow']),
    waits: flag.describe('The client waits on the wire; else the identical command passes once after an approval.'),
    impact: maybe(
      z.strictObject({
        tables: z.array(
          z.strictObject({
            verb: text,
            table: text,
            rows: maybe(count),
            totalRows: maybe(count),
            bytes: maybe(count),
            cascades: texts,
            triggers: texts,
          }),
        ),
        unknown: maybe(text),
        locks: maybe(texts).describe('Of a COMMIT: what its transaction locks until then.'),
        waiting: maybe(texts).describe('Of a COMMIT: who waits for these locks.'),
        preview: maybe(
          z.union([
            z.strictObject({ unknown: text.describe('Why it was not tried.') }),
            z.strictObject({
              rows: count,
              columns: texts.describe('Empty: there is no sample.'),
              sample: z.array(
                z.strictObject({ before: maybe(z.array(text.nullable())), after: maybe(z.array(text.nullable())) }),
              ),
            }),
          ]),
        ).describe('What it changed when it was tried in a transaction that was rolled back; values with masks.'),
      }),
    ).describe('What it would do, as far as that is known beforehand.'),
    since: maybe(z.strictObject({ request: count, lines: texts.describe('Empty: it is the same.') })).describe(
      'How a request by HTTP differs from the last one of its method and path that was approved.',
    ),
    transaction: flag.describe('A transaction is open meanwhile, which may hold locks.'),
    created: time,
    expires: time,
    closed: maybe(time),
    used: maybe(time),
    escalated: maybe(time.describe('When further approvers were asked.')),
    review: maybe(
      z
        .discriminatedUnion('state', [
          z.strictObject({ state: z.literal('open') }),
          z.strictObject({
            state: z.literal('closed'),
            by: text,
            at: time,
            reason: text,
            token: maybe(text),
            makers: maybe(texts),
          }),
        ])
        .describe('Of what passed by break-glass: open until somebody else closes it.'),
    ),
    why: maybe(text),
    words: z.array(
      z.strictObject({
        by: text,
        at: time,
        decision: z.enum(['approve', 'deny', 'break-glass']),
        reason: text,
        token: maybe(text.describe('The id of what they showed.')),
        makers: maybe(texts.describe('Who made that: its maker, their maker, and so on.')),
        key: maybe(text.describe('The id of the security key that they showed for it.')),
        takenBack: maybe(time.describe('It counts no more from then on.')),
      }),
    ),
  }),
);
export type ApprovalRow = z.output<typeof ApprovalRow>;

export const ApprovalContext = named(
  'ApprovalContext',
  'Who asks for a request, and what their session did before it.',
)(
  z.strictObject({
    open: flag.describe('The session is open. Else what follows is known in part.'),
    kind: maybe(z.enum(['person', 'agent'])),
    groups: maybe(texts),
    owner: maybe(text.describe('Who answers for the agent that asks.')),
    issuer: maybe(text),
    makers: maybe(texts.describe('Who made the token that it was opened with, or confirmed the login.')),
    protocol: maybe(text),
    client: maybe(text.describe('Address of the client.')),
    started: maybe(time),
    commands: maybe(count.describe('Let through.')),
    denied: maybe(count),
    before: z
      .array(
        z.strictObject({
          at: count.describe('Milliseconds since the start of the session.'),
          text,
          decision: maybe(z.enum(['allow', 'deny', 'hold'])),
          rule: maybe(text),
          message: maybe(text),
        }),
      )
      .describe('The last commands before it.'),
    more: flag.describe('The session did too much to look at here: /v1/sessions/{id}/timeline has it.'),
  }),
);
export type ApprovalContext = z.output<typeof ApprovalContext>;

export const AgentRow = named(
  'Agent',
  'An agent that was enrolled.',
)(
  z.strictObject({
    id: text,
    name: text.describe('What "via" calls it.'),
    state: z.enum(['connected', 'away', 'revoked']),
    enrolled: time,
    lastSeen: time,
    revoked: maybe(time),
    connects: count.describe('Since the gateway started: one more than it had to come back.'),
    links: z.array(
      z.strictObject({
        address: text,
        version: text,
        since: time,
        roundTrip: maybe(count.describe('Milliseconds.')),
        streams: count,
        opened: count,
        refused: count,
        received: count.describe('Bytes.'),
        sent: count.describe('Bytes.'),
        draining: flag,
        allow: texts,
      }),
    ),
  }),
);
export type AgentRow = z.output<typeof AgentRow>;

export const SshClientConfig = named(
  'SshClientConfig',
  'What an SSH client needs to know of the gateway.',
)(
  z.strictObject({
    host: text,
    port: count,
    hostKey: text.describe('A line of a public key, as is the next.'),
    userCa: text.describe('The authority of the certificates that the gateway shows to targets.'),
    connections: texts.describe('Those that the caller may reach.'),
  }),
);
export type SshClientConfig = z.output<typeof SshClientConfig>;

/** How the control API says no, whatever the status; and what a revocation is answered with that is not stored yet (202). */
export const Problem = named(
  'Problem',
  'Why a request was not answered, in a sentence for whoever sent it.',
)(z.strictObject({ message: text, hint: maybe(text.describe('What to do about it.')) }));
export type Problem = z.output<typeof Problem>;
