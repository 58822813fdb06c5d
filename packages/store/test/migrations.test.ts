/** A store of an earlier version, opened by this one. Lives here: that nothing in it is lost, or worth more than it was. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { Store } from '../src/index.js';

interface Kept {
  readonly number: number;
  readonly state: string;
  readonly text: string;
  readonly parameters: readonly string[];
  readonly textBytes?: number;
  readonly values?: number;
}

test('tokens whose makers were not kept were made by somebody, and large requests are kept in brief', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'control.db');
  await (await Store.open(file)).close();
  const text = `delete from t -- ${'x'.repeat(1_000_000)}`;
  const before = new DatabaseSync(file);
  before.exec("delete from kysely_migration where name >= '0005'");
  before.exec('alter table tokens drop column makers; alter table approvals drop column whole; drop table counts');
  before.exec(
    'drop table console_logins; drop table security_keys; drop table pins; drop table freezes; drop table grants',
  );
  before.exec('drop table sketches; drop table touches; drop table judged_files');
  before.exec('drop index approvals_review; alter table approvals drop column review');
  before.exec(
    "insert into tokens (id, principal, name, stored_key, server_key, sha256, sha1, created) values ('a', 'dev', 't', '', '', '', '', 1)",
  );
  const insert = before.prepare("insert into approvals (number, state, body) values (?, 'approved', ?)");
  insert.run(1, JSON.stringify({ number: 1, state: 'approved', text, parameters: ['7'] }));
  insert.run(2, JSON.stringify({ number: 2, state: 'approved', text: 'delete from t', parameters: [] }));
  before.close();

  const store = await Store.open(file);
  expect((await store.tokens()).map(({ makers }) => makers.map(({ name }) => name))).toEqual([['(not recorded)']]);
  const approvals = store.approvals<Kept>();
  const [second, first] = await approvals.recent(10);
  expect(second).toMatchObject({ number: 2, text: 'delete from t' });
  expect(first).toMatchObject({ number: 1, textBytes: text.length, values: 1 });
  expect(first?.text).toHaveLength(2048);
  expect(await approvals.find(1)).toMatchObject({ text, parameters: ['7'] });
  await store.close();
});
