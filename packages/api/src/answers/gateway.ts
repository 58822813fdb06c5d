/** Answers about the gateway itself: what runs, what can be reached, which rules there are. Types only, and the schemas that check them. */
import { z } from 'zod';
import { named } from '../named.js';
import { text, count, flag, texts, time, maybe } from './values.js';

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
