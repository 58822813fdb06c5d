/** Files through the gateway with the tools that people have: as a whole, by rule, with size and hash on record. */
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listSessions, timeline } from '@sluice/recording';
import { missingSshd, missingTool } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hour, startAgent } from './agents.js';
import { type SshStand, openSshStand, run, until } from './ssh-stand.js';

const RULES = `
    - { rule: no-writing, when: '"transfer" in action.effects && action.verb == "rsync" && "write" in action.effects', deny: Not by rsync. }
    - { rule: no-mask-of-transfers, mask: { detect: [email] } }
    - { rule: words, when: 'action.verb == "echo"', allow: true }
    - { rule: transfers, when: '"transfer" in action.effects && action.verb != "git-receive-pack"', allow: true }
`;

test.skipIf(missingSshd() !== undefined)(
  'a machine that only an agent reaches, with much in both directions',
  async () => {
    const stand = await openSshStand({ via: 'edge' });
    const ca = readFileSync(join(stand.folder, 'data', 'gateway.crt'), 'utf8');
    const token = await stand.gateway.agents.token('edge', hour());
    const running = startAgent(stand, { allow: `127.0.0.1:${stand.sshd.port}`, token, ca });
    running.done.catch(() => undefined);
    try {
      await until(() => stand.gateway.agents.links().length > 0, 'the agent');
      const input = Buffer.alloc(5_000_000, 'by the tunnel\n');
      const ran = await stand.ssh(['cat'], { input });
      expect(ran).toMatchObject({ status: 0, stderr: '' });
      expect(hash('sha256', ran.stdout)).toBe(hash('sha256', input));
      expect((await stand.ssh(['echo HOLD; echo DESTROY'])).status).toBe(126);
    } finally {
      await running.agent.stop(0);
      await stand.stop();
    }
  },
);

