/**
 * What somebody needs to know who decides about a request, besides the request: who asks, from where, and what their session did
 * before. Owns: that only those get it who may decide, and that they read it is on record. Does not: show answers of targets.
 */
import { ApprovalContext, type TimelineEntry } from '@sluice/api';
import { type ApprovalRequest, mayRelease } from '@sluice/approvals';
import type { Principal } from '@sluice/contract';
import { type Maker, ownerOf, samePerson } from '@sluice/identity';
import { ReadFailure } from '@sluice/reading';
import { z } from 'zod';
import { problems } from './answers.js';
import type { Controlled } from './controlled.js';
import { maySeeRequest } from './events.js';
import { ControlError, type Routes, admit } from './routes.js';

/** Commands that are shown, and entries of the session that are read for them: a session that did more is for its own page. */
const MAX_COMMANDS = 20;
const MAX_ENTRIES = 2_000;
/** Of the text of each. Characters. */
const MAX_TEXT_CHARACTERS = 2_000;

const ByNumber = z.object({ number: z.coerce.number('a request is named by its number').int().positive() });

export function contextRoute({ app, gateway, caller, scope }: Routes): void {
  const schema = {
    tags: ['approvals'],
    summary: 'Who asks for a request, and what their session did before it',
    description:
      'For those who may decide about it, auditors, administrators and who asked. That somebody read it is on record. Texts of commands and what became of them, no answers of targets.',
    params: ByNumber,
    response: { 200: ApprovalContext, ...problems(403, 404, 429, 503) },
  };
  const config = { about: 'connections', inTurn: true } as const;
  app.get('/v1/approvals/:number/context', { config, schema }, async (request): Promise<ApprovalContext> => {
    const who = caller(request);
    const within = scope(request);
    const { number } = request.params;
    const found = await gateway.approvals.find(number);
    if (!found || !maySeeRequest(who.principal, found))
      throw new ControlError(404, `There is no request ${number}.`, '"sluice approvals ls" lists them.');
    admit(within, found.connection);
    if (!mayKnow(who.principal, found))
      throw new ControlError(403, 'What a session did before is for those who may decide about its request.');
    const own = samePerson({ name: found.principal, ...found.source }, who.principal);
    if (!own && !gateway.log.reading(who.principal.name, who.tokenId, 'timeline', found.session))
      throw new ControlError(
        503,
        'The record cannot be written at the moment, so recordings of others cannot be read.',
      );
    return { ...asker(gateway, found), ...(await before(gateway, who.principal.name, found)) };
  });
}

const mayKnow = (principal: Principal, request: ApprovalRequest): boolean =>
  mayRelease(request, principal) ||
  principal.roles.includes('auditor') ||
  principal.roles.includes('admin') ||
  samePerson({ name: request.principal, ...request.source }, principal);

/** Of a session that is open, all that is known; of one that is over, what the request says. */
function asker(
  gateway: Controlled,
  { session: id, principal: name, source }: ApprovalRequest,
): Omit<ApprovalContext, 'before' | 'more'> {
  const session = gateway.sessions.get(id);
  const makers = source?.makers ?? [];
  const known = {
    ...(source?.issuer !== undefined && { issuer: source.issuer }),
    ...(makers.length > 0 && { makers: makers.map((one) => one.name) }),
  };
  if (!session?.principal) return { open: false, ...known };
  const owner = ownerOf(session.principal, session.makers as readonly Maker[]);
  return {
    open: true,
    ...known,
    kind: session.principal.kind,
    groups: [...session.principal.groups],
    ...(owner.name !== name && { owner: owner.name }),
    protocol: session.protocol,
    client: session.client,
    started: new Date(session.started).toISOString(),
    commands: session.commands,
    denied: session.denied,
  };
}

/** The last commands before it. `more`: the session did more than is looked at. */
async function before(
  { readings }: Controlled,
  caller: string,
  { session: id, command }: ApprovalRequest,
): Promise<Pick<ApprovalContext, 'before' | 'more'>> {
  try {
    const session = await readings.find(caller, id);
    if (!session) return { before: [], more: false };
    const reading = readings.read(caller, { session, as: 'page', limit: MAX_ENTRIES, cursor: undefined });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of reading.chunks) chunks.push(chunk);
    } finally {
      reading.release();
    }
    const entries: TimelineEntry[] = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const more = (await reading.next) !== undefined;
    const commands = entries.filter((one) => one.type === 'command' && (one.command ?? 0) < command);
    return { before: more ? [] : commands.slice(-MAX_COMMANDS).map(toRow), more };
  } catch (error) {
    if (error instanceof ReadFailure) throw new ControlError(error.status, error.message);
    throw error;
  }
}

const toRow = ({
  at,
  text = '',
  request,
  decision,
  rule,
  message,
}: TimelineEntry): ApprovalContext['before'][number] => ({
  at,
  text: (text || (request ? `${request.method} ${request.path}` : '')).slice(0, MAX_TEXT_CHARACTERS),
  ...(decision !== undefined && { decision }),
  ...(rule !== undefined && { rule }),
  ...(message !== undefined && { message }),
});
