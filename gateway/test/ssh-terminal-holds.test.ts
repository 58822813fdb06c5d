/** Rules and the lines of a terminal: a real ssh in a terminal of its own, a shell on a real sshd, keys one after the other. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { missingSshd, missingTool } from '@sluice/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type SshStand, openSshStand, until } from './ssh-stand.js';

const RULES = `
    - { rule: no-destruction, when: 'command.text.contains("DESTROY")', deny: Nothing is destroyed through the gateway. }
    - { rule: soon, when: 'command.text.contains("SOON")', hold: { approvers: ["user:ada"], timeout: 1s } }
    - { rule: two-eyes, when: 'command.text.contains("HOLD")', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: terminals, when: 'action.verb == "shell"', allow: true }
`;
const missing = missingSshd() ?? missingTool('script');

describe.skipIf(missing !== undefined)(`lines of a terminal${missing === undefined ? '' : ` (${missing})`}`, () => {
  let stand: SshStand;
  let child: ReturnType<typeof spawn>;
  let said = '';
  beforeAll(async () => {
    stand = await openSshStand({ rules: RULES });
  });
  afterAll(() => stand.stop());
  beforeEach(async () => {
    const words = ['ssh', ...stand.options, '-tt', '-p', String(stand.port), 'vm@127.0.0.1'];
    child = spawn('script', ['-qfec', words.map((word) => `'${word}'`).join(' '), '/dev/null'], { stdio: 'pipe' });
    said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await shows('vm$ ', 1);
  });
  afterEach(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('close', () => resolve());
    await type('exit');
    await promise;
  });

  const shows = (text: string, times: number): Promise<unknown> =>
    until(() => said.split(text).length > times, `${JSON.stringify(text)} in ${JSON.stringify(said)}`);
  /** The prompt is there again: the line before is over. */
  const prompts = (times: number): Promise<unknown> => shows('vm$ ', times);
  /** Key by key, as people do; Enter once the line is on the screen. */
  const type = async (line: string): Promise<void> => {
    const before = said.length;
    for (const key of line) child.stdin?.write(key);
    await until(() => said.slice(before).includes(line), `the echo of ${line}`);
    child.stdin?.write('\r');
  };
  const ran = (name: string): boolean => existsSync(join(stand.sshd.home, name));
  const request = () =>
    until(
      async () => (await stand.gateway.approvals.recent(1)).find(({ state }) => state === 'pending'),
      'the request',
    );
  const decide = async (decision: 'approve' | 'deny'): Promise<void> => {
    const ada = stand.gateway.identity.principal('ada');
    if (!ada) throw new Error('no ada');
    await stand.gateway.approvals.decide((await request()).number, ada, decision, 'looked at it');
  };

  describe.each([
    ['whose action is known', 'touch'],
    ['whose action is not known', '$(printf touch)'],
  ])('%s', (kind, touch) => {
    const name = (what: string): string => `${what}-${kind.split(' ').length}`;

    test('a line that a rule holds waits, and runs once it is approved', async () => {
      await type(`${touch} ${name('approved')} # HOLD`);
      expect((await request()).text).toBe(`${touch} ${name('approved')} # HOLD`);
      await shows('waits for an approval', 1);
      expect(ran(name('approved'))).toBe(false);
      await decide('approve');
      await prompts(2);
      expect(ran(name('approved'))).toBe(true);
    });

    test.each(['deny', 'nobody', 'Ctrl+C'] as const)('and never runs otherwise: %s', async (answer) => {
      const file = name(`held-${answer}`);
      await type(`${touch} ${file} # ${answer === 'nobody' ? 'SOON' : 'HOLD'}`);
      await request();
      if (answer === 'deny') await decide('deny');
      if (answer === 'Ctrl+C') child.stdin?.write('\x03');
      await prompts(2);
      expect(ran(file)).toBe(false);
      await type(`touch ${file}-later`);
      await prompts(3);
      expect([ran(file), ran(`${file}-later`)]).toEqual([false, true]);
    });

    test('what is typed while it waits follows the answer', async () => {
      const file = name('first');
      await type(`${touch} ${file} # HOLD`);
      await request();
      child.stdin?.write(`test -e ${file} || touch ${file}-was-not-there`);
      child.stdin?.write('\r');
      await decide('approve');
      await prompts(3);
      expect([ran(file), ran(`${file}-was-not-there`)]).toEqual([true, false]);
    });

    test('one that a rule refuses never runs', async () => {
      const file = name('refused');
      await type(`${touch} ${file} # DESTROY`);
      await shows('sluice: Nothing is destroyed through the gateway. (rule "no-destruction")', 1);
      await prompts(2);
      expect(ran(file)).toBe(false);
    });

    test('one that no rule is about runs', async () => {
      await type(`${touch} ${name('free')}`);
      await prompts(2);
      expect(ran(name('free'))).toBe(true);
    });
  });
});
