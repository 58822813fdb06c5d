/** Real OpenSSH clients, the gateway, a real sshd: what works directly works through it. */
import { missingSshd } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SshStand, openSshStand } from './ssh-stand.js';

describe.skipIf(missingSshd() !== undefined)('ssh', () => {
  let stand: SshStand;

  beforeAll(async () => {
    stand = await openSshStand();
  });
  afterAll(() => stand.stop());

  test('a command runs, with its output, its errors and its status', async () => {
    const ran = await stand.ssh(['echo out; echo err >&2; exit 3']);
    expect(ran).toMatchObject({ status: 3, stderr: 'err\n' });
    expect(ran.stdout.toString()).toBe('out\n');
  });
});
