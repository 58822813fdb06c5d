/**
 * Routes about sessions: open ones, those on record, their end. Owns: who sees which, and that reading is on record. Does not:
 * read the journal (packages/reading).
 */
import { DAMAGES, SessionRow, TimelineEntry } from '@sluice/api';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Principal } from '@sluice/contract';
import { type Person, type Proven, samePerson } from '@sluice/identity';
import type { IndexedSession } from '@sluice/store';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { ReadFailure, type SessionReading, type SessionQuestionWithoutEnd } from '@sluice/reading';
import { actorOf } from '@sluice/audit';
import { beginEvents, problems, textOf } from './answers.js';
import { stillReads } from './callers.js';
import { ById } from './openapi.js';
import { ControlError, type Routes, type TokenScope, admit } from './routes.js';
import { claimOf, hasAll, isEarlier, liveRow, recordedRow } from './session-rows.js';

const limit = z.coerce.number().int().min(1).max(10_000);

const Query = z.object({
  state: z.enum(['open']).optional().describe('Only those that are open.'),
  before: z.string().max(64).optional().describe('Only those behind this session in the list: the next page.'),
  principal: z.string().max(1_000).optional().describe('Only those of this one.'),
  connection: z.string().max(1_000).optional().describe('Only those on this one.'),
  claim: z
    .union([z.string(), z.array(z.string())])
    .transform((one) => [one].flat())
    .pipe(
      z
        .array(
          z
            .string()
            .max(1_000)
            .regex(/^[^=]+=/, 'write name=value'),
        )
        .max(10),
    )
    .default([])
    .describe('Only those whose principal had this claim, as name=value; of several, all of them.'),
  limit: limit.default(50),
});

const Page = z.object({
  cursor: z.string().max(200).optional().describe('Of the page before, out of its header "link".'),
  limit: limit.default(1_000),
  from: z.coerce.number().int().min(0).optional().describe('From the command of this number on.'),
  decision: z.enum(['allow', 'deny', 'hold']).optional().describe('Only commands about which this was decided.'),
  text: z
    .string()
    .min(1)
    .max(300)
    .optional()
    .describe('Only commands with this in them, whatever its case. A page may have none, and another page behind it.'),
});

const Export = z.object({
  format: z.enum(['ocsf', 'asciicast', 'har']).default('ocsf'),
  command: z.coerce.number().int().min(0).optional().describe('The number of one command, for asciicast and har.'),
});

const MEDIA = { ocsf: 'application/x-ndjson', asciicast: 'application/x-asciicast', har: 'application/json' } as const;

/** Those who read sessions: their own, or with the last two roles, all. */
const READERS = { roles: ['user', 'auditor', 'admin'], about: 'connections' } as const;

/**
 * Sessions: those that are open from memory, what is on record by way of the thread that reads it. Users see their own; whoever
 * reads what others did is on record.
 */
