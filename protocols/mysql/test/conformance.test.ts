import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type MySqlServer, type Speaker, conformance, missingMySql, startMySql } from '@sluice/testkit';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { mysql } from '../src/index.js';

/** mysql2 over a stream. */
const speaker: Speaker = {
  async open(stream, secret) {
    const socket = Object.assign(stream, { setNoDelay: () => stream, setKeepAlive: () => stream });
    const client = await createConnection({
      stream: () => socket as Duplex,
      user: 'anybody',
      password: secret,
      database: 'target',
      connectTimeout: 4_000,
    });
    client.on('error', () => undefined);
    return {
      run: async (command) => JSON.stringify((await client.query(command))[0]),
      close: () => client.end(),
    };
  },
};

describe.each(['mariadb', 'mysql'] as const)('mysql keeps the contract with %s', (flavour) => {
  const missing = missingMySql(flavour);
  if (missing !== undefined) {
    test.skip(missing);
    return;
  }
  let server: MySqlServer;
  beforeAll(async () => {
    server = await startMySql({ flavour });
  }, 90_000);
  afterAll(() => server.stop());

  const specimen = {
    protocol: mysql(),
    speaker,
    get target() {
      const { host, user, password, database } = server;
      return { host, user, password, database, tls: 'disable' as const, options: {} };
    },
    dial: async () => connect({ host: server.host, port: server.port }),
    command: (marker: string) => `select '${marker}' as marker`,
  };
  for (const { name, run } of conformance(specimen)) test(name, run);
});
