import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, freePort, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';

/** A real pgbouncer, which lets anybody in and logs in at what is behind it as one user. */
export interface Bouncer {
  readonly port: number;
  readonly user: string;
  stop(): Promise<void>;
}

export interface Behind {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export async function startBouncer(behind: Behind, mode: 'session' | 'transaction', servers = 20): Promise<Bouncer> {
  const program = findTool('pgbouncer');
  if (!program) throw new Error('pgbouncer is not installed');
  const { path, remove } = temporaryFolder('bouncer');
  chmodSync(path, 0o755);
  const port = await freePort();
  writeFileSync(
    join(path, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${behind.port} user=${behind.user} password=${behind.password} dbname=${behind.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${servers}
ignore_startup_parameters = extra_float_digits
logfile = /dev/null
`,
  );
  const owner = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(program, [...owner, '-q', join(path, 'pgbouncer.ini')], { stdio: 'ignore' });
  await accepting(port, behind.user);
  return {
    port,
    user: behind.user,
    stop: async () => {
      await end(child);
      remove();
    },
  };
}

async function accepting(port: number, user: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ host: '127.0.0.1', port, user, database: 'postgres' });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.kill('SIGKILL');
  await promise;
}
