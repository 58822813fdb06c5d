/** Twenty and a few things that go wrong, how each is provoked, and by what one knows that it is said. */
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import pg from 'pg';
import { makeCertificates } from '@sluice/testkit';
import { type TroubleStand, configurationText } from './stand.js';

export interface Trouble {
  readonly title: string;
  /** Who reads the first text. */
  readonly user: 'psql' | 'mariadb' | 'ssh' | 'curl' | 'sluice';
  provoke(stand: TroubleStand): Promise<{ user: string; operator: string }>;
  /** What has to be in each of the texts; undefined: nobody has to read anything there. */
  readonly says: RegExp;
  readonly logs: RegExp | undefined;
  /** What to do, where the texts do not say it all. */
  readonly todo: string;
}

const TARGET = /the target cannot be used/;
const REFUSED = /login refused/;

/** A way of the target that is wrong. */
const target = (
  title: string,
  [user, name]: readonly [Trouble['user'], string],
  [says, fault]: readonly [RegExp, string],
  todo: string,
): Trouble => ({
  title,
  user,
  provoke: (stand) =>
    stand.logged(TARGET, () =>
      user === 'curl' ? stand.curl(`/${name}/x`) : stand[user as 'psql' | 'mariadb' | 'ssh'](name),
    ),
  says,
  logs: new RegExp(`connection=${name} .*fault=${fault} .*todo=`),
  todo,
});

