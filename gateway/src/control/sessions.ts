import type { SessionRow, TimelineEntry } from '@sluice/cli';
import type { Principal } from '@sluice/contract';
import { type Person, samePerson } from '@sluice/identity';
import { decodeResult } from '@sluice/postgres';
import { type Entry, type SessionSummary, Timeline, listSessions, toAsciicast, toOcsf } from '@sluice/recording';
import { z } from 'zod';
import type { Gateway } from '../gateway.js';
import { actorOf } from '../log.js';
import type { Session } from '../session.js';
import { problems, textOf } from './answers.js';
import { ById } from './openapi.js';
import { SessionRow as Row, TimelineEntry as TimelineRow } from './schemas.js';
import { ControlError, type Routes, type Scope, admit } from './server.js';

const Query = z.object({
  state: z.enum(['open']).optional().describe('Only those that are open.'),
  limit: z.coerce.number().int().min(1).max(10_000).default(50),
});

/** Bytes that may wait for somebody who watches. */
const MOST_WAITING = 8 * 1024 * 1024;

const Export = z.object({
  format: z.enum(['ocsf', 'asciicast']).default('ocsf'),
  command: z.coerce.number().int().min(0).optional().describe('The number of one command, for asciicast.'),
});

/** Sessions: those that are open from memory, those that were from the journal. Users see their own. */
export function sessionRoutes({ app, gateway, caller, scope }: Routes): void {
  const about = { config: { about: 'connections' } } as const;
  const list = {
    tags: ['sessions'],
    summary: 'Sessions that the caller may see, newest first',
    querystring: Query,
    response: { 200: z.array(Row) },
  };
  app.get('/v1/sessions', { ...about, schema: list }, (request): SessionRow[] => {
    const { principal } = caller(request);
    const { state, limit } = request.query;
    const open = [...gateway.sessions.values()]
      .filter(({ principal: owner }) => owner !== undefined && mayRead(owner, principal))
      .map(liveRow)
      .reverse();
    const known = new Set(open.map((row) => row.id));
    const ended =
      state === 'open'
        ? []
        : recorded(gateway)
            .filter((row) => !known.has(row.id) && mayRead(ownerOf(row), principal))
            .map(recordedRow);
    const within = scope(request);
    return [...open, ...ended].filter((row) => within(row.connection)).slice(0, limit);
  });

  const timeline = {
    tags: ['sessions'],
    summary: 'What happened in a session',
    params: ById,
    response: { 200: z.array(TimelineRow), ...problems(404) },
  };
  app.get('/v1/sessions/:id/timeline', { ...about, schema: timeline }, (request): TimelineEntry[] => {
    const { session, entries } = read(request.params.id, caller(request).principal, scope(request));
    return entries.map((entry) => toApi(entry, session.protocol));
  });

  const exported = {
    tags: ['sessions'],
    summary: 'A session in a format for other programs',
    params: ById,
    querystring: Export,
    response: {
      200: textOf('OCSF events or an asciicast v3, a line each.', 'application/x-ndjson', 'application/x-asciicast'),
      ...problems(404, 409),
    },
  };
  app.get('/v1/sessions/:id/export', { ...about, schema: exported }, (request, reply) => {
    const { session, entries } = read(request.params.id, caller(request).principal, scope(request));
    const { format, command } = request.query;
    if (format === 'asciicast') {
      if (!entries.some(({ type }) => type === 'output'))
        throw new ControlError(409, `Session ${session.id} has no output of a terminal or a program.`);
      void reply.type('application/x-asciicast');
      return [...toAsciicast(session, entries, command)].map((line) => `${line}\n`).join('');
    }
    void reply.type('application/x-ndjson');
    return [...toOcsf(session, entries)].map((line) => `${line}\n`).join('');
  });

  // Server-sent events (WHATWG HTML section 9.2): what is on record so far, then whatever is added to it.
  const watched = {
    tags: ['sessions'],
    summary: 'Follow a session to its end',
    params: ById,
    response: {
      200: textOf('Server-sent events; the data of each is a TimelineEntry.', 'text/event-stream'),
      ...problems(404),
    },
  };
  app.get('/v1/sessions/:id/watch', { ...about, schema: watched }, (request, reply) => {
    const proven = caller(request);
    const { session, entries, reader } = read(request.params.id, proven.principal, scope(request));
    const open = gateway.sessions.has(request.params.id);
    gateway.log.admin(actorOf(proven), 'session.watch', request.params.id);
    const { raw } = reply.hijack();
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const send = (entry: Entry): void => void raw.write(`data: ${JSON.stringify(toApi(entry, session.protocol))}\n\n`);
    for (const entry of entries) send(entry);
    if (!open) {
      raw.end();
      return;
    }
    const stop = gateway.log.watch(request.params.id, (header, payload) => {
      const entry = reader.entry(header, payload);
      // Somebody who does not read must not fill the gateway's memory.
      if (raw.writableLength > MOST_WAITING) raw.destroy();
      else if (entry) send(entry);
      if (header.k === 'closed') raw.end();
    });
    const may = (): boolean => {
      const principal = gateway.identity.still(proven);
      return principal !== undefined && mayRead(ownerOf(session), principal);
    };
    const end = (): void => {
      stop();
      // What they have not read by now is none of theirs any more.
      if (raw.writableLength > 0) raw.destroy();
      else raw.end();
    };
    const forget = gateway.streams.add({ may, end });
    raw.on('close', () => {
      stop();
      forget();
    });
  });

  const kill = {
    tags: ['sessions'],
    summary: 'End an open session',
    params: ById,
    querystring: z.object({ reason: z.string().optional().describe('The client is told.') }),
    response: { 200: z.strictObject({ ended: z.string() }), ...problems(404) },
  };
  app.delete('/v1/sessions/:id', { config: { roles: ['admin'], about: 'gateway' }, schema: kill }, (request) => {
    const session = gateway.sessions.get(request.params.id);
    if (!session) throw new ControlError(404, `There is no open session ${request.params.id}.`);
    const reason = request.query.reason ? `: ${request.query.reason}` : '';
    session.end({ type: 'killed', message: `The session was ended by an administrator${reason}.` });
    gateway.log.admin(actorOf(caller(request)), 'session.kill', `${session.id}${reason}`);
    return { ended: session.id };
  });

  const read = (
    id: string,
    principal: Principal,
    within: Scope,
  ): { session: SessionSummary; entries: Entry[]; reader: Timeline } => {
    const session = recorded(gateway).find((one) => one.id === id);
    if (!session || !mayRead(ownerOf(session), principal)) {
      throw new ControlError(404, `There is no session ${id} on record.`, '"sluice sessions ls" lists them.');
    }
    admit(within, session.connection);
    const reader = new Timeline(id);
    return { session, entries: [...reader.read(gateway.journal.folder)], reader };
  };
}

