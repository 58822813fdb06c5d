/** Commands on record that somebody looks for. Owns: who finds which, and that reading is on record. Does not: read (packages/reading). */
import { DAMAGES, FoundCommand } from '@sluice/api';
import { samePerson } from '@sluice/identity';
import { ReadFailure } from '@sluice/reading';
import { z } from 'zod';
import { problems } from './answers.js';
import { ControlError, type Routes } from './routes.js';

const Query = z.object({
  text: z.string().min(1).max(300).optional().describe('In the text of the command, whatever its case.'),
  decision: z.enum(['allow', 'deny', 'hold']).optional(),
  principal: z.string().max(1_000).optional().describe('Only those of this one.'),
  connection: z.string().max(1_000).optional().describe('Only those on this one.'),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  before: z
    .string()
    .regex(/^\d{1,10}\.\d{1,12}$/)
    .optional()
    .describe('Of the page before, out of its header "link".'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export function searchRoute({ app, gateway, caller, scope }: Routes): void {
  const schema = {
    tags: ['sessions'],
    summary: 'Commands on record, the newest first',
    description:
      'Users find their own; auditors and administrators those of everybody, which is on record. Where there is more to look through, the header "link" has the next page as rel="next", also behind a page without any. Where the record that was read for a page is damaged, the header "sluice-damages" has a JSON array of sentences.',
    querystring: Query,
    response: { 200: z.array(FoundCommand), ...problems(429, 503) },
  };
  const config = { roles: ['user', 'auditor', 'admin'], about: 'connections', inTurn: true } as const;
  app.get('/v1/commands', { config, schema }, async (request, reply): Promise<FoundCommand[]> => {
    const { principal, connections, tokenId } = caller(request);
    scope(request);
    const { since, until, ...wanted } = request.query;
    const all = principal.roles.includes('auditor') || principal.roles.includes('admin');
    const times = { since: timeOf(since), until: timeOf(until) };
    const sought = { ...wanted, ...times, connections, person: all ? undefined : principal };
    const { found, next, damages } = await inWords(gateway.readings.search(principal.name, sought));
    const others = found.filter(
      ({ session: { principal: name, issuer, subject } }) => !samePerson({ name, issuer, subject }, principal),
    );
    for (const id of new Set(others.map(({ session }) => session.id)))
      if (!gateway.log.reading(principal.name, tokenId, 'timeline', id)) throw new ControlError(503, UNRECORDED);
    if (damages.length > 0) void reply.header(DAMAGES, JSON.stringify(damages));
    if (next !== undefined) {
      const query = new URLSearchParams({ before: next });
      for (const [name, value] of Object.entries(request.query))
        if (value !== undefined && name !== 'before') query.set(name, String(value));
      void reply.header('link', `</v1/commands?${query}>; rel="next"`);
    }
    return found.map(({ session: { id: session, principal: by, connection, protocol }, at, ...command }) => ({
      session,
      principal: by,
      connection,
      protocol,
      at: new Date(at).toISOString(),
      ...command,
    }));
  });
}

const UNRECORDED = 'The record cannot be written at the moment, so recordings of others cannot be read.';

const timeOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Date.parse(text));

async function inWords<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw error instanceof ReadFailure ? new ControlError(error.status, error.message) : error;
  }
}