export function sessionRoutes({ app, gateway, caller, scope }: Routes): void {
  const { readings, log } = gateway;

  const list = {
    tags: ['sessions'],
    summary: 'Sessions that the caller may see, newest first',
    querystring: Query,
    response: { 200: z.array(SessionRow), ...problems(429, 503) },
  };
  app.get('/v1/sessions', { config: READERS, schema: list }, async (request): Promise<SessionRow[]> => {
    const { principal, connections } = caller(request);
    const within = scope(request);
    const { state, before, claim, principal: of, connection: on, limit: most } = request.query;
    const claims = claim.map(claimOf);
    if (state === 'open') {
      return [...gateway.sessions.values()]
        .reverse()
        .filter((one) => one.principal !== undefined && mayRead(one.principal, principal))
        .filter(({ id }) => before === undefined || isEarlier(id, before))
        .filter(({ connection, claims: own }) => within(connection?.name) && hasAll(own, claims))
        .filter((one) => (of ?? one.principal?.name) === one.principal?.name)
        .filter((one) => (on ?? one.connection?.name) === one.connection?.name)
        .slice(0, most)
        .map(liveRow);
    }
    // Taken before the index is asked: one that ends meanwhile is still shown as it was.
    const live = new Map(
      [...gateway.sessions.values()].flatMap((one) => (one.principal ? [[one.id, liveRow(one)]] : [])),
    );
    const person = seesAll(principal) ? undefined : principal;
    const filter = { person, connections, claims, principal: of, connection: on, before, limit: most };
    const found = await heeded(readings.list(principal.name, filter));
    return found.map((session) => live.get(session.id) ?? recordedRow(session));
  });

  const one = {
    tags: ['sessions'],
    summary: 'One session',
    params: ById,
    response: { 200: SessionRow, ...problems(404, 429, 503) },
  };
  app.get('/v1/sessions/:id', { config: READERS, schema: one }, async (request): Promise<SessionRow> => {
    const session = await find(request.params.id, caller(request), scope(request));
    const live = gateway.sessions.get(session.id);
    return live?.principal ? liveRow(live) : recordedRow(session);
  });

  const timeline = {
    tags: ['sessions'],
    summary: 'What happened in a session, a page at a time',
    description: 'Where there is more, the header "link" has the next page as rel="next" (RFC 8288).',
    params: ById,
    querystring: Page,
    response: { 200: z.array(TimelineEntry), ...problems(404, 429, 503) },
  };
  app.get('/v1/sessions/:id/timeline', { config: READERS, schema: timeline }, async (request, reply) => {
    const who = caller(request);
    const session = await find(request.params.id, who, scope(request));
    onRecord(session, who, 'timeline');
    const { cursor, limit: most, ...wanted } = request.query;
    const reading = begin(who, reply, { session, as: 'page', limit: most, cursor, wanted });
    const page = Buffer.concat(await heeded(all(reading.chunks)));
    const next = await reading.next;
    if (next !== undefined) {
      const query = new URLSearchParams({ limit: String(most), cursor: next });
      // Once the first command is reached, answers of the ones before it are wanted too.
      const { from, ...sought } = wanted;
      for (const [name, value] of Object.entries(page.length > NONE_BYTES ? sought : { from, ...sought }))
        if (value !== undefined) query.set(name, String(value));
      void reply.header('link', `</v1/sessions/${encodeURIComponent(session.id)}/timeline?${query}>; rel="next"`);
    }
    return sendAs(reply, 'application/json; charset=utf-8', page);
  });

  const exported = {
    tags: ['sessions'],
    summary: 'A session in a format for other programs',
    description:
      'Where the record of it is damaged, the header "sluice-damages" has a JSON array of sentences, and what is exported says so where it is: an OCSF event of class 0, a marker of an asciicast, the comment of an HTTP Archive.',
    params: ById,
    querystring: Export,
    response: {
      200: textOf(
        'OCSF events or an asciicast v3, a line each; or an HTTP Archive.',
        'application/x-ndjson',
        'application/x-asciicast',
        'application/json',
      ),
      ...problems(404, 409, 429, 503),
    },
  };
  app.get('/v1/sessions/:id/export', { config: READERS, schema: exported }, async (request, reply) => {
    const who = caller(request);
    const session = await find(request.params.id, who, scope(request));
    onRecord(session, who, 'export');
    const { format, command } = request.query;
    const wanted: SessionQuestionWithoutEnd =
      format === 'ocsf' ? { session, as: 'ocsf' } : { session, as: format, command };
    // Before anything is sent: whoever takes the whole for all of it has to be told.
    const damages = await heeded(readings.damages(who.principal.name, session));
    if (damages.length > 0) void reply.header(DAMAGES, JSON.stringify(damages));
    const reading = begin(who, reply, wanted);
    const text = await heeded(begun(reading));
    return sendAs(reply, MEDIA[format], text);
  });

  // Server-sent events (WHATWG HTML section 9.2): what is on record so far, then whatever is added to it.
  const watched = {
    tags: ['sessions'],
    summary: 'Follow a session to its end',
    params: ById,
    response: {
      200: textOf('Server-sent events; the data of each is a TimelineEntry.', 'text/event-stream'),
      ...problems(404, 429, 503),
    },
  };
  app.get('/v1/sessions/:id/watch', { config: READERS, schema: watched }, async (request, reply) => {
    const who = caller(request);
    const session = await find(request.params.id, who, scope(request));
    onRecord(session, who, 'watch');
    // In this order and without a pause, so that each record is either on disk or still to come.
    const reading = begin(who, reply, { session, as: 'events', follow: gateway.sessions.has(session.id) });
    const stop = log.watch(session.id, (header, payload) => reading.live(header, payload));
    const raw = beginEvents(reply);
    whenGone(raw, stop);
    try {
      for await (const chunk of reading.chunks) {
        if (!raw.write(chunk)) await drained(raw);
      }
      raw.end();
    } catch {
      raw.destroy();
    }
  });

  const kill = {
    tags: ['sessions'],
    summary: 'End an open session',
    params: ById,
    querystring: z.object({
      reason: z.string().optional().describe('The client is told.'),
      keepOut: z.coerce
        .number()
        .int()
        .min(0)
        .max(86_400)
        .optional()
        .describe(
          'Seconds in which its principal gets no other one, where that takes no new login (HTTP). Default: 60.',
        ),
    }),
    response: { 200: z.strictObject({ ended: z.string() }), ...problems(404) },
  };
  app.delete('/v1/sessions/:id', { config: { roles: ['admin'], about: 'gateway' }, schema: kill }, (request) => {
    const session = gateway.sessions.get(request.params.id);
    if (!session)
      throw new ControlError(
        404,
        `There is no open session ${request.params.id}.`,
        '"sluice sessions ls" says which are open.',
      );
    const reason = request.query.reason ? `: ${request.query.reason}` : '';
    const { reason: why, keepOut: keptOut } = request.query;
    session.end({ code: 'ended-by-administrator', ...(why && { why }), ...(keptOut !== undefined && { keptOut }) });
    gateway.log.admin(actorOf(caller(request)), 'session.kill', `${session.id}${reason}`);
    return { ended: session.id };
  });

  const find = async (id: string, { principal }: Proven, within: TokenScope): Promise<IndexedSession> => {
    const session = await heeded(readings.find(principal.name, id));
    if (!session || !mayRead(ownerOf(session), principal)) {
      throw new ControlError(404, `There is no session ${id} on record.`, '"sluice sessions ls" lists them.');
    }
    admit(within, session.connection);
    return session;
  };

  /** What somebody reads of others is on record before they have it. */
  const onRecord = (
    session: IndexedSession,
    { principal, tokenId }: Proven,
    as: 'timeline' | 'export' | 'watch',
  ): void => {
    if (samePerson(ownerOf(session), principal) || log.reading(principal.name, tokenId, as, session.id)) return;
    throw new ControlError(503, 'The record cannot be written at the moment, so recordings of others cannot be read.');
  };

  /** Ends when whoever asked for it is gone, or may not read it any more, however slowly they take it. */
  const begin = (who: Proven, { raw }: FastifyReply, wanted: SessionQuestionWithoutEnd): SessionReading => {
    try {
      const reading = readings.read(who.principal.name, wanted);
      const forget = gateway.streams.add({
        may: () => {
          const principal = stillReads(gateway, who);
          return principal !== undefined && mayRead(ownerOf(wanted.session), principal);
        },
        end: () => {
          reading.cancel();
          // What they have not read by now is none of theirs any more, and part of an export must not look like all of it.
          if (wanted.as === 'events' && raw.writableLength === 0) raw.end();
          else raw.destroy();
        },
      });
      whenGone(raw, () => {
        reading.cancel();
        reading.release();
        forget();
      });
      return reading;
    } catch (error) {
      throw inWords(error);
    }
  };
}

