/**
 * What happens, told to whoever looks at the gateway, so that nobody has to ask again and again. Owns: who is told of what. Does not:
 * say what it is: whoever is told asks the route that has it, which decides what they see.
 */
import type { ServerResponse } from 'node:http';
import type { Principal } from '@sluice/contract';
import { type Proven, samePerson } from '@sluice/identity';
import { beginEvents, textOf } from './answers.js';
import { stillReads } from './callers.js';
import type { Controlled } from './controlled.js';
import { maySeeRequest } from './events.js';
import { ControlError, type Routes, type TokenScope } from './routes.js';

/** Streams of events that one principal may have open at a time: one for each page that somebody has open. */
const MAX_STREAMS_OF_ONE = 32;
/** How often somebody is told at most that sessions changed, in milliseconds. */
const LOOK_MS = 1_000;
/** A line that means nothing, so that a connection that is gone is noticed and a proxy keeps one that is not. Milliseconds. */
const BEAT_MS = 15_000;
/** How soon a browser comes back when the stream broke, in milliseconds. */
const RETRY_MS = 1_000;
/** Bytes that may wait for somebody who does not read them. */
const MAX_UNREAD_BYTES = 64 * 1024;

const seesAllSessions = ({ roles }: Principal): boolean => roles.includes('auditor') || roles.includes('admin');

export function eventRoutes({ app, gateway, caller, scope }: Routes): void {
  const open = new Map<string, number>();
  const schema = {
    tags: ['gateway'],
    summary: 'What changes, as it happens',
    description:
      'Server-sent events: "approval" with the number of a request that was asked or has changed, and "sessions" when sessions ' +
      'began, ended or did something, once a second at most. They say that something changed, and other routes what it is. ' +
      'Whoever comes back after a break has missed what happened meanwhile, and asks anew.',
    response: { 200: textOf('Server-sent events (WHATWG HTML section 9.2).', 'text/event-stream') },
  };
  app.get('/v1/events', { config: { about: 'connections' }, schema }, (request, reply) => {
    const who = caller(request);
    const within = scope(request);
    const { name } = who.principal;
    const own = open.get(name) ?? 0;
    if (own >= MAX_STREAMS_OF_ONE)
      throw new ControlError(429, `"${name}" follows the gateway ${own} times already.`, 'Close some of the pages.');
    open.set(name, own + 1);
    const raw = beginEvents(reply);
    const stop = follow(gateway, who, within, raw);
    raw.once('close', () => {
      stop();
      const left = (open.get(name) ?? 1) - 1;
      if (left > 0) open.set(name, left);
      else open.delete(name);
    });
    raw.write(`retry: ${RETRY_MS}\n\n`);
  });
}

/** Tells one reader until they may not read any more. Returns what stops it. */
function follow(gateway: Controlled, who: Proven, within: TokenScope, raw: ServerResponse): () => void {
  const now = (): Principal | undefined => stillReads(gateway, who);
  // What is written to an answer that has ended is an error of the process, if nobody listens for it.
  raw.on('error', () => raw.destroy());
  const send = (text: string): void => {
    if (raw.writableEnded || raw.destroyed) return;
    // Whoever does not read has missed something, and finds out by coming back.
    if (raw.writableLength > MAX_UNREAD_BYTES) raw.destroy();
    else raw.write(text);
  };
  const forget = gateway.events.listen((request) => {
    const principal = now();
    if (!principal || !within(request.connection) || !maySeeRequest(principal, request)) return;
    send(`event: approval\ndata: ${JSON.stringify({ number: request.number })}\n\n`);
  });
  let seen = signature(gateway, who.principal, within);
  const look = setInterval(() => {
    const principal = now();
    const current = principal && signature(gateway, principal, within);
    if (current === undefined || current === seen) return;
    seen = current;
    send('event: sessions\ndata: {}\n\n');
  }, LOOK_MS);
  const beat = setInterval(() => send(':\n\n'), BEAT_MS);
  for (const timer of [look, beat]) timer.unref();
  const ended = gateway.streams.add({ may: () => now() !== undefined, end: () => raw.end() });
  return () => {
    forget();
    ended();
    clearInterval(look);
    clearInterval(beat);
  };
}

/** Changes whenever a session that somebody may see begins, ends or has a command judged. */
function signature({ sessions }: Controlled, principal: Principal, within: TokenScope): string {
  const all = seesAllSessions(principal);
  let [count, commands, newest] = [0, 0, ''];
  for (const { id, principal: owner, connection, commands: passed, denied } of sessions.values()) {
    if (!owner || !within(connection?.name) || !(all || samePerson(owner, principal))) continue;
    count++;
    commands += passed + denied;
    newest = id;
  }
  return `${count} ${commands} ${newest}`;
}
