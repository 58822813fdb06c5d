import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournal, verify } from '@sluice/recording';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { expect, test } from 'vitest';
import { smallDisk } from './small-disk.js';
import { openStand, targetOf } from './stand.js';

test.skipIf(missingPostgres(15))(
  'a file system that fills up under load: nothing runs that is not on record, and work goes on when there is room',
  async ({ skip }) => {
    const folder = smallDisk() ?? skip('a small file system cannot be mounted here');
    const server = await startPostgres({ major: 15 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query('create table done (id text primary key)');
    const stand = await openStand({ target: targetOf(server), folder });
    const journal = join(folder, 'data', 'journal');
    const ballast = join(journal, 'ballast');
    writeFileSync(ballast, Buffer.alloc(3_000_000));

    const refusals: string[] = [];
    const clients = await Promise.all(Array.from({ length: 4 }, () => stand.client()));
    const load = clients.map(async (client, n) => {
      for (let at = 0; at < 100_000; at++) {
        try {
          await client.query("insert into done values ($1) returning repeat('x', 20000)", [`${n}-${at}`]);
        } catch (error) {
          refusals.push((error as Error).message);
          return;
        }
      }
    });
    await Promise.all(load);
    expect(refusals).toHaveLength(4);
    expect(stand.gateway.ready).toMatchObject({ ok: false });
    const late = await stand.client().catch((error: Error) => error);
    if (late instanceof pg.Client) {
      await expect(late.query('select 1')).rejects.toThrow('record cannot be written');
    }

    rmSync(ballast);
    for (let n = 0; n < 400 && !stand.gateway.ready.ok; n++) await sleep(50);
    const client = await stand.client();
    expect((await client.query("insert into done values ('again') returning id")).rows).toEqual([{ id: 'again' }]);
    await client.end();
    const { rows } = await direct.query<{ id: string }>('select id from done');
    await stand.stop();
    expect(verify(journal).problems).toEqual([]);
    const recorded = new Set<string>();
    let again = 0;
    for (const { header } of readJournal(journal)) {
      if (header.k !== 'command' || header.phase !== 'run') continue;
      if (header.text.includes("'again'")) again++;
      for (const value of header.parameters ?? []) recorded.add(String(value));
    }
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.map(({ id }) => id).filter((id) => id !== 'again' && !recorded.has(id))).toEqual([]);
    expect(again).toBe(1);
    await direct.end();
    await server.stop();
  },
);
