/** A server with two databases that differ in masked values only, and a gateway in front of them. Owns: both, and what is masked. */
import { join } from 'node:path';
import { type MySqlFlavour, startMySql, temporaryFolder } from '@sluice/testkit';
import { type Connection, createConnection } from 'mysql2/promise';
import { end, spawnGateway } from '../setting.js';

/** `{one|other}`: what the one database has, and the other. */
const SCHEMA = [
  `create table people (id int primary key, nick varchar(20), mail varchar(40), born date, wage int, doc json,
     host varchar(40) as (substring_index(mail, '@', -1)) virtual)`,
  'create table visits (id int primary key, person int, place varchar(20), day date, wage int)',
  'create table tags (person int, place varchar(20), label varchar(20))',
  `create view contacts as select p.id, concat(p.nick, ' ', p.mail) as label, p.wage from people p`,
  'create view journeys as select c.label, v.place, (select max(t.label) from tags t) as tag from contacts c, visits v',
  `insert into people (id, nick, mail, born, wage, doc) values
     (1, 'ana', '{ana@one.test|zoe@two.example}', '{1970-01-01|2001-09-09}', {100|900}, '{"a": "{x|zz}", "b": [{1|7}, 2]}'),
     (2, 'bob', '{bob@one.test|a@b}', '{1980-02-02|1960-05-05}', {200|5}, '{"a": "{y|}", "b": [{3|3}, 4]}'),
     (3, 'cy', '{cy@one.test|max@two.example}', '{1990-03-03|1990-03-03}', {200|-7}, '{"a": "{x|q}", "b": [{5|0}, 6]}'),
     (4, 'di', null, null, null, null)`,
  `insert into visits values (1, 1, 'place1', '2024-01-01', 7), (2, 2, 'place2', '2024-02-02', 14), (3, 9, null, null, 21)`,
  `insert into tags values (1, 'place1', 'label1'), (2, 'place2', 'label2'), (2, 'place1', 'label3')`,
];
const MASKED_COLUMNS = ['people.mail', 'people.born', 'people.wage', 'people.doc', 'people.host'] as const;

export interface TwinOptions {
  readonly flavour: MySqlFlavour;
  /** Left out of the masks, or of the rules, to see whether that is found. */
  readonly without?: { readonly column?: string; readonly rule?: 'no-guessing' };
}

export interface TwinStand {
  /** The same client at both databases, by the same gateway and policy. */
  open(): Promise<readonly [Connection, Connection]>;
  stop(): Promise<void>;
}

const NAMES = ['one', 'other'] as const;

/** Rows that a join may look at, as the server estimates them. A join of everything with everything would fill the memory of this process. */
const MAX_JOIN_ROWS = 50_000;

export async function openTwins({ flavour, without = {} }: TwinOptions): Promise<TwinStand> {
  const { path, remove } = temporaryFolder('mysql-twins');
  const server = await startMySql({ flavour });
  const { host, port, user, password } = server;
  const admin = await createConnection({ host, port, user, password });
  await admin.query(`set global max_join_size = ${MAX_JOIN_ROWS}`);
  for (const [at, name] of NAMES.entries()) {
    await admin.query(`create database ${name}`);
    await admin.query(`use ${name}`);
    for (const text of SCHEMA) await admin.query(text.replaceAll(CHOICE, (_, ...values: string[]) => values[at] ?? ''));
  }
  await admin.end();
  const columns = MASKED_COLUMNS.filter((name) => name !== without.column).map((name) => `"${name}"`);
  const rules = [
    `{ rule: masks, mask: { columns: [${columns.join(', ')}], with: redact } }`,
    ...(without.rule === 'no-guessing'
      ? []
      : [`{ rule: no-guessing, when: 'masked.asked.size() > 0', deny: Masked columns are not compared. }`]),
  ];
  const gateway = await spawnGateway(
    join(path, 'gateway'),
    `limits: { recorded_answer: 1KiB }
connections:
${NAMES.map(
  (name) => `  ${name}:
    protocol: mysql
    target: { host: 127.0.0.1, port: ${port}, database: ${name}, tls: disable }
    credential: { user: ${user}, password: ${password} }
    access: ["group:engineers"]
    policies: [sample]
`,
).join('')}policies:
  sample:
${rules.map((rule) => `    - ${rule}\n`).join('')}`,
    { protocol: 'mysql' },
  );
  const connect = (name: string): Promise<Connection> =>
    createConnection({
      host: '127.0.0.1',
      port: gateway.port,
      user: `bench%${name}`,
      password: gateway.token,
      dateStrings: true,
      jsonStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
  // The first client is greeted before the gateway knows which server there is, and asks for less.
  await (await connect('one')).end();
  return {
    open: async () => [await connect('one'), await connect('other')],
    stop: async () => {
      await end(gateway.child);
      await server.stop();
      remove();
    },
  };
}

const CHOICE = /\{([^|{}]*)\|([^|{}]*)\}/g;
