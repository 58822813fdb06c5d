/** Liquibase: a changelog in SQL with a precondition, update, rollback and update again, and a snapshot of the schema. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { fail, say, target } from './common.mjs';

const CHANGELOG = `--liquibase formatted sql
--changeset dev:1
create table badges (id serial primary key, person_id int not null references people, label varchar(60) not null);
insert into badges (person_id, label) select id, upper(name) from people order by id;
--rollback drop table badges;
--changeset dev:2
--preconditions onFail:HALT
--precondition-sql-check expectedResult:3 select count(*) from people where email is not null
alter table people add badge varchar(60);
update people set badge = (select label from badges where person_id = people.id);
alter table people alter badge set not null;
--rollback alter table people drop column badge;
--changeset dev:3 splitStatements:false
create function badge_of(int) returns varchar language sql stable as $$ select badge from people where id = $1 $$;
--rollback drop function badge_of(int);
`;
const program = join(import.meta.dirname, '..', 'node_modules', 'liquibase', 'dist', 'liquibase', 'liquibase');
const folder = mkdtempSync(join(tmpdir(), 'liquibase-'));
writeFileSync(join(folder, 'changelog.sql'), CHANGELOG);

function liquibase(...command) {
  const options = [
    `--url=jdbc:postgresql://${target.host}:${target.port}/${target.database}?sslmode=disable`,
    `--username=${target.user}`,
    `--password=${target.password}`,
    '--changelog-file=changelog.sql',
    '--log-level=severe',
    '--show-banner=false',
  ];
  const env = { ...process.env, JAVA_OPTS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto' };
  const { status, stdout, stderr } = spawnSync('/bin/sh', [program, ...options, ...command], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`liquibase ${command[0]}: ${stdout}${stderr}`);
  return stdout;
}
try {
  liquibase('update-testing-rollback');
  const { snapshot } = JSON.parse(liquibase('snapshot', '--snapshot-format=json'));
  const columns = snapshot.objects['liquibase.structure.core.Column'];
  say('columns', columns.map(({ column: { name, nullable, type } }) => `${name} ${type.typeName} ${nullable}`).sort());
  const client = new pg.Client(target);
  await client.connect();
  say('read', (await client.query('select id, email, badge, badge_of(id) as again from people order by id')).rows);
  await client.end();
} catch (error) {
  fail(error);
} finally {
  rmSync(folder, { recursive: true });
}
