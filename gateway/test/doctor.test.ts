/** `sluice doctor`, `status` and `logs`, on a gateway that is well and on one whose parts are all wrong. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:net';
import { join } from 'node:path';
import type { Finding, Status } from '@sluice/api';
import {
  type PostgresServer,
  CLOSED_PORT,
  freePort,
  makeCertificates,
  missingPostgres,
  missingTool,
  startPostgres,
  temporaryFolder,
} from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MAIN } from './agents.js';
import { run } from './ssh-stand.js';

const missing = missingPostgres(18) ?? missingTool('openssl');

describe.skipIf(missing)('an operator', () => {
  const { path: folder, remove } = temporaryFolder('doctor');
  let server: PostgresServer;
  let ports: number[];
  let children: ChildProcess[] = [];
  let other: Server;

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    server = await startPostgres({ major: 18, auth: 'scram-sha-256' });
    ports = [await freePort(), await freePort(), await freePort()];
  }, 60_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    other?.close();
    await server?.stop();
    remove();
  });

  const file = join(folder, 'sluice.yaml');
  const write = (change = (text: string): string => text): void =>
    writeFileSync(
      file,
      change(`data: data
listeners: { postgres: { port: ${ports[0]}, tls: self-signed } }
control: { port: ${ports[1]} }
limits: { connections: 100, logins: 50 }
principals: { dev: { groups: [staff] } }
connections:
  shop:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: ${server.user}, password: "\${env:SHOP_PASSWORD}" }
    access: ["group:staff"]
    policies: [rules]
policies:
  rules:
    - { rule: no-drops, when: 'action.verb == "drop"', deny: Nothing is dropped. }
`),
    );
  const sluice = async (
    words: string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ status: number | null; said: string }> => {
    const { status, stdout, stderr } = await run(process.execPath, [MAIN, '--data', join(folder, 'data'), ...words], {
      cwd: folder,
      env: { SHOP_PASSWORD: '', SLUICE_LOG: 'info', NO_COLOR: '1', ...env },
    });
    return { status, said: stdout.toString() + (words.includes('json') ? '' : stderr) };
  };
  const doctor = async (env: NodeJS.ProcessEnv = {}): Promise<{ status: number | null; findings: Finding[] }> => {
    const { status, said } = await sluice(['-o', 'json', 'doctor'], env);
    return { status, findings: JSON.parse(said) as Finding[] };
  };
  const of = (findings: Finding[], check: string): Finding[] => findings.filter((one) => one.check === check);
  const up = async (): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [MAIN, 'up', '-c', file], {
      env: { ...process.env, SHOP_PASSWORD: server.password, SLUICE_LOG: 'info' },
      stdio: 'ignore',
    });
    children.push(child);
    await vi.waitFor(() => expect(existsSync(join(folder, 'data', 'gateway.json'))).toBe(true), { timeout: 60_000 });
    return child;
  };
  const down = async (child: ChildProcess): Promise<void> => {
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await gone;
    children = children.filter((one) => one !== child);
  };

  test('without a configuration it says how to come to one', async () => {
    expect((await sluice(['doctor', '-c', 'none.yaml'])).said).toMatch(
      /^failed {3}configuration .*none\.yaml: there is no such file\n +do: .*--config.*examples\/sluice\.yaml/,
    );
  });

  test('before the first start: ports are free, the target is reached from here, and the status is not that of a fault', async () => {
    write();
    const { status, findings } = await doctor({ SHOP_PASSWORD: server.password });
    expect(of(findings, 'port').map(({ state, says }) => [state, says])).toEqual([
      ['ok', 'free'],
      ['ok', 'free'],
    ]);
    expect(of(findings, 'target')).toMatchObject([
      { state: 'ok', says: expect.stringContaining('logged in, version 18') },
    ]);
    expect(of(findings, 'catalog')).toMatchObject([{ state: 'ok' }]);
    expect(findings.filter(({ state }) => state === 'failed')).toEqual([]);
    expect(status).toBe(1);
    // Everything that is no good says what to do.
    expect(findings.filter(({ state, todo }) => state !== 'ok' && todo === undefined)).toEqual([]);
  }, 60_000);

  test('a running gateway is asked about its own targets, says what runs, and has a log', async () => {
    write();
    const gateway = await up();
    const { status, findings } = await doctor();
    expect(of(findings, 'gateway')).toMatchObject([{ state: 'ok' }]);
    expect(of(findings, 'target')).toMatchObject([{ state: 'ok' }]);
    expect(of(findings, 'port').map(({ says }) => says)).toEqual(['open', 'open']);
    expect(of(findings, 'certificate')).toMatchObject([
      { state: 'ok', says: expect.stringMatching(/valid until 20\d\d-/) },
    ]);
    expect(of(findings, 'journal')).toMatchObject([{ state: 'ok' }]);
    expect(of(findings, 'limits')).toHaveLength(1);
    expect(of(findings, 'time')).toMatchObject([{ state: 'ok' }]);
    // The password is not in the environment of the doctor, but in that of the gateway, which has logged in with it.
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(status).toBe(0);
    const now = JSON.parse((await sluice(['-o', 'json', 'status'])).said) as Status;
    expect(now).toMatchObject({ ready: true, pid: gateway.pid, sessions: 0, waiting: 0, connections: 1, agents: [] });
    expect(Date.now() - Date.parse(now.started)).toBeLessThan(120_000);
    expect((await sluice(['status'])).said).toMatch(/^ready {2}Sluice .*\n.*listens +postgres 127/);
    expect((await sluice(['logs'])).said).toContain('control API on');
    const follow = spawn(process.execPath, [MAIN, '--data', join(folder, 'data'), 'logs', '-f', '-n', '0'], {
      env: { ...process.env, NO_COLOR: '1' },
    });
    children.push(follow);
    let said = '';
    follow.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await vi.waitFor(
      async () => {
        write((text) => `${text}# ${Date.now()}\n`);
        expect(said).toContain('another configuration is in force');
      },
      { timeout: 60_000, interval: 1500 },
    );
    // A log that is begun anew is followed into the new file.
    const log = join(folder, 'data', 'gateway.log');
    renameSync(log, `${log}.1`);
    appendFileSync(log, '{"level":30,"time":1,"msg":"in the new file"}\n');
    await vi.waitFor(() => expect(said).toContain('in the new file'));
    expect(readFileSync(`${log}.1`, 'utf8')).toContain('control API on');
    follow.kill('SIGKILL');
    await down(gateway);
  }, 300_000);

  test('what is wrong is found, all of it, and each says what to do', async () => {
    const certificates = makeCertificates();
    writeFileSync(join(folder, 'old.crt'), certificates.certificate);
    writeFileSync(join(folder, 'old.key'), certificates.key, { mode: 0o600 });
    other = createServer().listen(ports[2], '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    write((text) =>
      text
        .replace(`port: ${ports[0]}, tls: self-signed`, `port: ${ports[2]}, tls: { cert: old.crt, key: old.key }`)
        .replace(
          'policies: [rules]\n',
          `policies: [rules]
    functions: { trusted: [no_such_function, lower] }
  wrong:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: ${server.user}, password: not-this-one }
    access: ["group:staff"]
    policies: [rules]
`,
        )
        .replace(
          '    - { rule: no-drops',
          `    - { rule: masks, mask: { columns: [nobody.email, pg_catalog.pg_class.relname] } }\n    - { rule: no-drops`,
        )
        .replace(
          'principals:',
          `issuers: { corp: { issuer: "http://127.0.0.1:${CLOSED_PORT}", audience: sluice } }\nprincipals:`,
        ),
    );
    const { status, findings } = await doctor({ SHOP_PASSWORD: server.password });
    certificates.remove();
    expect(status).toBe(2);
    expect(of(findings, 'port').map(({ state }) => state)).toEqual(['failed', 'ok']);
    expect(of(findings, 'target').map(({ state, about }) => [about.split(',')[0], state])).toEqual([
      ['shop', 'ok'],
      ['wrong', 'failed'],
    ]);
    expect(of(findings, 'target').at(-1)?.todo).toContain('credential');
    expect(of(findings, 'mask')).toMatchObject([{ state: 'warning', says: 'no column is called nobody.email' }]);
    expect(of(findings, 'function')).toMatchObject([{ says: 'no function is called no_such_function' }]);
    expect(of(findings, 'issuer')).toMatchObject([{ state: 'failed', says: expect.stringContaining('ECONNREFUSED') }]);
    expect(of(findings, 'certificate')).toMatchObject([{ state: 'ok' }]);
    expect(findings.filter(({ state, todo }) => state !== 'ok' && todo === undefined)).toEqual([]);
  }, 60_000);

  test('a configuration that cannot be read is the only finding', async () => {
    write((text) => text.replace('policies: [rules]', 'policies: [ruels]'));
    const { status, findings } = await doctor();
    expect(status).toBe(2);
    expect(findings).toMatchObject([
      { check: 'configuration', state: 'failed', says: expect.stringContaining('"ruels"') },
    ]);
  }, 60_000);
});
