import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { failure, openStand, targetOf } from './stand.js';

const ROOT = join(import.meta.dirname, '../..');
const RULES = `
    - { rule: no-deletes, when: 'action.verb == "delete"', deny: Nothing is deleted. }
    - { rule: emails, mask: { columns: [people.email] } }
`;

test.skipIf(missingPostgres(18))('what happens is counted, and the dashboard asks for nothing else', async () => {
  const server = await startPostgres({ major: 18 });
  const stand = await openStand({ target: targetOf(server), rules: RULES });
  const client = await stand.client();
  await client.query(
    "create table people (email text); insert into people values ('a@example.com'), ('b@example.com')",
  );
  await client.query('select email from people');
  await client.query('copy people to stdout').catch(() => undefined);
  expect(await failure(client.query("delete from people where email = 'c'"))).toBe('42501');
  expect(await failure(stand.client({ password: 'wrong' }))).toBe('28P01');
  const answer = await fetch(`${stand.gateway.url}/metrics`);
  const text = await answer.text();
  const value = (line: string): number =>
    Number(
      text
        .split('\n')
        .find((one) => one.startsWith(`${line} `))
        ?.slice(line.length + 1),
    );
  expect(value('sluice_sessions{connection="db"}')).toBe(1);
  expect(value('sluice_logins_total{connection="db"}')).toBe(1);
  expect(value('sluice_login_failures_total{reason="credentials"}')).toBe(1);
  expect(value('sluice_refused_total{connection="db",decision="deny",rule="no-deletes"}')).toBe(1);
  expect(value('sluice_masked_cells_total')).toBeGreaterThanOrEqual(2);
  expect(value('sluice_added_latency_seconds_count')).toBeGreaterThanOrEqual(3);
  expect(value('sluice_added_latency_seconds_bucket{le="+Inf"}')).toBe(value('sluice_added_latency_seconds_count'));
  expect(value('sluice_added_latency_seconds_bucket{le="1"}')).toBeGreaterThanOrEqual(
    value('sluice_added_latency_seconds_bucket{le="0.0001"}'),
  );
  expect(value('sluice_added_latency_seconds_sum')).toBeGreaterThan(0);
  expect(value('sluice_configuration_current')).toBe(1);
  const known = new Set(Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name));
  const dashboard = readFileSync(join(ROOT, 'docker/grafana.json'), 'utf8');
  const documented = readFileSync(join(ROOT, 'docs/operation.md'), 'utf8');
  for (const [name] of dashboard.matchAll(/sluice_[a-z_]+/g)) {
    const plain = name.replace(/_bucket$/, '');
    expect(known, name).toContain(plain);
    if (!plain.startsWith('sluice_agent')) expect(documented, name).toContain(plain);
  }
  await client.end();
  await stand.stop();
  await server.stop();
});
