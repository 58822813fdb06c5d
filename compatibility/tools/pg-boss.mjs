/** pg-boss: installs its schema, where its argument says so; or sends, fetches with SKIP LOCKED, completes and fails jobs, and keeps schedules. */
import { PgBoss } from 'pg-boss';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

const boss = new PgBoss({ ...target, supervise: false, schedule: false });
boss.on('error', fail);
try {
  await boss.start();
  if (process.argv[2] === 'install') {
    await boss.stop();
    process.exit(0);
  }
  say('installed', await boss.isInstalled());
  await boss.createQueue('letters', { retryLimit: 1 });
  await boss.createQueue('dead');
  const queues = (await boss.getQueues()).map(({ name, policy }) => `${name} ${policy}`);
  say('queues', queues.sort());
  const client = new pg.Client(target);
  await client.connect();
  const { rows } = await client.query('select id, name, email from people order by id');
  for (const { id, name, email } of rows) await boss.send('letters', { id, name, email }, { priority: id });
  await boss.insert('letters', [{ data: { id: 10 } }, { data: { id: 11 } }]);
  // In which order they come the server does not say.
  const first = (await boss.fetch('letters', { batchSize: 2 })).sort((a, b) => b.data.id - a.data.id);
  say(
    'fetched',
    first.map(({ data }) => data),
  );
  await boss.complete('letters', first[0].id, { done: true });
  await boss.fail('letters', first[1].id, { why: 'none' });
  say('job', (await boss.getJobById('letters', first[0].id)).state);
  const worked = await new Promise((resolve, reject) => {
    const seen = [];
    boss
      .work('letters', { pollingIntervalSeconds: 0.5 }, async ([job]) => {
        seen.push(job.data.id);
        if (seen.length === 4) resolve(seen);
      })
      .catch(reject);
  });
  say('worked', worked.sort());
  await boss.offWork('letters');
  await boss.publish('nothing', {});
  await boss.schedule('letters', '0 3 * * *', { id: 0 });
  say(
    'schedules',
    (await boss.getSchedules()).map(({ name, cron }) => [name, cron]),
  );
  await boss.maintain?.();
  say(
    'left',
    (await client.query('select count(*)::int as n, state::text from pgboss.job group by 2 order by 2')).rows,
  );
  await boss.stop({ graceful: true, wait: true, timeout: 5000 });
  // What it measures of itself differs each time.
  await client.query('delete from pgboss.instance');
  await client.end();
} catch (error) {
  fail(error);
}
process.exit(0);
