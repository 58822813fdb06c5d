import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { openStand, targetOf } from './stand.js';

/** Another process that has the store locked, as a backup has, until it is told to let go. */
async function lockFrom(file: string): Promise<() => Promise<void>> {
  const program = `
    import SQLite from 'better-sqlite3';
    new SQLite(${JSON.stringify(file)}).exec('begin immediate');
    console.log('locked');
    setInterval(() => undefined, 1000);`;
  const cwd = join(import.meta.dirname, '..', '..', 'packages', 'store');
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd });
  await once(child.stdout, 'data');
  return async () => {
    child.kill();
    await once(child, 'close');
  };
}

test.skipIf(missingPostgres(15))(
  'somebody locks control.db: logins and statements go on, and what had to be kept is kept later',
  async () => {
    const server = await startPostgres({ major: 15 });
    const stand = await openStand({ target: targetOf(server) });
    try {
      const before = await stand.client();
      const unlock = await lockFrom(join(stand.folder, 'data', 'control.db'));
      const late = stand.gateway.identity.createToken({ principal: 'dev', name: 'late' });
      const standstill = monitorEventLoopDelay();
      standstill.enable();
      const after = await stand.client();
      expect((await before.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
      expect((await after.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
      // One write that waits inside SQLite is five seconds, in which nobody is served.
      standstill.disable();
      expect(standstill.max / 1e6).toBeLessThan(4_000);
      expect(await Promise.race([late, Promise.resolve('waits')])).toBe('waits');
      await unlock();
      const { token } = await late;
      const third = await stand.client({ password: token });
      await Promise.all([before.end(), after.end(), third.end()]);
    } finally {
      await stand.stop();
      await server.stop();
    }
  },
);
