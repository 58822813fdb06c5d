import { setTimeout as sleep } from 'node:timers/promises';
import type { Principal } from '@sluice/contract';
import { missingSshd } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SshStand, openSshStand, run } from './ssh-stand.js';

describe.skipIf(missingSshd() !== undefined)('a machine that people have to agree to', () => {
  let stand: SshStand;

  beforeAll(async () => {
    stand = await openSshStand({
      limits: '{ handshake: 1s }',
      connection: 'approval: { approvers: ["user:ada"], timeout: 1m, window: 1h }',
    });
  });
  afterAll(() => stand.stop());

  const ada: Principal = { name: 'ada', kind: 'person', groups: [], roles: ['approver'] };
  const decide = async (decision: 'approve' | 'deny', reason = ''): Promise<number> => {
    for (;;) {
      const found = (await stand.gateway.approvals.recent(10)).find(({ state }) => state === 'pending');
      if (found) return (await stand.gateway.approvals.decide(found.number, ada, decision, reason)).number;
      await sleep(10);
    }
  };

  test('refuses in words what was denied, and lets in what was approved, for the window', async () => {
    const denied = stand.ssh(['echo in']);
    await decide('deny', 'not today');
    expect(await denied).toMatchObject({ status: 255 });
    expect((await denied).stderr).toMatch(/was denied by ada: not today/);

    // As people have it: banners are shown from this level on.
    const options = stand.options.map((one) => one.replace('LogLevel=ERROR', 'LogLevel=INFO'));
    const waiting = run('/usr/bin/ssh', [...options, '-p', String(stand.port), 'vm@127.0.0.1', 'echo in']);
    await sleep(1200);
    const number = await decide('approve');
    const ran = await waiting;
    expect(ran.stdout.toString()).toBe('in\n');
    expect(ran.stderr).toContain(`This session waits for an approval: request ${number}.`);
    expect((await stand.ssh(['echo again'])).stdout.toString()).toBe('again\n');
  });
});
