import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresServer } from '@sluice/testkit';
import pg from 'pg';

/**
 * Returns once the server itself runs a statement that is like this one. That the gateway has judged it says less: a cancel that comes
 * before the statement is for none, and a client that leaves may take along what it has not sent.
 */
export async function running(server: PostgresServer, like: string, count = 1): Promise<void> {
  const { host, port, user, password } = server;
  const admin = new pg.Client({ host, port, user, password, database: 'postgres' });
  await admin.connect();
  try {
    for (;;) {
      const { rows } = await admin.query(
        "select from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()",
        [like],
      );
      if (rows.length === count) return;
      await sleep(20);
    }
  } finally {
    await admin.end();
  }
}