/** One's own, or any for who looks after the record. */
const mayRead = (owner: Person, principal: Principal): boolean =>
  principal.roles.some((role) => role === 'auditor' || role === 'admin') || samePerson(owner, principal);

const ownerOf = ({ principal: name, issuer, subject }: SessionSummary): Person => ({ name, issuer, subject });

/** The journal as it is on disk, with what is still in memory written first. */
function recorded(gateway: Gateway): SessionSummary[] {
  gateway.log.flush();
  return listSessions(gateway.journal.folder);
}

const liveRow = (session: Session): SessionRow => ({
  id: session.id,
  state: session.state,
  principal: session.principal?.name ?? '',
  connection: session.connection?.name ?? '',
  protocol: session.protocol,
  client: session.client,
  started: new Date(session.started).toISOString(),
  commands: session.commands,
  denied: session.denied,
});

const recordedRow = (session: SessionSummary): SessionRow => {
  const { id, principal, connection, protocol, client, started, ended, reason, commands, denied } = session;
  return {
    id,
    principal,
    connection,
    protocol,
    client,
    commands,
    denied,
    state: 'ended',
    started: new Date(started).toISOString(),
    ...(ended !== undefined && { ended: new Date(ended).toISOString() }),
    ...(reason !== undefined && { reason }),
  };
};

function toApi(entry: Entry, protocol: string): TimelineEntry {
  switch (entry.type) {
    case 'command': {
      const { type, at, id, phase, text, decision } = entry;
      return {
        type,
        at,
        command: id,
        phase: phase === 'prepare' ? 'prepare' : 'run',
        text,
        decision,
        ...(entry.kind && { kind: entry.kind, account: entry.account ?? '' }),
        ...(entry.parameters && { parameters: entry.parameters }),
        ...(entry.rule !== undefined && { rule: entry.rule }),
        ...(entry.message !== undefined && { message: entry.message }),
      };
    }
    case 'response': {
      const { type, at, command, outcome, summary, rows, bytes, data } = entry;
      const answered = { type, at, command, outcome, summary, rows, bytes };
      return protocol === 'postgres' ? { ...answered, result: decodeResult(data) } : answered;
    }
    case 'output': {
      const { type, at, command, stream, data } = entry;
      return { type, at, command, stream, data: data.toString('base64') };
    }
    default:
      return { type: entry.type, at: entry.at, summary: entry.summary };
  }
}
