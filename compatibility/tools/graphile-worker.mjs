/** graphile-worker: its migrations, where its argument says so alone; jobs added by SQL function and by the library, a runner that takes them, one that fails. */
import { makeWorkerUtils, runOnce } from 'graphile-worker';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

const pool = new pg.Pool({ ...target, max: 3 });
const none = () => undefined;
const quiet = { scope: none, error: none, warn: none, info: none, debug: none };
const logger = { ...quiet, scope: () => logger, log: none };
try {
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();
  if (process.argv[2] === 'install') process.exit(0);
  const { rows } = await pool.query('select id, name, email from people order by id');
  for (const { id, name, email } of rows) await utils.addJob('greet', { id, name, email }, { queueName: 'post' });
  await utils.addJob('breaks', { id: 0 }, { maxAttempts: 1 });
  await pool.query("select graphile_worker.add_job('greet', json_build_object('id', 9), job_key := 'nine')");
  await pool.query("select graphile_worker.add_job('greet', json_build_object('id', 10), job_key := 'nine')");
  const seen = [];
  await runOnce({
    pgPool: pool,
    logger,
    noHandleSignals: true,
    taskList: {
      greet: async (payload) => void seen.push(payload),
      breaks: async () => {
        throw new Error('breaks');
      },
    },
  });
  say(
    'seen',
    seen.sort((a, b) => a.id - b.id),
  );
  // That a job is done is written a moment after the runner has ended.
  const left = async () =>
    (
      await pool.query(
        'select task_identifier, attempts, last_error is not null as failed from graphile_worker.jobs order by id',
      )
    ).rows;
  let jobs = await left();
  for (let tries = 0; tries < 100 && jobs.some(({ failed }) => !failed); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    jobs = await left();
  }
  say('left', jobs);
  await utils.release();
  await pool.end();
} catch (error) {
  fail(error);
}
process.exit(0);
