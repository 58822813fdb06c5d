import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '@sluice/cli';
import { freePort, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { expect, test } from 'vitest';
import { until } from './ssh-stand.js';
import { dial } from './strangers.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

test.skipIf(missingPostgres(18))(
  'with 256 descriptors, 300 idle connections to each port keep nobody out, and the log says what there is room for',
  async () => {
    const server = await startPostgres({ major: 18, auth: 'trust' });
    const { path, remove } = temporaryFolder('descriptors');
    const [port, ssh, agents, control] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const [config, data] = [join(path, 'sluice.yaml'), join(path, 'data')];
    writeFileSync(
      config,
      `data: data
listeners: { postgres: { port: ${port} }, ssh: { port: ${ssh} }, agents: { port: ${agents} } }
control: { port: ${control} }
limits: { handshake: 60s }
principals: { dev: {} }
connections:
  db:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["dev"]
`,
    );
    const gateway = spawn(
      'sh',
      ['-c', `ulimit -n 256 && exec "$0" "$@"`, process.execPath, MAIN, 'up', '--config', config],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, SLUICE_LOG: 'info' },
      },
    );
    let log = '';
    gateway.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const login = async (): Promise<pg.Client> => {
      const { user, token } = await ApiClient.find({ data }).post<{ user: string; token: string }>('/v1/login', {
        connection: 'db',
        user: 'dev',
      });
      const client = new pg.Client({ host: '127.0.0.1', port, user, password: token, database: 'db' });
      await client.connect();
      return client;
    };
    try {
      await until(() => existsSync(join(data, 'gateway.json')), 'the gateway to start');
      await until(() => log.includes('this process may open 256 files'), 'the limit in the log');
      await until(() => log.includes('There is room for 72 sessions and 24 logins at once'), 'the room in the log');
      const before = await login();
      const idle = [port, ssh, agents, control].flatMap((one) =>
        Array.from({ length: 300 }, (_, at) => dial(one, `127.0.0.${1 + (at % 3)}`)),
      );
      await sleep(500);
      const meanwhile = await login();
      for (const client of [before, meanwhile]) {
        expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
        await client.end();
      }
      for (const { socket } of idle) socket.destroy();
      await (await login()).end();
    } finally {
      gateway.kill('SIGTERM');
      if (gateway.exitCode === null) await once(gateway, 'exit');
      await server.stop();
      remove();
    }
  },
);
