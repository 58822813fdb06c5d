/** Answers about sessions and what was done in them. Types only, and the schemas that check them. */
import { z } from 'zod';
import { named } from '../named.js';
import { text, count, flag, texts, time, maybe } from './values.js';

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

/** The header of an export, and of commands that were found, which may not be all or be changed: a JSON array of sentences. */
export const DAMAGES = 'sluice-damages';

export const TimelineEntry = named(
  'TimelineEntry',
  'One thing that happened in a session.',
)(
  z.strictObject({
    at: count.describe('Milliseconds since the start of the session.'),
    type: z
      .enum(['opened', 'command', 'output', 'response', 'approval', 'closed', 'gap', 'other'])
      .describe(
        'gap: here the record is damaged, or was removed because its time was over; `summary` says what is missing.',
      ),
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