describe.skipIf(missingSshd() !== undefined)('transfers', () => {
  let stand: SshStand;
  const payload = Buffer.alloc(3_000_000, 'a payload that is not text \xff\0');
  const digest = hash('sha256', payload);
  let file: string;

  beforeAll(async () => {
    stand = await openSshStand({ rules: RULES });
    file = join(stand.folder, 'payload');
    writeFileSync(file, payload);
  });
  afterAll(() => stand.stop());

  const ends = (): string[] => {
    stand.gateway.log.flush();
    return listSessions(stand.gateway.journal.folder).flatMap(({ id }) =>
      timeline(stand.gateway.journal.folder, id).map((entry) => JSON.stringify(entry)),
    );
  };
  const copied = (name: string): string => hash('sha256', readFileSync(name));

  test.each([
    ['scp over sftp', []],
    ['scp as it was before', ['-O']],
  ])('%s', async (_, how) => {
    const words = [...how, '-q', ...stand.options, '-P', String(stand.port)];
    expect(await run('scp', [...words, file, 'vm@127.0.0.1:there'])).toMatchObject({ status: 0, stderr: '' });
    expect(copied(join(stand.sshd.home, 'there'))).toBe(digest);
    const back = join(stand.folder, `back${how.length}`);
    expect(await run('scp', [...words, 'vm@127.0.0.1:there', back])).toMatchObject({ status: 0, stderr: '' });
    expect(copied(back)).toBe(digest);
    const end = await until(
      () => ends().find((one) => /"summary":"exit 0; in \d{7} bytes sha256:/.test(one)),
      'the end',
    );
    expect(end).toMatch(/in 300\d{4} bytes sha256:[0-9a-f]{64}, out \d+ bytes sha256:[0-9a-f]{64}/);
  });

  test('what another command prints beside a copy is masked and on record', async () => {
    const text = 'echo beside ada@example.com; scp -f nothing-there < /dev/null';
    const ran = await stand.ssh([text]);
    expect(ran.stdout.toString()).toContain('beside [masked:EMAIL]');
    stand.gateway.log.flush();
    const printed = listSessions(stand.gateway.journal.folder).flatMap(({ id }) =>
      timeline(stand.gateway.journal.folder, id).flatMap((entry) =>
        entry.type === 'output' && entry.stream === 'out' ? [entry.data.toString()] : [],
      ),
    );
    expect(printed.join('')).toContain('beside [masked:EMAIL]');
  });

  test('an sftp batch', async () => {
    const batch = `put ${file} batch\nls -l batch\nget batch ${join(stand.folder, 'got')}\nrm batch\n`;
    const words = ['-q', '-b', '-', ...stand.options, '-P', String(stand.port), 'vm@127.0.0.1'];
    const ran = await run('sftp', words, { input: batch });
    expect(ran).toMatchObject({ status: 0 });
    expect(copied(join(stand.folder, 'got'))).toBe(digest);
  });

  test.skipIf(missingTool('rsync') !== undefined)('rsync reads, and is refused where a rule says so', async () => {
    const ssh = `ssh ${stand.options.join(' ')} -p ${stand.port}`;
    writeFileSync(join(stand.sshd.home, 'synced'), payload);
    const to = join(stand.folder, 'synced');
    expect(await run('rsync', ['-e', ssh, 'vm@127.0.0.1:synced', to])).toMatchObject({ status: 0, stderr: '' });
    expect(copied(to)).toBe(digest);
    const refused = await run('rsync', ['-e', ssh, file, 'vm@127.0.0.1:unwanted']);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('sluice: Not by rsync. (rule "no-writing")');
  });

  test.skipIf(missingTool('git') !== undefined)('git clones', async () => {
    const repository = join(stand.sshd.home, 'repository.git');
    mkdirSync(repository);
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.com', '-c', 'safe.directory=*'];
    for (const words of [
      ['init', '-q'],
      ['commit', '-q', '--allow-empty', '-m', 'one'],
    ]) {
      expect((await run('git', [...who, ...words], { cwd: repository })).stderr).not.toContain('fatal');
    }
    const env = { GIT_SSH_COMMAND: `ssh ${stand.options.join(' ')}` };
    const url = `ssh://vm@127.0.0.1:${stand.port}${repository}`;
    const clone = join(stand.folder, 'clone');
    const cloned = await run('git', ['clone', '-q', url, clone], { env });
    expect(cloned).toMatchObject({ status: 0, stderr: '' });
    const log = await run('git', ['log', '--format=%s'], { cwd: clone });
    expect(log.stdout.toString()).toBe('one\n');
    const pushed = await run('git', [...who, 'push', '-q', 'origin', 'HEAD:refs/heads/other'], { cwd: clone, env });
    expect(pushed.status).not.toBe(0);
    expect(pushed.stderr).toContain('Something is masked here, and what is transferred would be nowhere masked.');
  });

  test.skipIf(missingTool('ansible') !== undefined)(
    'Ansible, by a token that its sshpass types',
    async () => {
      const open = await openSshStand({ rules: '\n    - { rule: all, allow: true }\n' });
      try {
        const common = `-F /dev/null -o UserKnownHostsFile=${join(open.folder, 'known_hosts')} -o ControlPath=none`;
        const host = `vm ansible_host=127.0.0.1 ansible_port=${open.port} ansible_user=vm ansible_password=${open.token} ansible_python_interpreter=/usr/bin/python3 ansible_remote_tmp=${open.sshd.home}/tmp`;
        const inventory = join(open.folder, 'inventory');
        writeFileSync(inventory, `${host} ansible_ssh_common_args='${common} -o PubkeyAuthentication=no'\n`);
        const env = {
          ANSIBLE_HOME: join(open.folder, 'ansible'),
          ANSIBLE_LOCAL_TEMP: join(open.folder, 'ansible-tmp'),
        };
        const ping = await run('ansible', ['-i', inventory, 'vm', '-m', 'ping'], { env });
        expect(`${ping.stdout.toString()}${ping.stderr}`).toContain('"ping": "pong"');
        const copy = await run(
          'ansible',
          ['-i', inventory, 'vm', '-m', 'copy', '-a', `src=${file} dest=${open.sshd.home}/by-ansible`],
          { env },
        );
        expect(copy.stdout.toString()).toContain('CHANGED');
        expect(copied(join(open.sshd.home, 'by-ansible'))).toBe(digest);
      } finally {
        await open.stop();
      }
    },
    90_000,
  );

  test('what a program prints is masked, on both of its streams', async () => {
    const ran = await stand.ssh(['echo mail to ada@example.com; echo and to bob@example.com >&2; exit 3']);
    expect(ran).toMatchObject({ status: 3 });
    expect(ran.stdout.toString()).toBe('mail to [masked:EMAIL]\n');
    expect(ran.stderr).toContain('and to [masked:EMAIL]');
  });
});

/** The sample of docs/policy.md would hold copies; here they pass, so that what refuses them is the other rule. */
const NOTHING_DESTROYED = `
    - { rule: nothing-destroyed, when: '"destroy" in action.effects', deny: Nothing is destroyed here. }
    - { rule: no-secrets, when: '"secret" in action.effects', deny: No secrets. }
    - { rule: copies, when: '"transfer" in action.effects', allow: true }
`;

describe.skipIf(missingSshd() !== undefined)('under a rule that nothing is destroyed', () => {
  let stand: SshStand;
  let victim: string;
  beforeAll(async () => {
    stand = await openSshStand({ rules: NOTHING_DESTROYED });
    victim = join(stand.sshd.home, 'victim');
    writeFileSync(victim, 'keep');
    writeFileSync(join(stand.sshd.home, '.env'), 'PASSWORD=x');
    writeFileSync(join(stand.sshd.home, 'app.log'), 'a line');
  });
  afterAll(() => stand.stop());
  const words = (): string[] => ['-q', ...stand.options, '-P', String(stand.port)];

  test('sftp removes nothing', async () => {
    const ran = await run('sftp', ['-b', '-', ...words(), 'vm@127.0.0.1'], { input: 'rm victim\n' });
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain('sluice: ');
    expect(readFileSync(victim, 'utf8')).toBe('keep');
  });

  test('scp replaces nothing and reads no secret, and still reads', async () => {
    const mine = join(stand.folder, 'mine');
    writeFileSync(mine, 'evil');
    for (const how of [['-O'], []]) {
      expect((await run('scp', [...how, ...words(), mine, 'vm@127.0.0.1:victim'])).status).not.toBe(0);
      expect((await run('scp', [...how, ...words(), 'vm@127.0.0.1:.env', mine])).status).not.toBe(0);
    }
    expect(readFileSync(victim, 'utf8')).toBe('keep');
    expect(readFileSync(mine, 'utf8')).toBe('evil');
    expect(await run('scp', ['-O', ...words(), 'vm@127.0.0.1:app.log', mine])).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(mine, 'utf8')).toBe('a line');
  });
});
