/** What programs and terminals print is on record, or does not go on. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { timeline } from '@sluice/recording';
import { missingSshd } from '@sluice/testkit';
import { describe, expect, test } from 'vitest';
import { openSshStand, until } from './ssh-stand.js';

const RULES = '\n    - { rule: all, allow: true }\n';

describe.skipIf(missingSshd() !== undefined)('the record of a machine', () => {
  test('of a terminal nothing is left out: one that shows more for a line than is recorded ends, in words', async () => {
    const stand = await openSshStand({ rules: RULES, limits: '{ recorded_answer: 1000, terminal: 20KiB }' });
    try {
      const ran = await stand.ssh(['-tt'], {
        input: 'yes "a line of output" | head -c 8000; echo\necho all-there\nyes\n',
      });
      const shown = ran.stdout.toString();
      expect(shown).toContain('all-there');
      expect(`${shown}${ran.stderr}`).toContain(
        'This line has shown as much as is recorded of one, so the terminal ends.',
      );
      expect(ran.status).not.toBe(0);
      await until(() => stand.gateway.sessions.size === 0, 'the end of the session');
      stand.gateway.log.flush();
      const journal = join(stand.folder, 'data', 'journal');
      const session = [...new Set((await sessionsIn(stand.gateway.url, stand.gateway)).map(({ id }) => id))][0] ?? '';
      const recorded = timeline(journal, session).flatMap((entry) =>
        entry.type === 'output' && entry.stream === 'out' ? [entry.data] : [],
      );
      expect(Buffer.concat(recorded).toString()).toContain('all-there');
      expect(Buffer.concat(recorded).length).toBeGreaterThan(8000);
    } finally {
      await stand.stop();
    }
  }, 60_000);

  test('a program that prints while the record cannot be written is ended', async () => {
    const stand = await openSshStand({ rules: RULES });
    const child = spawn('ssh', [
      ...stand.options,
      '-p',
      String(stand.port),
      'vm@127.0.0.1',
      'i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.02; done',
    ]);
    try {
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
      const gone = new Promise((resolve) => child.once('close', resolve));
      await until(() => said.includes('tick 5'), 'its output');
      const { journal } = stand.gateway;
      Object.defineProperty(journal, 'failed', { configurable: true, get: () => new Error('no space left on device') });
      await gone;
      expect(said).toContain('The record cannot be written at the moment');
      delete (journal as { failed?: unknown }).failed;
      expect((await stand.ssh(['echo again'])).stdout.toString()).toBe('again\n');
    } finally {
      child.kill();
      await stand.stop();
    }
  }, 60_000);
});

async function sessionsIn(
  url: string,
  { identity }: Awaited<ReturnType<typeof openSshStand>>['gateway'],
): Promise<{ id: string }[]> {
  const { token } = await identity.createToken({ principal: 'operator', name: 'test' });
  const answer = await fetch(`${url}/v1/sessions`, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()) as { id: string }[];
}
