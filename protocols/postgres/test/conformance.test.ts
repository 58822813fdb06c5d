import { connect } from 'node:net';
import { type PostgresServer, type Speaker, conformance, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { postgres } from '../src/index.js';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ major: 15 });
});
afterAll(() => server.stop());

/** node-postgres over a stream. */
const speaker: Speaker = {
  async open(stream, secret) {
    // It calls connect() on what it takes for a socket, and waits for the event.
    const socket = Object.assign(stream, {
      connect: () => queueMicrotask(() => stream.emit('connect')),
      setNoDelay: () => stream,
      setKeepAlive: () => stream,
      ref: () => stream,
      unref: () => stream,
    });
    const client = new pg.Client({
      stream: () => socket,
      user: 'anybody',
      password: secret,
      database: 'target',
      ssl: false,
    });
    client.on('error', () => undefined);
    await client.connect();
    return {
      run: async (command) => JSON.stringify((await client.query(command)).rows),
      close: () => client.end(),
    };
  },
};

describe('postgres keeps the contract', () => {
  const specimen = {
    protocol: postgres,
    speaker,
    get target() {
      const { host, user, password, database } = server;
      return { host, user, password, database, tls: 'disable' as const };
    },
    dial: async () => connect({ host: server.host, port: server.port }),
    command: (marker: string) => `select '${marker}' as marker`,
  };
  for (const { name, run } of conformance(specimen)) test(name, run);
});
