import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Who may import whom. An arrow that is not here is a decision, made in a commit that says why. */
const CONTRACT_ONLY = ['contract'];
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  wire: [],
  analysis: CONTRACT_ONLY,
  guardrails: CONTRACT_ONLY,
  recording: CONTRACT_ONLY,
  identity: CONTRACT_ONLY,
  config: CONTRACT_ONLY,
  store: CONTRACT_ONLY,
  testkit: ['contract', 'wire'],
  postgres: ['contract', 'wire'],
  cli: ['contract', 'config'],
};
const EVERYTHING = ['gateway', 'bench'];

const ROOT = join(import.meta.dirname, '..');
const packages = globSync('{packages,protocols}/*/package.json', { cwd: ROOT })
  .concat(globSync('{gateway,agent,bench}/package.json', { cwd: ROOT }))
  .map((file) => {
    const { name, dependencies = {} } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as {
      name: string;
      dependencies?: object;
    };
    return { name: name.replace('@sluice/', ''), folder: dirname(file), dependencies: Object.keys(dependencies) };
  });

const sources = (folder: string): { file: string; text: string }[] =>
  globSync(`${folder}/src/**/*.ts`, { cwd: ROOT }).map((file) => ({
    file,
    text: readFileSync(join(ROOT, file), 'utf8'),
  }));

const imported = (text: string): string[] =>
  Array.from(
    text.matchAll(/^(?:import|export)\s[^;']*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm),
    ([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '',
  );

test('every package is in the table', () => {
  expect(packages.length).toBeGreaterThan(10);
  expect(packages.map(({ name }) => name).filter((name) => !(name in MAY_USE) && !EVERYTHING.includes(name))).toEqual(
    [],
  );
});

describe.each(packages)('$name', ({ name, folder, dependencies }) => {
  const allowed = MAY_USE[name];

  test('declares only what it may use', () => {
    const own = dependencies.filter((one) => one.startsWith('@sluice/')).map((one) => one.replace('@sluice/', ''));
    expect(allowed === undefined ? [] : own.filter((one) => !allowed.includes(one))).toEqual([]);
  });

  test('imports only what it declares', () => {
    const undeclared = sources(folder).flatMap(({ file, text }) =>
      imported(text)
        .filter((one) => !one.startsWith('.') && !one.startsWith('node:'))
        .map((one) =>
          one
            .split('/')
            .slice(0, one.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((one) => !dependencies.includes(one))
        .map((one) => `${file} imports ${one}`),
    );
    expect(undeclared).toEqual([]);
  });

  test.runIf(folder.startsWith('protocols/'))('reaches the network through the gate alone', () => {
    const direct = sources(folder).filter(({ text }) =>
      imported(text).some((one) => /^node:(net|tls|http|https|dgram)$/.test(one)),
    );
    expect(direct.map(({ file }) => file)).toEqual([]);
  });
});
