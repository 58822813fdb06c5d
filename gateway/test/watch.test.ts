import { join } from 'node:path';
import type { TimelineEntry } from '@sluice/api';
import { ApiClient } from '@sluice/cli';
import type { ResponsePart } from '@sluice/contract';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { openStand, targetOf } from './stand.js';

test.skipIf(missingPostgres(18))(
  'an open session can be followed to its end, with what was before, and with what a program prints',
  async () => {
    const server = await startPostgres({ major: 18 });
    const stand = await openStand({ target: targetOf(server) });
    const { gateway } = stand;
    try {
      const client = await stand.client();
      await client.query('SELECT 1 AS before');
      const api = ApiClient.find({ data: join(stand.folder, 'data') });
      const [session] = [...gateway.sessions.keys()];
      if (session === undefined) throw new Error('there is no session');
      const path = `/v1/sessions/${session}/watch`;

      const seen: TimelineEntry[] = [];
      const { promise: caughtUp, resolve } = Promise.withResolvers<void>();
      const following = (async (): Promise<void> => {
        for await (const entry of api.events<TimelineEntry>(path)) {
          seen.push(entry);
          if (entry.type === 'response') resolve();
        }
      })();
      await caughtUp;
      await client.query('SELECT 2 AS meanwhile');
      await client.query('DROP TABLE nothing').catch(() => undefined);
      // As a protocol with programs records them.
      const part = (stream: NonNullable<ResponsePart['stream']>, text: string): ResponsePart => ({
        type: 'part',
        command: 9,
        stream,
        data: [Buffer.from(text)],
      });
      for (const piece of [part('size', '100x30'), part('out', '$ '), part('line', 'ls'), part('out', 'ok\r\n')])
        gateway.log.response(session, piece);
      await client.end();
      await following;

      const texts = seen.flatMap(({ type, text, decision }) => (type === 'command' ? [`${decision} ${text}`] : []));
      expect(texts).toEqual(['allow SELECT 1 AS before', 'allow SELECT 2 AS meanwhile', 'deny DROP TABLE nothing']);
      expect(seen.at(0)?.type).toBe('opened');
      expect(seen.at(-1)?.type).toBe('closed');
      const output = seen.flatMap(({ type, stream, data }) =>
        type === 'output' ? [`${stream} ${Buffer.from(data ?? '', 'base64').toString()}`] : [],
      );
      expect(output).toEqual(['size 100x30', 'out $ ', 'line ls', 'out ok\r\n']);

      // What was followed is what is on record, and a session that has ended is followed to its end at once.
      expect(await api.get<TimelineEntry[]>(`/v1/sessions/${session}/timeline`)).toEqual(seen);
      const again: TimelineEntry[] = [];
      for await (const entry of api.events<TimelineEntry>(path)) again.push(entry);
      expect(again).toEqual(seen);

      const cast = (await api.text(`/v1/sessions/${session}/export?format=asciicast`)).trimEnd().split('\n');
      expect(JSON.parse(cast[0] ?? '')).toMatchObject({ version: 3, term: { cols: 100, rows: 30 } });
      expect(cast.length).toBeGreaterThan(4);

      // Somebody else's session is none of theirs.
      const { token } = await gateway.identity.createToken({ principal: 'robot', name: 'test' });
      await expect(new ApiClient(gateway.url, token).text(path)).rejects.toThrow(/no session/);
      const approver = await gateway.identity.createToken({ principal: 'ada', name: 'test' });
      await expect(new ApiClient(gateway.url, approver.token).text(path)).rejects.toThrow(/may not do this/);
    } finally {
      await stand.stop();
      await server.stop();
    }
  },
  60_000,
);
