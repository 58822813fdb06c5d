/** The tour on MariaDB, with a stock driver. */
import { type Connection, createConnection } from 'mysql2/promise';
import { paint, print } from '@sluice/cli';
import type { Demo } from '../running-demo.js';
import type { Show } from './step.js';

export async function onMariaDb(demo: Demo, show: Show): Promise<void> {
  if (typeof demo.stock === 'string') return print(paint.dim(`\nNothing on MariaDB: ${demo.stock}.`));
  const client = await connect(demo);
  for (const { title, sent, holds } of STEPS) {
    const got = await answer(client, sent);
    show({ title, sent, got, held: holds(got) });
  }
  await client.end();
}

const STEPS = [
  {
    title: 'MariaDB through the gateway, with its own driver',
    sent: 'select item from waiting order by id',
    holds: (got: string) => got.includes('Plain kettle'),
  },
  {
    title: '  DROP is refused in the words of the rule',
    sent: '/*!50000 drop */ table customers',
    holds: (got: string) => got.startsWith('1142') && got.includes('"no-destruction"'),
  },
  {
    title: '  and the session goes on; a masked column is masked',
    sent: "select name, concat('to ', email) as harmless from customers where id = 1",
    holds: (got: string) => got.includes('[masked:EMAIL]') && !got.includes('example.com'),
  },
  {
    title: '  in a variable as well',
    sent: 'select @kept := max(email) as harmless from customers',
    holds: (got: string) => got.includes('[masked:EMAIL]') && !got.includes('example'),
  },
];

async function connect({ gateway, tokens }: Demo): Promise<Connection> {
  const [host = '', port] = (gateway.addresses.get('mysql') ?? '').split(':');
  return createConnection({ host, port: Number(port), user: 'developer%stock', password: tokens.developer });
}

async function answer(client: Connection, sent: string): Promise<string> {
  try {
    return JSON.stringify((await client.query(sent))[0]);
  } catch (error) {
    const { errno, message } = error as Error & { errno?: number };
    return `${errno} ${message}`;
  }
}
