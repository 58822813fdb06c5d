/** Answers about requests that wait for people, and about who decides. Types only, and the schemas that check them. */
import { z } from 'zod';
import { named } from '../named.js';
import { text, count, flag, texts, time, maybe } from './values.js';

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
