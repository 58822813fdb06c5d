/** Clients of MySQL and MariaDB. Owns: running the one that is there, and what others are told. */
import { spawnSync } from 'node:child_process';
import { endpointOf } from '../answers.js';
import { addMySqlConfig, userOf } from '../commands/client-config-mysql.js';
import { CliError } from '../errors.js';
import { type ProtocolClient, loginTo } from './client.js';

const NAME = 'mysql';

/** In the order in which they are looked for. */
const PROGRAMS = ['mariadb', 'mysql'];

export const mysql: ProtocolClient = {
  protocol: NAME,
  connect: async (row, wish, api) => {
    const { host, port } = endpointOf(row.listener);
    const program = PROGRAMS.map(installed).find((one) => one !== undefined);
    if (!program) {
      const hint = `Use any client: host ${host}, port ${port}, user NAME%${row.name}. The password is a token: sluice token create`;
      throw new CliError('There is no mariadb or mysql on this machine.', hint);
    }
    const { user, token } = await loginTo(api, row.name, wish);
    const words = [
      `--host=${host}`,
      `--port=${port}`,
      // For "localhost" they would take a socket of this machine.
      '--protocol=tcp',
      `--user=${userOf({ user, connection: row.name })}`,
      ...tlsWords(program.isMariadb, row.tls ?? false),
      ...(wish.command === undefined ? [] : [`--execute=${wish.command}`]),
    ];
    const { status } = spawnSync(program.name, words, { stdio: 'inherit', env: { ...process.env, MYSQL_PWD: token } });
    return status ?? 1;
  },
  addConfig: (group, context) => addMySqlConfig(group, context, NAME),
};

interface MySqlProgram {
  readonly name: string;
  readonly isMariadb: boolean;
}

/** A client that is there. Debian has MariaDB's under both names. */
function installed(name: string): MySqlProgram | undefined {
  const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
  return status === 0 ? { name, isMariadb: stdout.includes('MariaDB') } : undefined;
}

/** Encrypted, and no more, as psql does by itself. */
function tlsWords(isMariadb: boolean, tls: boolean): string[] {
  if (!tls) return isMariadb ? ['--skip-ssl'] : ['--ssl-mode=DISABLED'];
  return isMariadb ? ['--ssl', '--skip-ssl-verify-server-cert'] : ['--ssl-mode=REQUIRED'];
}