export const TROUBLES: readonly Trouble[] = [
  target(
    'The target is down',
    ['psql', 'down'],
    [/cannot be reached: connect ECONNREFUSED/, 'down'],
    'Start it; then `sluice doctor` shows that it is reached.',
  ),
  target(
    'The target has a name that nobody knows',
    ['psql', 'nowhere'],
    [/ENOTFOUND db\.nowhere\.invalid/, 'unknown-host'],
    'Correct `target.host`.',
  ),
  target(
    'The target speaks no TLS, and the connection demands it',
    ['psql', 'no-tls'],
    [/does not speak TLS/, 'no-tls'],
    'Switch TLS on there.',
  ),
  target(
    'The password of the gateway at the target is wrong',
    ['psql', 'wrong-password'],
    [/did not accept the credential that is configured/, 'login'],
    'Correct `credential` of the connection; users have no part in it.',
  ),
  target(
    'The database is not there',
    ['psql', 'wrong-database'],
    [/database "shopp" does not exist/, 'database'],
    'Correct `target.database`. `dbname` of a client is the name of the *connection*, and may differ from it.',
  ),
  target(
    'The agent of the connection is not there',
    ['psql', 'far'],
    [/agent "dc1"/, 'agent'],
    'Start the agent; `sluice agents ls` shows it.',
  ),
  target(
    'The target is down, and columns are masked',
    ['psql', 'masked-down'],
    [/FATAL: +the target of this connection cannot be reached: connect ECONNREFUSED/, 'down'],
    'As without masks.',
  ),
  target(
    'MySQL: the target is down',
    ['mariadb', 'my-down'],
    [/cannot be reached: connect ECONNREFUSED/, 'down'],
    'Start it.',
  ),
  target(
    'MySQL: the password of the gateway is wrong',
    ['mariadb', 'my-password'],
    [/did not accept the credential that is configured/, 'login'],
    'Correct `credential`.',
  ),
  target(
    'SSH: the machine is down',
    ['ssh', 'vm-down'],
    [/cannot be reached: connect ECONNREFUSED/, 'down'],
    'Start it.',
  ),
  target(
    'SSH: the machine shows another host key',
    ['ssh', 'vm-changed'],
    [/host key/i, 'host-key'],
    'Find out whether it was changed on purpose before you write the new one down.',
  ),
  target('HTTP: the service is down', ['curl', 'svc-down'], [/status 502/, 'down'], 'Start it.'),
  target(
    'HTTP: the service does not accept the key of the gateway',
    ['curl', 'svc-key'],
    [/status 401/, 'login'],
    'Correct `credential`; the caller has shown the gateway a good token.',
  ),
  {
    title: 'A token is wrong, or has expired',
    user: 'psql',
    provoke: (stand) =>
      stand.logged(REFUSED, () => stand.psql('shop', 'select 1', { password: 'sluice_aaaaaaaaaa_wrong' })),
    says: /password authentication failed for user "dev".*sluice login/s,
    logs: /login refused .*refused=credentials/,
    todo: '`sluice login`, or `sluice token create`.',
  },
  {
    title: 'The name of the database is that of no connection',
    user: 'psql',
    provoke: (stand) => stand.logged(REFUSED, () => stand.psql('postgres')),
    says: /connection "postgres" does not exist.*name of a connection/s,
    logs: /login refused .*connection=postgres .*refused=connection/,
    todo: '`sluice ls` has the names. Tools that connect to the database "postgres" on their own want a connection of that name.',
  },
  {
    title: 'Somebody may not use the connection',
    user: 'psql',
    provoke: (stand) => stand.logged(REFUSED, () => stand.psql('private')),
    says: /may not use connection "private"/,
    logs: /login refused .*refused=access/,
    todo: 'Add the person, or a group of theirs, to `access`.',
  },
  {
    title: 'A client does not trust the certificate of the gateway',
    user: 'psql',
    provoke: (stand) =>
      stand.logged(/connection broke/, async () => {
        const certificates = makeCertificates();
        try {
          return (
            await stand.psql('shop', 'select 1', { options: `sslmode=verify-full sslrootcert=${certificates.caFile}` })
          ).replaceAll(certificates.caFile, 'root.crt');
        } finally {
          certificates.remove();
        }
      }),
    says: /certificate verify failed/,
    logs: /connection broke .*reason=/,
    todo: 'Give the client `gateway.crt` of the data folder, or the gateway a certificate of your own authority.',
  },
  {
    title: 'A client drops TLS after the handshake',
    user: 'psql',
    provoke: (stand) => stand.logged(/connection broke|session failed/, () => dropTls(stand.ports.postgres)),
    says: /gone/,
    logs: /connection broke .*reason=/,
    todo: 'Nothing, unless it is yours: a port scan looks so.',
  },
  {
    title: 'A rule refuses a statement',
    user: 'psql',
    provoke: async (stand) => ({ user: await stand.psql('shop', 'drop table customers'), operator: '' }),
    says: /Nothing is dropped.*no-destruction/s,
    logs: undefined,
    todo: 'Do what the rule says. The operator reads it in `sluice sessions replay` and in `sluice_refused_total`.',
  },
  {
    title: 'A statement is held, and nobody answers',
    user: 'psql',
    provoke: async (stand) => ({
      user: await stand.psql('shop', 'create temp table t (i int); delete from t where i = 1'),
      operator: '',
    }),
    says: /waits for an approval.*Nobody answered/s,
    logs: undefined,
    todo: 'Ask somebody of `approvers` and send it again. `sluice approvals watch` shows what waits.',
  },
  {
    title: 'Somebody has too many sessions open',
    user: 'psql',
    provoke: async (stand) => {
      const { token } = await stand.gateway.identity.createToken({ principal: 'pool', name: 'test' });
      const open = await Promise.all(Array.from({ length: 3 }, () => opened(stand, token)));
      try {
        return await stand.logged(REFUSED, () => stand.psql('shop', 'select 1', { user: 'pool', password: token }));
      } finally {
        await Promise.all(open.map((one) => one.end()));
      }
    },
    says: /has 3 sessions open/,
    logs: /login refused .*refused=limit/,
    todo: 'Close some, use a pool, or raise `limits.sessions_per_principal`.',
  },
  {
    title: 'A configuration with a mistake is saved',
    user: 'sluice',
    provoke: async (stand) => {
      const before = configurationText(stand);
      try {
        writeFileSync(stand.file, before.replace('policies: [production]', 'policies: [produktion]'));
        return await stand.logged(/configuration cannot be used/, () => stand.sluice('check', '-c', 'sluice.yaml'));
      } finally {
        writeFileSync(stand.file, before);
      }
    },
    says: /sluice\.yaml:\d+:\d+ .*there is no policy "produktion".*Did you mean "production"/s,
    logs: /the configuration cannot be used: the one before it stays in force/,
    todo: 'Correct it: it is taken into use when it is saved. `/readyz` says so until then.',
  },
  {
    title: 'A port is taken at the start',
    user: 'sluice',
    provoke: async (stand) => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as { port: number };
      const file = join(stand.folder, 'second.yaml');
      writeFileSync(
        file,
        `data: second\nlisteners: { postgres: { port: ${port} }, agents: { address: 127.0.0.1, port: 0 } }\ncontrol: { port: 0 }\nprincipals: {}\nconnections: {}\npolicies: {}\n`,
      );
      const user = await stand.sluice('up', '-c', 'second.yaml');
      server.close();
      const said = user
        .split('\n')
        .filter((line) => line.startsWith('error:'))
        .join('\n')
        .replaceAll(String(port), '6432');
      return { user: said, operator: '' };
    },
    says: /6432.*another program/s,
    logs: undefined,
    todo: 'Stop the other program, or change the port. `sluice doctor` looks at all ports before a start.',
  },
];

async function opened(stand: TroubleStand, password: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: stand.ports.postgres,
    user: 'pool',
    password,
    database: 'shop',
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Asks for TLS as libpq does, comes through the handshake, and is gone without a word. */
async function dropTls(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const request = Buffer.alloc(8);
  request.writeInt32BE(8, 0);
  request.writeInt32BE(80877103, 4);
  socket.write(request);
  await new Promise((resolve) => socket.once('data', resolve));
  const secure = tlsConnect({ socket, rejectUnauthorized: false });
  secure.on('error', () => undefined);
  await new Promise((resolve) => secure.once('secureConnect', resolve));
  await sleep(200);
  // No alert, no FIN of TLS: a reset.
  socket.resetAndDestroy();
  return '(the client is gone)';
}
