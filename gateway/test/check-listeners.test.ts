import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';

test.each([
  ['listeners: { postgres: { address: 0.0.0.0, require_tls: false } }', 'PostgreSQL clients may come without TLS'],
  ['listeners: { postgres: { address: 0.0.0.0 } }', undefined],
  ['listeners: { postgres: { require_tls: false } }', undefined],
])('check says of %s: %s', (text, warning) => {
  const { path, remove } = temporaryFolder('check');
  onTestFinished(remove);
  writeFileSync(join(path, 'sluice.yaml'), text);
  const { warnings } = readConfiguration(join(path, 'sluice.yaml'));
  expect(warnings).toEqual(warning === undefined ? [] : [expect.stringContaining(warning)]);
});

const RULES = `
    - { rule: reads, when: 'command.text.contains("x")', hold_answer: { approvers: ["user:ada"] } }
    - { rule: broken, when: 'answer.status >= 500', deny: No. }
    - { rule: keys, when: '"api_key" in llm.answer.code.map(c, c.language)', deny: No. }
    - { rule: dear, when: 'llm.model == "gpt-5"', deny: No. }
    - { rule: few, budget: { requests: 5 } }
    - { rule: mails, budget: { distinct: 5, detect: [email] } }
    - { rule: people, budget: { distinct: 5, columns: [people.email] } }
    - { rule: explorer, tripwire: { new_tables: 5 } }
    - { rule: about-a-word, when: 'command.text.contains("llm answer")', deny: No. }
`;

test('check says which rules can never apply on a connection', () => {
  const { path, remove } = temporaryFolder('check-rules');
  onTestFinished(remove);
  writeFileSync(
    join(path, 'sluice.yaml'),
    `listeners: { postgres: {}, http: {} }
principals: { ada: { roles: [approver] }, dev: {} }
connections:
  db: { protocol: postgres, target: { host: db.internal, database: app }, credential: { user: app }, access: [dev], policies: [p] }
  web: { protocol: http, target: { url: "https://web.internal" }, access: [dev], policies: [p] }
  models: { protocol: http, target: { url: "https://models.internal" }, llm: { provider: openai }, access: [dev], policies: [p] }
policies:
  p:${RULES}`,
  );
  const { warnings } = readConfiguration(join(path, 'sluice.yaml'));
  expect(warnings.filter((one) => one.startsWith('On connection'))).toEqual([
    'On connection "db" rule "reads" never applies: people read answers by HTTP only.',
    'On connection "db" rule "broken" never applies: it asks about an answer by HTTP.',
    'On connection "db" rule "keys" never applies: it asks about an answer by HTTP.',
    'On connection "db" rule "dear" asks about calls of language models, of which there are none without "llm".',
    'On connection "db" rule "few" never applies: requests, tokens and cost are of calls of language models ("llm").',
    'On connection "web" rule "keys" asks about calls of language models, of which there are none without "llm".',
    'On connection "web" rule "dear" asks about calls of language models, of which there are none without "llm".',
    'On connection "web" rule "few" never applies: requests, tokens and cost are of calls of language models ("llm").',
    'On connection "web" rule "people" does not count "columns" there: in answers by HTTP values are counted that "detect" finds.',
    'On connection "web" rule "explorer" does not count "new_tables" there: tables are those of SQL.',
    'On connection "models" rule "mails" does not count "distinct" there: answers of language models come in pieces, in which nobody counts values.',
    'On connection "models" rule "people" does not count "distinct" there: answers of language models come in pieces, in which nobody counts values.',
    'On connection "models" rule "explorer" does not count "new_tables" there: tables are those of SQL.',
  ]);
});
