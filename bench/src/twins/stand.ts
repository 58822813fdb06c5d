/** A server with the two databases, and a gateway in front of them under the sample policy. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres, temporaryFolder } from '@sluice/testkit';
import { Client } from 'pg';
import { end, spawnGateway } from '../setting.js';
import type { Place } from './line.js';
import { MASKED_COLUMNS } from './vocabulary.js';

const SCHEMA = new URL('../../../fixtures/twins/schema.sql', import.meta.url);
/** The server ends a statement after this time. */
const STATEMENT_TIMEOUT = '5s';

export type Rule = 'no-destruction' | 'unfiltered-writes' | 'no-guessing' | 'few-rows';
const RULES: Readonly<Record<Rule, string>> = {
  'no-destruction': `{ rule: no-destruction, when: 'action.effects.exists(e, e == "destroy") && action.verb != "delete"', deny: Nothing is dropped. }`,
  'unfiltered-writes': `{ rule: unfiltered-writes, when: 'action.verb in ["update", "delete"] && action.filter != "strong"', deny: Name the rows. }`,
  'no-guessing': `{ rule: no-guessing, when: '"other" in masked.asked', deny: Masked columns are compared with whole values only. }`,
  'few-rows': `{ rule: few-rows, when: 'action.verb in ["update", "delete"] && "wages" in action.tables && action.estimated_rows > 2', deny: Too many rows. }`,
};
/** Refuses what the sample policy lets ask, on a connection of its own, so that it can be told what asked. */
const NO_EQUALITY = `{ rule: no-equality, when: '"equality" in masked.asked', deny: It asks for whole values. }`;

export interface TwinStand {
  /** The two databases by the same gateway and policy. */
  readonly twins: readonly [Place, Place];
  /** The first once more, where nothing may ask about masked columns. */
  readonly strict: Place;
  stop(): Promise<void>;
}

export interface TwinOptions {
  readonly major: 15 | 18;
  /** Left out of the policy and of the masks, to see whether that is found. */
  readonly without?: { readonly rules?: readonly Rule[]; readonly columns?: readonly string[] };
}

export async function openTwins({ major, without = {} }: TwinOptions): Promise<TwinStand> {
  const { path, remove } = temporaryFolder('twins');
  const server = await startPostgres({
    major,
    settings: {
      // Statistics would differ, and with them plans and the order of rows.
      autovacuum: 'off',
      jit: 'off',
      max_parallel_workers_per_gather: '0',
      statement_timeout: STATEMENT_TIMEOUT,
      temp_file_limit: '100MB',
    },
  });
  const admin = async (database: string, text: string): Promise<void> => {
    const { host, port, user, password } = server;
    const client = new Client({ host, port, user, password, database });
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await admin('postgres', 'create database one');
  await admin('postgres', 'create database other');
  const schema = readFileSync(SCHEMA, 'utf8');
  await admin('one', schema.replaceAll(CHOICE, '$1'));
  await admin('other', schema.replaceAll(CHOICE, '$2'));
  const rules = Object.entries(RULES)
    .filter(([name]) => !without.rules?.includes(name as Rule))
    .map(([, rule]) => `    - ${rule}\n`);
  const columns = MASKED_COLUMNS.filter((name) => !without.columns?.includes(name)).map((name) => `"${name}"`);
  const connection = (name: string, database: string, policies: string): string => `  ${name}:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: ${database}, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    not_followed: mask
    policies: [${policies}]
    functions: { trusted: [setval] }
`;
  const gateway = await spawnGateway(
    join(path, 'gateway'),
    `limits: { recorded_answer: 1KiB }
connections:
${connection('one', 'one', 'sample')}${connection('other', 'other', 'sample')}${connection('strict', 'one', 'sample, strict')}policies:
  strict:
    - ${NO_EQUALITY}
  sample:
    - rule: masks
      mask: { columns: [${columns.join(', ')}], with: redact }
${rules.join('')}`,
  );
  const place = (database: string): Place => ({ port: gateway.port, user: 'bench', password: gateway.token, database });
  return {
    twins: [place('one'), place('other')],
    strict: place('strict'),
    stop: async () => {
      await end(gateway.child);
      await server.stop();
      remove();
    },
  };
}

const CHOICE = /\{\{([^|{}]*)\|([^|{}]*)\}\}/g;
