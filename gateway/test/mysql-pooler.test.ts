/** A target of MySQL that is a pooler: its greeting has a number of its own, as that of ProxySQL and of MaxScale. */
import { type Server, connect, createServer } from 'node:net';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import type { QueryError } from 'mysql2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MASKED, type MySqlStand, openMySqlStand } from './mysql-stand.js';

const missing = missingMySql('mariadb');

/** Passes everything, and puts a number of its own into each greeting. */
async function startRelay(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer((client) => {
    const target = connect(port, '127.0.0.1');
    let greeted = false;
    target.on('data', (bytes) => {
      if (!greeted) bytes.writeUInt32LE(4_000_000, bytes.indexOf(0, 5) + 1);
      greeted = true;
      client.write(bytes);
    });
    client.pipe(target);
    for (const one of [client, target])
      one.on('error', () => undefined).on('close', () => (client.destroy(), target.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}

describe.skipIf(missing !== undefined)(missing ?? 'a target that is a pooler', () => {
  let server: MySqlServer;
  let relay: Awaited<ReturnType<typeof startRelay>>;
  let stand: MySqlStand | undefined;

  beforeAll(async () => {
    server = await startMySql({ flavour: 'mariadb' });
    relay = await startRelay(server.port);
  }, 120_000);
  afterEach(() => stand?.stop());
  afterAll(async () => {
    relay?.server.close();
    await server?.stop();
  });

  const answerOf = async (target: string, rules: string): Promise<string> => {
    stand = await openMySqlStand({ server: { ...server, port: relay.port }, target, rules });
    const client = await stand.client();
    return client.query({ sql: 'select 7', rowsAsArray: true }).then(
      ([rows]) => JSON.stringify(rows),
      ({ errno, message }: QueryError) => `${errno}: ${message}`,
    );
  };

  test('is refused where columns are masked', async () => {
    expect(await answerOf('tls: disable', MASKED)).toMatch(/^1235: There is a pooler .* target\.pooled/);
  });

  test('is taken where nothing is, and where it keeps a connection for each session', async () => {
    expect(await answerOf('tls: disable', ' []')).toBe('[[7]]');
    await stand?.stop();
    expect(await answerOf('tls: disable, pooled: session', MASKED)).toBe('[[7]]');
  });
});