/** A page with no entry. */
const NONE_BYTES = '[]'.length;

const seesAll = ({ roles }: Principal): boolean => roles.includes('auditor') || roles.includes('admin');

/** One's own, or any for who looks after the record. */
const mayRead = (owner: Person, principal: Principal): boolean => seesAll(principal) || samePerson(owner, principal);

const ownerOf = ({ principal: name, issuer, subject }: IndexedSession): Person => ({ name, issuer, subject });

const inWords = (error: unknown): unknown =>
  error instanceof ReadFailure ? new ControlError(error.status, error.message) : error;

async function heeded<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw inWords(error);
  }
}

/** The text as a stream once its first chunk is there, so that what fails at once is still answered with a status. */
async function begun({ chunks }: SessionReading): Promise<Readable> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  return Readable.from(
    (async function* () {
      if (first.done) return;
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => iterator };
    })(),
  );
}

/** Bytes and streams are sent as they are. */
const sendAs = (reply: FastifyReply, type: string, body: Readable | Buffer): FastifyReply =>
  reply.type(type).send(body);

async function all(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const list: Buffer[] = [];
  for await (const chunk of chunks) list.push(chunk);
  return list;
}

function whenGone(answer: ServerResponse, act: () => void): void {
  if (answer.destroyed) act();
  else answer.on('close', act);
}

const drained = (stream: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
