import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { caller } from './control.js';
import { logLines, openStand, targetOf } from './stand.js';

/** A folder with a small file system for the control state, and another one for the journal. */
function smallStore(): string | undefined {
  const { path, remove } = temporaryFolder('store');
  const data = join(path, 'data');
  const journal = join(data, 'journal');
  mkdirSync(data);
  const mounted: string[] = [];
  const mount = (at: string): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', at], { stdio: 'ignore' });
    mounted.unshift(at);
  };
  const end = (): void => {
    for (const at of mounted) execFileSync('umount', [at]);
    remove();
  };
  try {
    mount(data);
    mkdirSync(journal);
    mount(journal);
  } catch {
    end();
    return undefined;
  }
  chmodSync(data, 0o700);
  onTestFinished(end);
  return path;
}

function fill(folder: string): () => void {
  const file = join(folder, 'ballast');
  const ballast = openSync(file, 'w');
  for (const size of [64 * 1024, 1]) {
    try {
      while (writeSync(ballast, Buffer.alloc(size)) > 0);
    } catch {
      // It is full for this size.
    }
  }
  closeSync(ballast);
  return () => rmSync(file);
}

const RULES = `
    - { rule: ask, when: 'action.verb == "delete"', hold: { approvers: ['user:ada'] } }
`;

/** What an error says, with all that a driver adds. */
const saidBy = async (attempt: Promise<unknown>): Promise<string> => {
  try {
    await attempt;
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
};

const FULL = 'The gateway cannot store anything at the moment: the disk with its data is full.';

test.skipIf(missingPostgres(15))(
  'a full disk under what is decided: nothing passes by it, everybody is told why, and it goes on when there is room',
  async ({ skip }) => {
    const folder = smallStore() ?? skip('a small file system cannot be mounted here');
    const server = await startPostgres({ major: 15 });
    onTestFinished(() => server.stop());
    const { log, lines } = logLines();
    const stand = await openStand({ target: targetOf(server), folder, rules: RULES, log });
    onTestFinished(() => stand.stop());
    const { identity } = stand.gateway;
    const admin = caller(stand, (await identity.createToken({ principal: 'operator', name: 'test' })).token);
    const ada = caller(stand, (await identity.createToken({ principal: 'ada', name: 'test' })).token);
    const rows = (): Promise<{ number: number; state: string }[]> => ada.get('/v1/approvals');
    const states = async (): Promise<string[]> => (await rows()).map(({ state }) => state);
    const [first, second] = [await stand.client(), await stand.client()];
    await first.query('create table t (a int)');
    await first.query('insert into t values (1), (2)');
    const held = saidBy(first.query('delete from t where a = 1'));
    await vi.waitFor(async () => expect(await states()).toEqual(['pending']), { timeout: 5_000 });

    const empty = fill(join(folder, 'data'));
    expect(await saidBy(admin.post('/v1/tokens', { principal: 'dev', name: 'more' }))).toBe(
      `503 ${JSON.stringify({ message: FULL })}`,
    );
    expect(await saidBy(second.query('delete from t where a = 2'))).toContain(FULL);
    expect(await ada.post('/v1/approvals/1/approve', { reason: 'it is old' })).toMatchObject({ state: 'withdrawn' });
    expect(await held).toContain('the outcome could not be stored');
    expect(await saidBy(ada.post('/v1/approvals/1/approve', { reason: 'again' }))).toContain('is withdrawn already');
    expect(await states()).toEqual(['withdrawn']);
    // What needs nobody's word goes on.
    expect((await second.query('select a from t order by a')).rows).toEqual([{ a: 1 }, { a: 2 }]);
    expect(lines.filter((line) => line.includes(FULL))).toHaveLength(1);

    empty();
    await admin.post('/v1/tokens', { principal: 'dev', name: 'more' });
    expect(lines.filter((line) => line.includes('can be stored again'))).toHaveLength(1);
    const again = second.query('delete from t where a = 2');
    await vi.waitFor(async () => expect(await states()).toContain('pending'), { timeout: 5_000 });
    const number = (await rows()).find(({ state }) => state === 'pending')?.number;
    await ada.post(`/v1/approvals/${number}/approve`, { reason: 'it is old' });
    expect((await again).rowCount).toBe(1);
    for (const client of [first, second]) await client.end();
  },
);
