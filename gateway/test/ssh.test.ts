/** Real OpenSSH clients, the gateway, a real sshd: what works directly works through it. */
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listSessions, timeline } from '@sluice/recording';
import { collectGarbage, missingSshd } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, type SshStand, openSshStand, run, until } from './ssh-stand.js';

const MIB = 1024 * 1024;

describe.skipIf(missingSshd() !== undefined)('ssh', () => {
  let stand: SshStand;

  beforeAll(async () => {
    stand = await openSshStand();
  });
  afterAll(() => stand.stop());

  /** The same command, past the gateway. */
  const directly = (words: readonly string[]): Promise<Ran> => {
    const { keyFile, port, user } = stand.sshd;
    const quiet = ['-F', '/dev/null', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
    return run('ssh', [
      ...quiet,
      '-o',
      'LogLevel=ERROR',
      '-i',
      keyFile,
      '-p',
      String(port),
      `${user}@127.0.0.1`,
      ...words,
    ]);
  };
  const waiting = async () => (await stand.gateway.approvals.recent(50)).find(({ state }) => state === 'pending');
  const texts = (): string[] => {
    stand.gateway.log.flush();
    return listSessions(stand.gateway.journal.folder).flatMap(({ id }) =>
      timeline(stand.gateway.journal.folder, id).map((entry) => JSON.stringify(entry)),
    );
  };

  test.each([
    'echo out; echo err >&2; exit 3',
    'true',
    'exit 255',
    'kill -TERM $$',
    'kill -KILL $$',
    'cat /etc/hostname; id -un; pwd; echo "$HOME"',
    'printf "a\\0b\\377\\n"',
  ])('"%s" ends as it does without the gateway', async (command) => {
    const [through, direct] = [await stand.ssh([command]), await directly([command])];
    expect(through).toEqual(direct);
  });

  test('input reaches the program, and its end does', async () => {
    const input = Buffer.alloc(3 * MIB, 'line of input\n');
    const ran = await stand.ssh(['sha256sum'], { input });
    expect(ran.stdout.toString()).toBe(`${hash('sha256', input)}  -\n`);
    expect((await stand.ssh(['cat; echo done'], { input: 'x' })).stdout.toString()).toBe('xdone\n');
  });

  test('a program may go on reading when its output is closed, and the other way round', async () => {
    const ran = await stand.ssh(['exec 1>&-; cat >/dev/null; exit 7'], { input: Buffer.alloc(MIB) });
    expect(ran.status).toBe(7);
    expect((await stand.ssh(['exec 0<&-; sleep 0.2; echo late'])).stdout.toString()).toBe('late\n');
  });

  test('100 MB arrive as they were', async () => {
    const command = 'head -c 100000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null';
    const [ran, sum] = [await stand.ssh([command]), await directly([`${command} | sha256sum`])];
    expect(hash('sha256', ran.stdout)).toBe(sum.stdout.toString().slice(0, 64));
  });

  test('a terminal has its size, its modes and its type', async () => {
    const ran = await run(
      'script',
      [
        '-qec',
        `stty rows 41 cols 113; ssh -tt ${stand.options.join(' ')} -p ${stand.port} vm@127.0.0.1 'stty size; tty; echo $TERM'`,
        '/dev/null',
      ],
      { env: { TERM: 'vt220' } },
    );
    expect(ran.stdout.toString()).toMatch(/41 113\r\n\/dev\/pts\/\d+\r\nvt220/);
  });

  test('a shell without a terminal takes its commands from its input', async () => {
    const ran = await stand.ssh(['-T'], { input: 'echo $((6*7))\nexit 5\n' });
    expect(ran.status).toBe(5);
    expect(ran.stdout.toString()).toContain('42');
  });

  test('an interactive shell is recorded: what it showed, its size, and the lines that were typed', async () => {
    const ran = await stand.ssh(['-tt'], { input: 'echo marker-$((40+2))\nexit 4\n' });
    expect(ran.status).toBe(4);
    expect(ran.stdout.toString()).toContain('marker-42');
    const recorded = await until(() => texts().find((text) => text.includes('echo marker-$((40+2))')), 'the line');
    expect(recorded).toContain('"allow"');
  });

  test('in a terminal a refused line is not sent off: advice, which the record shows', async () => {
    const child = spawn('ssh', [...stand.options, '-tt', '-p', String(stand.port), 'vm@127.0.0.1'], { stdio: 'pipe' });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes('vm$ '), 'the prompt');
    for (const key of 'touch wiped-out; echo DESTROY') child.stdin.write(key);
    await until(() => said.includes('echo DESTROY'), 'the echo');
    child.stdin.write('\r');
    await until(() => said.includes('sluice: Nothing is destroyed through the gateway.'), 'the refusal');
    child.stdin.write('exit 8\r');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(8);
    expect((await stand.ssh(['ls wiped-out'])).status).toBe(2);
    expect(
      texts().some((text) => text.includes('"text":"touch wiped-out; echo DESTROY"') && text.includes('observed')),
    ).toBe(true);
  });

  test('a refused command never runs: text on standard error, status 126, and the session goes on', async () => {
    const marker = join(stand.sshd.home, 'destroyed');
    const ran = await stand.ssh([`touch ${marker} # DESTROY`]);
    expect(ran.status).toBe(126);
    expect(ran.stderr).toContain('sluice: Nothing is destroyed through the gateway. (rule "no-destruction")');
    expect((await stand.ssh([`ls ${marker}`])).status).toBe(2);
  });

  test('policy explain reads a text for a machine as a command line', async () => {
    const response = await fetch(new URL('/v1/policy/explain', stand.gateway.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ sql: 'ls -l /tmp', connection: 'vm' }),
    });
    expect(await response.json()).toMatchObject({
      decision: 'allow',
      text: expect.stringContaining('execute program ls') as string,
    });
  });

  test('on one connection a refusal leaves the other channels alone', async () => {
    const control = join(stand.folder, 'mux');
    const mux = ['-o', `ControlPath=${control}`];
    const master = spawn('ssh', [...stand.options, ...mux, '-M', '-N', '-p', String(stand.port), 'vm@127.0.0.1'], {
      stdio: 'ignore',
    });
    try {
      await until(
        () =>
          stand.gateway.sessions.size > 0 && [...stand.gateway.sessions.values()].some((one) => one.state === 'open'),
        'the master',
      );
      await until(() => existsSync(control), 'the socket of the master');
      const before = stand.gateway.sessions.size;
      const slow = stand.ssh(['sleep 1; echo slow'], {}); // its own connection
      const many = Array.from({ length: 20 }, (_, at) =>
        run('ssh', [
          ...stand.options,
          ...mux,
          '-p',
          String(stand.port),
          'vm@127.0.0.1',
          at === 7 ? 'echo DESTROY' : `sleep 0.5; echo ${at}`,
        ]),
      );
      const all = await Promise.all(many);
      expect(all.map(({ status, stderr }) => (status === 255 ? stderr : status))).toEqual(
        all.map((_, at) => (at === 7 ? 126 : 0)),
      );
      expect(all.map(({ stdout }) => stdout.toString())).toEqual(all.map((_, at) => (at === 7 ? '' : `${at}\n`)));
      expect(stand.gateway.sessions.size).toBeLessThanOrEqual(before + 1);
      expect((await slow).stdout.toString()).toBe('slow\n');
    } finally {
      master.kill();
    }
  });

  test('a held command waits, says so, and runs when it was approved', async () => {
    const running = stand.ssh(['echo HOLD ran']);
    const request = await until(() => waiting(), 'the request');
    expect(request.text).toBe('echo HOLD ran');
    const ada = stand.gateway.identity.principal('ada');
    if (!ada) throw new Error('no ada');
    await stand.gateway.approvals.decide(request.number, ada, 'approve', 'looked at it');
    const ran = await running;
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout.toString()).toBe('HOLD ran\n');
    expect(ran.stderr).toContain(`waits for an approval: request ${request.number}`);
  });

  test('a client that leaves withdraws what it waits for', async () => {
    const child = spawn('ssh', [...stand.options, '-p', String(stand.port), 'vm@127.0.0.1', 'echo HOLD gone'], {
      stdio: 'ignore',
    });
    const request = await until(() => waiting(), 'the request');
    child.kill('SIGKILL');
    await until(
      async () => (await stand.gateway.approvals.find(request.number))?.state === 'withdrawn',
      'the withdrawal',
    );
  });

  test('Ctrl+C in a terminal withdraws a held command', async () => {
    const child = spawn(
      'ssh',
      [...stand.options, '-tt', '-p', String(stand.port), 'vm@127.0.0.1', 'echo HOLD interrupted'],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const request = await until(() => waiting(), 'the request');
    child.stdin.write('\x03');
    const status = await new Promise((resolve) => child.once('close', resolve));
    expect(status).toBe(130);
    expect(said).toContain('sluice: The command was cancelled while it waited, and was not run.\r\n');
    expect(said).not.toContain('statement');
    expect(await stand.gateway.approvals.find(request.number)).toMatchObject({
      state: 'withdrawn',
      why: 'the client cancelled the command',
    });
  });

  test('an administrator ends a session, and the client is told why', async () => {
    const running = stand.ssh(['echo started; sleep 60']);
    const session = await until(() => [...stand.gateway.sessions.values()].find((one) => one.busy), 'the session');
    session.end({ code: 'ended-by-administrator' });
    const ran = await running;
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain('The session was ended by an administrator.');
  });

  test('a connection to the host that breaks is said on the channel, and is no end like any other in the record', async () => {
    const ran = await stand.ssh(['echo broken-off; kill -9 $PPID; sleep 60']);
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain('sluice: The connection to the target is lost');
    const end = await until(
      () => texts().find((text) => text.includes('The connection to the target is lost')),
      'the end',
    );
    expect(end).toContain('"outcome":"lost"');
  });

  test('the record has the command, its facts, its end and how much went through', async () => {
    await stand.ssh(['cat; echo recorded-1; exit 9'], { input: '12345' });
    const end = await until(() => texts().find((text) => text.includes('exit 9; in')), 'the end');
    expect(end).toContain('exit 9; in 5 bytes, out 16 bytes, err 0 bytes');
  });

  test('a command that is not UTF-8, or holds a NUL, is not run', async () => {
    const ran = await run('bash', [
      '-c',
      `ssh ${stand.options.join(' ')} -p ${stand.port} vm@127.0.0.1 $'echo \\xff\\xfe'`,
    ]);
    expect(ran.status).toBe(126);
    expect(ran.stderr).toContain('This command was not run: a text is not UTF-8.');
  });

  test('variables of the environment other than the locale need a rule', async () => {
    const env = { SLUICE_TEST: 'x', LC_PAPER: 'de_DE.UTF-8' };
    const ran = await stand.ssh(['-o', 'SendEnv=SLUICE_TEST LC_PAPER', 'echo "[$SLUICE_TEST] [$LC_PAPER]"'], { env });
    expect(ran.stdout.toString()).toBe('[] [de_DE.UTF-8]\n');
  });

  test('a stalled reader stops no other channel, and costs what its windows are', async () => {
    const stalled = spawn('ssh', [...stand.options, '-p', String(stand.port), 'vm@127.0.0.1', 'cat /dev/zero'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await until(() => stalled.stdout.readableLength > 0, 'the first bytes');
      collectGarbage();
      const before = process.memoryUsage();
      for (let i = 0; i < 5; i++) expect((await stand.ssh(['echo quick'])).stdout.toString()).toBe('quick\n');
      await sleep(1_000);
      collectGarbage();
      const after = process.memoryUsage();
      expect(after.external + after.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(48 * MIB);
    } finally {
      stalled.kill('SIGKILL');
    }
  });

  test('an unknown name leads to what one may reach', async () => {
    const ran = await stand.ssh([], { user: 'nowhere' });
    expect(ran.status).toBe(1);
    expect(ran.stdout.toString()).toContain('There is no machine "nowhere" that you may reach');
    expect(ran.stdout.toString()).toContain('1  vm');
  });

  test('at a terminal a machine is chosen by its number', async () => {
    const child = spawn('ssh', [...stand.options, '-tt', '-p', String(stand.port), '127.0.0.1'], { stdio: 'pipe' });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes('Number or name'), 'the menu');
    child.stdin.write('1\r');
    await until(() => said.includes('vm$ '), 'the prompt of the machine');
    child.stdin.write('exit 6\r');
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(6);
  });
});
