/** Who one is by SSH: keys, certificates, tokens, a code; and how the gateway logs in at its target. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sshConfig } from '@sluice/cli';
import { parseKeyLine } from '@sluice/keys';
import { type SshdServer, makeKey, missingSshd, missingTool, startSshd, temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, type SshStand, type SshStandOptions, openSshStand, run, until } from './ssh-stand.js';

const NO_KEY = ['-o', 'PubkeyAuthentication=no', '-o', 'BatchMode=no'];

describe.skipIf(missingSshd() !== undefined)('who one is', () => {
  const { path: folder, remove } = temporaryFolder('login');
  const ca = join(folder, 'ca');
  let stand: SshStand;

  beforeAll(async () => {
    makeKey(ca);
    stand = await openSshStand({ userCa: readFileSync(`${ca}.pub`, 'utf8').trim() });
  });
  afterAll(async () => {
    await stand.stop();
    remove();
  });

  const known = (): string[] => [
    '-F',
    '/dev/null',
    '-o',
    `UserKnownHostsFile=${join(stand.folder, 'known_hosts')}`,
    '-o',
    'IdentitiesOnly=yes',
    '-p',
    String(stand.port),
  ];
  /** A login with this key and nothing else. */
  const withKey = (key: string): Promise<Ran> =>
    run('ssh', [...known(), '-o', 'BatchMode=yes', '-i', key, 'vm@127.0.0.1', 'echo in']);
  /** A fresh key with a certificate. */
  const certified = async (name: string, ...how: string[]): Promise<string> => {
    const key = join(folder, name);
    makeKey(key);
    const signed = await run('ssh-keygen', ['-q', '-s', ca, '-I', name, ...how, `${key}.pub`]);
    expect(signed).toMatchObject({ status: 0 });
    return key;
  };

  test('a key that nobody registered is not let in', async () => {
    const key = join(folder, 'stranger');
    makeKey(key);
    const ran = await withKey(key);
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain('Permission denied (publickey,keyboard-interactive,password)');
  });

  test('a name that is none fills no record', async () => {
    const name = `${'x'.repeat(20_000)}+vm`;
    const words = [...known(), ...NO_KEY, '-o', 'NumberOfPasswordPrompts=1', '-l', name, '127.0.0.1', 'true'];
    const ran = await run('ssh', words, {
      env: { SSH_ASKPASS: '/bin/echo', SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
    });
    expect(ran.status).toBe(255);
    stand.gateway.log.flush();
    const { folder: journal } = stand.gateway.journal;
    const kept = readdirSync(journal).map((file) => readFileSync(join(journal, file), 'latin1'));
    expect(kept.join('')).not.toContain('xxxxxxxx');
    expect(ran.stderr).toContain('longer than a name');
  });

  test('an offer is no attempt: the right key may come last', async () => {
    const keys = Array.from({ length: 9 }, (_, at) => join(folder, `other${at}`));
    for (const key of keys) makeKey(key);
    const words = keys.flatMap((key) => ['-i', key]);
    const ran = await run('ssh', [
      ...known(),
      '-o',
      'BatchMode=yes',
      ...words,
      '-i',
      join(stand.folder, 'id_dev'),
      'vm@127.0.0.1',
      'echo in',
    ]);
    expect(ran.stdout.toString()).toBe('in\n');
  });

  test('a certificate of the configured authority is good for the principal that it names', async () => {
    const ran = await withKey(await certified('good', '-n', 'dev', '-V', '-1m:+1h'));
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout.toString()).toBe('in\n');
  });

  test.each([
    ['expired', ['-n', 'dev', '-V', '-2h:-1h']],
    ['not valid yet', ['-n', 'dev', '-V', '+1h:+2h']],
    ['of nobody', ['-n', 'mallory', '-V', '-1m:+1h']],
    ['without principals', ['-V', '-1m:+1h']],
    ['for another address', ['-n', 'dev', '-V', '-1m:+1h', '-O', 'source-address=192.0.2.0/24']],
    ['with a forced command', ['-n', 'dev', '-V', '-1m:+1h', '-O', 'force-command=true']],
    ['of a host', ['-h', '-n', 'dev', '-V', '-1m:+1h']],
  ])('a certificate that is %s is not', async (name, how) => {
    expect(await withKey(await certified(name.replaceAll(' ', '-'), ...how))).toMatchObject({ status: 255 });
  });

  test('a certificate of another authority is not', async () => {
    const other = join(folder, 'other-ca');
    makeKey(other);
    const key = join(folder, 'forged');
    makeKey(key);
    await run('ssh-keygen', ['-q', '-s', other, '-I', 'forged', '-n', 'dev', `${key}.pub`]);
    expect(await withKey(key)).toMatchObject({ status: 255 });
  });

  test('a certificate for the right address is, and permits what it says', async () => {
    const key = await certified('addressed', '-n', 'dev', '-O', 'source-address=127.0.0.0/8', '-O', 'no-pty');
    expect((await withKey(key)).stdout.toString()).toBe('in\n');
    const ran = await run('ssh', [...known(), '-o', 'BatchMode=yes', '-i', key, '-tt', 'vm@127.0.0.1', 'tty']);
    expect(ran.stderr).toContain('PTY allocation request failed');
  });

  test.skipIf(missingTool('sshpass') !== undefined)('a token as password, by either of the two methods', async () => {
    for (const method of ['password', 'keyboard-interactive']) {
      const words = [
        '-e',
        'ssh',
        ...known(),
        ...NO_KEY,
        '-o',
        `PreferredAuthentications=${method}`,
        'vm@127.0.0.1',
        'echo in',
      ];
      const ran = await run('sshpass', words, { env: { SSHPASS: stand.token } });
      expect(ran.stdout.toString()).toBe('in\n');
    }
    const wrong = ['-e', 'ssh', ...known(), ...NO_KEY, 'vm@127.0.0.1', 'echo in'];
    expect((await run('sshpass', wrong, { env: { SSHPASS: 'wrong' } })).status).not.toBe(0);
  });

  test.skipIf(missingTool('sshpass') !== undefined)('a revoked token lets nobody in', async () => {
    const { token, stored } = await stand.gateway.identity.createToken({ principal: 'dev', name: 'short' });
    stand.gateway.identity.revokeToken(stored.id);
    const words = ['-e', 'ssh', ...known(), ...NO_KEY, 'vm@127.0.0.1', 'echo in'];
    expect((await run('sshpass', words, { env: { SSHPASS: token } })).status).not.toBe(0);
  });

  test.skipIf(missingTool('sshpass') !== undefined)(
    'a right token does not wait for wrong ones from the same address',
    async () => {
      const words = ['-e', 'ssh', ...known(), ...NO_KEY, 'vm@127.0.0.1', 'echo in'];
      const attempt = (token: string) => run('sshpass', words, { env: { SSHPASS: token } });
      const wrong = await Promise.all(Array.from({ length: 12 }, () => attempt('wrong')));
      expect(wrong.every(({ status }) => status !== 0)).toBe(true);
      const ran = await attempt(stand.token);
      expect(ran.stdout.toString()).toBe('in\n');
    },
  );

  test('Enter leads to a code, also where OpenSSH shows errors only, which somebody confirms once', async () => {
    // Without a terminal OpenSSH asks this program for what it would ask there. It passes on the prompt, and presses Enter.
    const askpass = join(folder, 'askpass');
    writeFileSync(askpass, '#!/bin/sh\nprintf "%s" "$1" >&2\necho\n', { mode: 0o755 });
    const child = spawn(
      'ssh',
      [
        '-o',
        'LogLevel=ERROR',
        ...known(),
        ...NO_KEY,
        '-o',
        'PreferredAuthentications=keyboard-interactive',
        'vm@127.0.0.1',
        'echo in',
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
        detached: true,
      },
    );
    let said = '';
    let out = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const code = await until(() => /login confirm (\S+)/.exec(said)?.[1], 'the code');
    expect(said).toContain(`${stand.gateway.url}/login/${code}`);
    const post = async (token: string, body: object): Promise<Response> =>
      fetch(`${stand.gateway.url}/v1/logins/confirm`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    expect((await post(stand.token, { code: 'AAAA-0000' })).status).toBe(404);
    expect((await post('wrong', { code })).status).toBe(401);
    const page = await fetch(`${stand.gateway.url}/login/${code}`);
    expect(await page.text()).toContain(`value="${code}"`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect((await post(stand.token, { code })).status).toBe(200);
    expect((await post(stand.token, { code })).status).toBe(404);
    await until(() => out === 'in\n', 'the login to go on');
  });

  test('where too many logins of one address wait for a browser, the next one is told so', async () => {
    const waiting = new AbortController();
    const somebody = { address: '127.0.0.1', client: 'SSH-2.0-x', account: '', connection: 'vm' };
    for (let n = 0; n < 5; n++) stand.gateway.pendingLogins.begin(somebody, waiting.signal);
    const words = [
      ...known(),
      ...NO_KEY,
      '-o',
      'PreferredAuthentications=keyboard-interactive',
      'vm@127.0.0.1',
      'true',
    ];
    const ran = await run('ssh', words, {
      env: { SSH_ASKPASS: join(folder, 'askpass'), SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
    });
    waiting.abort();
    expect(ran.status).toBe(255);
    expect(ran.stderr).toContain('Too many logins wait to be confirmed in a browser');
  });

  test('an account is named with + # or :, and has to be one of the connection', async () => {
    const { user } = stand.sshd;
    for (const separator of ['+', '#', ':']) {
      const ran = await stand.ssh(['echo in'], { user: `${user}${separator}vm` });
      expect(ran.stdout.toString()).toBe('in\n');
    }
    const ran = await stand.ssh(['echo in'], { user: 'mallory+vm' });
    expect(ran).toMatchObject({ status: 255 });
    expect(ran.stderr).toContain('"mallory" is no account of connection "vm"');
  });

  test('what client-config prints is what OpenSSH needs', async () => {
    const answer = await fetch(`${stand.gateway.url}/v1/client-config/ssh`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    const text = sshConfig((await answer.json()) as Parameters<typeof sshConfig>[0], '127.0.0.1');
    const [config = '', hosts = ''] = text.split('\n\n# ~/.ssh/known_hosts\n');
    const file = join(folder, 'config');
    writeFileSync(file, `${config}\n  UserKnownHostsFile ${join(folder, 'known')}\n`);
    writeFileSync(join(folder, 'known'), hosts);
    const words = ['-F', file, '-i', join(stand.folder, 'id_dev'), '-o', 'BatchMode=yes', 'sluice-vm', 'echo in'];
    expect((await run('ssh', words)).stdout.toString()).toBe('in\n');
  });
});

describe.skipIf(missingSshd() !== undefined)('at the target', () => {
  const open: SshStand[] = [];
  afterAll(async () => {
    for (const stand of open) await stand.stop();
  });
  const stand = async (options: SshStandOptions): Promise<SshStand> => {
    const one = await openSshStand(options);
    open.push(one);
    return one;
  };

  /** From now on the connection leads to another host. */
  const redirect = ({ gateway }: SshStand, { port, hostKey }: SshdServer, firstUse = false): void => {
    const connection = gateway.config.connections.get('vm');
    const keys = firstUse ? [] : [parseKeyLine(hostKey)];
    Object.assign(connection?.target ?? {}, { port, hostKeys: { keys, authorities: [], revoked: [], firstUse } });
  };

  test("a certificate of the gateway's authority, made for each login", async () => {
    const one = await stand({ credential: ({ user }) => `{ user: ${user}, certificate: true }` });
    const refused = await one.ssh(['echo in']);
    expect(refused).toMatchObject({ status: 255 });
    expect(refused.stderr).toContain('The target does not accept the login of the gateway.');
    const trusting = await startSshd({ userCa: one.gateway.sshKeys.authorityLine });
    try {
      redirect(one, trusting);
      expect((await one.ssh(['echo in'])).stdout.toString()).toBe('in\n');
    } finally {
      await trusting.stop();
    }
  });

  test('a host key that is not the pinned one ends it before anything is sent', async () => {
    const { path, remove } = temporaryFolder('pins');
    makeKey(join(path, 'wrong'));
    const wrong = readFileSync(join(path, 'wrong.pub'), 'utf8').trim();
    const one = await stand({ hostKeys: () => `{ keys: ["${wrong}"] }` });
    const ran = await one.ssh(['echo in']);
    expect(ran).toMatchObject({ status: 255 });
    expect(ran.stderr).toContain('The host key of 127.0.0.1 is not accepted: it is not the pinned one (SHA256:');
    remove();
  });

  test('the first key that is seen stays the only one', async () => {
    const one = await stand({ hostKeys: () => '{ first_use: true }' });
    expect((await one.ssh(['echo in'])).stdout.toString()).toBe('in\n');
    const other = await startSshd();
    try {
      redirect(one, other, true);
      const ran = await one.ssh(['echo in']);
      expect(ran.stderr).toContain('it is another one than at first');
    } finally {
      await other.stop();
    }
  });

  test('known_hosts and host certificates', async () => {
    const { path, remove } = temporaryFolder('hosts');
    const ca = join(path, 'ca');
    makeKey(ca);
    const one = await stand({
      hostKeys: ({ hostKey, port }) => {
        writeFileSync(join(path, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`);
        return `{ known_hosts: "${join(path, 'known_hosts')}" }`;
      },
    });
    expect((await one.ssh(['echo in'])).stdout.toString()).toBe('in\n');
    const folder = join(path, 'sshd');
    mkdirSync(folder);
    makeKey(join(folder, 'host_key'));
    await run('ssh-keygen', ['-q', '-h', '-s', ca, '-I', 'host', '-n', '127.0.0.1', join(folder, 'host_key.pub')]);
    const certified = await stand({
      sshd: { folder, settings: [`HostCertificate ${join(folder, 'host_key-cert.pub')}`] },
      hostKeys: () => `{ ca: ["${readFileSync(`${ca}.pub`, 'utf8').trim()}"] }`,
    });
    expect((await certified.ssh(['echo in'])).stdout.toString()).toBe('in\n');
    remove();
  });
});

describe.skipIf(missingSshd() !== undefined)('the choice of a machine', () => {
  let stand: SshStand;

  beforeAll(async () => {
    stand = await openSshStand({
      connection: `policies: [machines]
  guarded:
    protocol: ssh
    target: { host: 127.0.0.1, port: 9, host_keys: { first_use: true } }
    credential: { user: root, password: unused }
    access: ["group:engineers"]`,
    });
  });
  afterAll(() => stand.stop());

  test('is made once: a second channel of the same client cannot lead it to another machine under the rules of the first', async () => {
    const shared = ['-S', join(stand.folder, 'shared'), '-tt', '-p', String(stand.port)];
    const open = (...more: string[]): { said: string; type(text: string): void; kill(): void } => {
      const child = spawn('ssh', [...stand.options, ...more, ...shared, '127.0.0.1'], { stdio: 'pipe' });
      const view = {
        said: '',
        type: (text: string) => void child.stdin.write(text),
        kill: () => void child.kill('SIGKILL'),
      };
      child.stdout.on('data', (chunk: Buffer) => (view.said += chunk.toString()));
      return view;
    };
    const first = open('-M');
    await until(() => first.said.includes('Number or name'), 'the menu');
    const second = open();
    await until(() => second.said.includes('Number or name'), 'the menu of the other channel');
    first.type('1\r');
    await until(() => first.said.includes('vm$ '), 'the prompt of the machine');
    second.type('2\r');
    await until(() => second.said.includes('chosen already'), 'a refusal');
    const [session] = [...stand.gateway.sessions.values()];
    expect(session?.connection?.name).toBe('vm');
    second.kill();
    first.kill();
  });
});
