/** Everything of SSH that is not a command: off until a rule allows it, and then as direct. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { freePort, missingSshd } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SshStand, openSshStand, run, until } from './ssh-stand.js';

const allowed = (port: number): string => `
    - { rule: programs, when: '!action.verb.startsWith("forward:")', allow: true }
    - { rule: echo, when: 'action.verb == "forward:local" && action.resources.exists(r, r.name == "127.0.0.1:${port}")', allow: true }
    - { rule: remote, when: 'action.verb == "forward:remote"', allow: true }
    - { rule: sockets, when: 'action.verb == "forward:stream-local"', allow: true }
    - { rule: agent, when: 'action.verb == "forward:agent"', allow: true }
`;

/** Answers each line with the line. */
async function echo(): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** What comes back for a line; empty when the connection is closed instead. */
function ask(where: number | string, line: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = typeof where === 'number' ? connect(where, '127.0.0.1') : connect(where);
  let said = '';
  socket.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.length >= line.length) socket.end();
  });
  socket.once('error', () => resolve(''));
  socket.once('close', () => resolve(said));
  socket.write(line);
  return promise;
}

describe.skipIf(missingSshd() !== undefined)('forwarding', () => {
  let closed: SshStand;
  let open: SshStand;
  let server: Server;
  let port: number;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    server = await echo();
    ({ port } = server.address() as AddressInfo);
    closed = await openSshStand();
    open = await openSshStand({ rules: allowed(port) });
  });
  afterAll(async () => {
    for (const child of children) child.kill();
    server.close();
    await closed.stop();
    await open.stop();
  });

  /** A client that forwards until the test is over. Returns what it has said. */
  const forwards = (stand: SshStand, words: readonly string[]): (() => string) => {
    const child = spawn('ssh', [...stand.options, ...words, '-N', '-p', String(stand.port), 'vm@127.0.0.1'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    children.push(child);
    return () => said;
  };

  test('ssh -W and with it ProxyJump is refused with a sentence that says what to do', async () => {
    const ran = await closed.ssh(['-W', `127.0.0.1:${port}`]);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain(
      'administratively prohibited: This forward:local leads to other machines past the gateway',
    );
    expect(ran.stderr).toContain('ProxyJump');
    expect(ran.stderr).toContain('An administrator can admit it with an "allow" rule.');
  });

  test('ssh -W reaches what a rule allows, and nothing else', async () => {
    expect((await open.ssh(['-W', `127.0.0.1:${port}`], { input: 'through' })).stdout.toString()).toBe('through');
    expect((await open.ssh(['-W', '127.0.0.1:1'], { input: 'x' })).stderr).toContain('administratively prohibited');
  });

  test('ssh -L and -D', async () => {
    const [local, dynamic] = [await freePort(), await freePort()];
    forwards(open, ['-L', `${local}:127.0.0.1:${port}`, '-D', String(dynamic)]);
    await until(async () => (await ask(local, 'hello\n')) === 'hello\n', 'the forwarded port');
    const socks = await run(
      'curl',
      ['-s', '-m', '5', '--socks5-hostname', `127.0.0.1:${dynamic}`, `telnet://127.0.0.1:${port}`],
      { input: 'by socks\n' },
    );
    if (socks.status !== 127) expect(socks.stdout.toString()).toBe('by socks\n');
  });

  test('ssh -R where it is allowed; where it is not, the client is told', async () => {
    const far = await freePort();
    forwards(open, ['-R', `127.0.0.1:${far}:127.0.0.1:${port}`]);
    await until(async () => (await ask(far, 'remote\n')) === 'remote\n', 'the remote port');
    const said = forwards(closed, ['-R', `${await freePort()}:127.0.0.1:${port}`, '-o', 'ExitOnForwardFailure=yes']);
    await until(() => said().includes('remote port forwarding failed'), 'the refusal');
  });

  test('a socket of the target', async () => {
    const [here, there] = [join(open.folder, 'here.sock'), join(open.sshd.home, 'there.sock')];
    const far = createServer((socket) => socket.pipe(socket)).listen(there);
    forwards(open, ['-L', `${here}:${there}`]);
    await until(async () => (await ask(here, 'socket\n')) === 'socket\n', 'the forwarded socket');
    far.close();
  });

  test('the agent is forwarded only by rule', async () => {
    const agent = await run('ssh-agent', ['-s']);
    const [, socket = ''] = /SSH_AUTH_SOCK=([^;]+)/.exec(agent.stdout.toString()) ?? [];
    const [, pid = ''] = /SSH_AGENT_PID=(\d+)/.exec(agent.stdout.toString()) ?? [];
    try {
      const env = { SSH_AUTH_SOCK: socket };
      await run('ssh-add', ['-q', join(open.folder, 'id_dev')], { env });
      const words = ['-A', 'ssh-add -l 2>&1; true'];
      expect((await open.ssh(words, { env })).stdout.toString()).toContain('SHA256:');
      expect((await closed.ssh(words, { env })).stdout.toString()).toContain('Could not open a connection');
    } finally {
      process.kill(Number(pid));
    }
  });

  test('a terminal is told why the agent is not there', async () => {
    const ran = await closed.ssh(['-A', '-tt', 'true'], { env: { SSH_AUTH_SOCK: '/nonexistent' } });
    expect(ran.status).toBe(0);
  });
});
