import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeProblem, jsonSchema, type Loaded, loadConfig } from '../src/index.js';

const FILE = join(import.meta.dirname, '..', '..', '..', 'examples', 'sluice.yaml');
const load = (env: NodeJS.ProcessEnv): Loaded => loadConfig(FILE, env);
const problems = (loaded: Loaded): string[] => (loaded.ok ? [] : loaded.problems.map(describeProblem));

test('the example loads, and its only need is the password', () => {
  expect(problems(load({ SHOP_PASSWORD: 'x' }))).toEqual([]);
  expect(problems(load({}))).toEqual([expect.stringContaining('the environment has no SHOP_PASSWORD')]);
});

test('it loads as shipped where only the file is looked at', () => {
  const loaded = loadConfig(FILE, {}, true);
  expect(loaded).toMatchObject({ ok: true, warnings: [expect.stringContaining('no SHOP_PASSWORD')] });
});

test('what it shows for settings that have a default is the default', () => {
  const shown = load({ SHOP_PASSWORD: 'x' });
  const empty = loadConfig('/dev/null', {});
  if (!shown.ok || !empty.ok) throw new Error('expected good configurations');
  const { listeners, control, limits, record } = empty.config;
  expect(shown.config).toMatchObject({ listeners, control, limits, record });
});

test('it shows every setting there is', () => {
  const schema = jsonSchema() as { properties: Record<string, { properties?: object }> };
  const example = parse(readFileSync(FILE, 'utf8')) as Record<string, object>;
  expect(Object.keys(example)).toEqual(Object.keys(schema.properties));
  for (const section of ['limits', 'record', 'control']) {
    expect(Object.keys(example[section] ?? {})).toEqual(Object.keys(schema.properties[section]?.properties ?? {}));
  }
});
