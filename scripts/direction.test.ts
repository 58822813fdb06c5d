/**
 * The arrows of docs/architecture.md, held against every package.json and every import. Lives here: who may use whom, and
 * what no file may say. Does not: what a package does with what it may use.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Who may import whom. An arrow that is not here is a decision, made in a commit that says why. */
const MAY_USE: Readonly<Record<string, readonly string[] | 'everything'>> = {
  contract: [],
  api: [],
  wire: ['contract'],
  keys: [],
  'commit-review': ['contract'],
  addresses: [],
  printable: [],
  saml: [],
  analysis: ['contract'],
  shell: ['contract'],
  'sql-mysql': ['analysis', 'approvals', 'contract', 'guardrails', 'masking'],
  'sql-postgres': ['analysis', 'approvals', 'contract', 'guardrails', 'masking'],
  'http-requests': ['contract'],
  'http-bodies': ['contract', 'http-requests', 'masking'],
  'language-models': ['contract', 'http-bodies', 'http-requests', 'masking'],
  'mcp-server': ['approvals', 'contract', 'guardrails', 'http-requests', 'identity', 'mcp', 'wire'],
  mcp: ['contract', 'http-requests', 'language-models'],
  'grpc-messages': ['contract', 'http-bodies', 'http-requests'],
  guardrails: ['contract', 'http-requests', 'language-models'],
  'proposed-calls': [
    'analysis',
    'contract',
    'guardrails',
    'http-bodies',
    'http-requests',
    'language-models',
    'shell',
    'sql-postgres',
  ],
  'mcp-calls': [
    'analysis',
    'contract',
    'guardrails',
    'http-bodies',
    'http-requests',
    'language-models',
    'mcp',
    'proposed-calls',
  ],
  'judged-answers': [
    'analysis',
    'contract',
    'guardrails',
    'http-bodies',
    'http-requests',
    'language-models',
    'proposed-calls',
  ],
  judging: [
    'analysis',
    'budgets',
    'contract',
    'grpc-messages',
    'guardrails',
    'http-bodies',
    'http-requests',
    'identity',
    'judged-answers',
    'language-models',
    'masking',
    'mcp-calls',
    'proposed-calls',
    'shell',
    'sql-postgres',
    'wire',
  ],
  masking: ['contract'],
  budgets: ['config', 'contract', 'identity', 'store'],
  recording: ['contract'],
  identity: ['addresses', 'contract', 'keys'],
  approvals: ['contract'],
  config: ['addresses', 'contract', 'grpc-messages', 'http-requests', 'keys', 'language-models', 'mcp'],
  store: ['contract'],
  tunnel: ['contract', 'wire'],
  testkit: ['contract', 'wire'],
  postgres: ['contract', 'wire'],
  mysql: ['contract', 'wire'],
  ssh: ['contract', 'keys', 'wire'],
  http: ['contract', 'mcp', 'wire'],
  agent: ['addresses', 'contract', 'tunnel', 'config', 'http-requests', 'mcp', 'printable'],
  cli: ['addresses', 'api', 'contract', 'config', 'printable'],
  reading: ['api', 'contract', 'recording', 'store'],
  audit: ['addresses', 'config', 'contract', 'identity', 'printable', 'reading', 'recording', 'store', 'wire'],
  packaged: ['config', 'contract'],
  strangers: ['addresses', 'audit', 'config', 'contract', 'tunnel', 'wire'],
  agents: ['addresses', 'audit', 'config', 'contract', 'store', 'strangers', 'tunnel'],
  control: [
    'addresses',
    'agents',
    'analysis',
    'api',
    'approvals',
    'audit',
    'budgets',
    'config',
    'contract',
    'grants',
    'guardrails',
    'http-requests',
    'identity',
    'language-models',
    'mcp-calls',
    'reading',
    'recording',
    'shell',
    'sql-postgres',
    'step-up',
    'store',
    'strangers',
  ],
  // Types of answers, and how texts of others are made safe to show.
  console: ['api', 'printable'],
  'console-server': [
    'addresses',
    'audit',
    'budgets',
    'config',
    'contract',
    'control',
    'grants',
    'identity',
    'saml',
    'step-up',
    'store',
    'strangers',
  ],
  grants: ['addresses', 'config', 'store'],
  'step-up': ['identity', 'store'],
  'policy-trial': [
    'analysis',
    'cli',
    'config',
    'contract',
    'guardrails',
    'http-requests',
    'language-models',
    'mcp',
    'mcp-calls',
    'shell',
    'sql-mysql',
    'sql-postgres',
  ],
  doctor: ['api', 'audit', 'cli', 'config', 'contract', 'recording', 'store', 'strangers'],
  gateway: 'everything',
  demo: 'everything',
  bench: 'everything',
};

const ROOT = join(import.meta.dirname, '..');
const glob = (pattern: string): string[] =>
  globSync(pattern, { cwd: ROOT, exclude: (path) => /(^|\/)(node_modules|dist)$/.test(path) });
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const packages = glob('{packages/*,protocols/*,gateway,agent,bench}/package.json').map((file) => {
  const manifest = JSON.parse(read(file)) as {
    name: string;
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  };
  return {
    name: manifest.name.replace('@sluice/', ''),
    folder: dirname(file),
    used: Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }),
    tested: Object.keys(manifest.devDependencies ?? {}),
  };
});

/** The packages that the files of a folder import, as `file imports package`. */
function imports(folder: string): { file: string; name: string }[] {
  return glob(`${folder}/**/*.ts`).flatMap((file) => {
    const found = read(file).matchAll(
      /^(?:import|export)\s[^;']*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)|\bimport\.meta\.resolve\('([^']+)'\)/gm,
    );
    return Array.from(found, ([, ...names]) => ({ file, name: names.find(Boolean) ?? '' }));
  });
}

const packageOf = (name: string): string => name.split('/', name.startsWith('@') ? 2 : 1).join('/');
const isOutside = ({ name }: { name: string }): boolean => !name.startsWith('.') && !name.startsWith('node:');
const sentence = ({ file, name }: { file: string; name: string }): string => `${file} imports ${name}`;

test('every package is in the table', () => {
  expect(packages.length).toBeGreaterThan(10);
  expect(packages.map(({ name }) => name).filter((name) => !Object.hasOwn(MAY_USE, name))).toEqual([]);
});

describe.each(packages)('$name', ({ name, folder, used, tested }) => {
  test('declares only what it may use', () => {
    const allowed = MAY_USE[name] ?? [];
    const own = used.filter((one) => one.startsWith('@sluice/')).map((one) => one.replace('@sluice/', ''));
    expect(allowed === 'everything' ? [] : own.filter((one) => !allowed.includes(one))).toEqual([]);
  });

  test('imports only what it declares', () => {
    const undeclared = imports(`${folder}/src`).filter((one) => isOutside(one) && !used.includes(packageOf(one.name)));
    expect(undeclared.map(sentence)).toEqual([]);
  });

  test('its tests import only those of our packages that it declares', () => {
    const undeclared = imports(`${folder}/test`).filter(
      (one) => one.name.startsWith('@sluice/') && ![...used, ...tested].includes(packageOf(one.name)),
    );
    expect(undeclared.map(sentence)).toEqual([]);
  });
});

/** These speak a protocol over a stream that the gate has opened, and open none. */
const OVER_A_STREAM = new Set([
  'protocols/http/src/h2/server.ts imports node:http2',
  'protocols/http/src/h2/target.ts imports node:http2',
]);

test.each(packages.filter(({ folder }) => folder.startsWith('protocols/')))(
  '$name reaches the network through the gate alone',
  ({ folder }) => {
    const direct = imports(`${folder}/src`).filter(
      ({ file, name }) =>
        /^(node:)?(net|tls|https?|http2|dgram)$/.test(name) && !OVER_A_STREAM.has(sentence({ file, name })),
    );
    expect(direct.map(sentence)).toEqual([]);
  },
);

/** Where a protocol may be called by its name: in its own files, and in the list that binds its code. */
const OWN_FILES = [
  /^packages\/config\/src\/protocols\/(mysql|postgres|ssh|http)\.ts$/,
  /^packages\/cli\/src\/(clients|commands)\/(client-config-)?(mysql|postgres|ssh|http)\.ts$/,
  /^gateway\/src\/protocols\.ts$/,
  /^gateway\/src\/(ssh|http)\//,
  /^packages\/control\/src\/ssh\//,
  /^packages\/control\/src\/clients\/(mysql|postgres|ssh|http)\.ts$/,
  /^protocols\/(mysql|postgres|ssh|http)\//,
  /^packages\/sql-(mysql|postgres)\//,
  // Clients of each protocol, for tools.
  /^packages\/mcp-server\/src\/clients\//,
  // The scheme of an address is called so, and a way to log in of OpenAPI.
  /^packages\/contract\/src\/http\.ts$/,
  /^packages\/control\/src\/openapi\.ts$/,
  // What an argument of a tool is written in.
  /^packages\/config\/src\/protocols\/language-models\.ts$/,
  // The vocabulary of SQL has a name for each dialect.
  /^packages\/contract\/src\/sql\.ts$/,
];

test('a protocol is called by its name in its own files alone', () => {
  const product = glob('{packages,protocols}/*/src/**/*.ts')
    .concat(glob('{gateway,agent}/src/**/*.ts'))
    .filter((file) => !/^packages\/(demo|testkit)\//.test(file));
  const names = glob('packages/config/src/protocols/*.ts').flatMap((file) =>
    Array.from(read(file).matchAll(/^const NAME = '(\w+)'/gm), ([, name = '']) => name),
  );
  expect(names).toEqual(expect.arrayContaining(['postgres', 'mysql', 'ssh', 'http']));
  const any = names.join('|');
  // As a text, as a listener of its own, and as one of the keys of a map.
  const texts = new RegExp(`(['"\`])(${any})\\1|\\blisteners\\??\\.(${any})\\b`);
  const keys = new RegExp(`\\b(${any}):[^]{0,200}?\\b(?!\\1)(${any}):`);
  const called = { test: (text: string): boolean => texts.test(text) || keys.test(text) };
  for (const text of ["protocol === 'ssh'", "case 'postgres':", 'listeners.postgres', '{ postgres: one, ssh: other }'])
    expect(called.test(text), text).toBe(true);
  const callers = product.filter((file) => called.test(withoutImports(read(file))));
  expect(callers.length).toBeGreaterThan(5);
  expect(callers.filter((file) => !OWN_FILES.some((own) => own.test(file)))).toEqual([]);
});

/** Without what is imported, and without comments, which may speak of anything. */
const withoutImports = (text: string): string =>
  text.replaceAll(/^(?:import|export)\s[^;']*?from '[^']+'/gm, '').replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');

test('no file names a place on the machine it was written on', () => {
  // Written so that it does not match itself.
  const places = /(^|[^\w.])\/([w]ork|[r]oot|tmp\/[b]ash|[h]ome\/[a-z]+)\//;
  const text =
    '{packages,protocols,gateway,agent,bench,scripts,docs,examples,fixtures}/**/*.{ts,mjs,json,md,sql,yaml,yml,sh,txt}';
  const files = [...glob(text), ...glob('*.{md,json,yaml,ts}'), 'sluice', '.ci/run'];
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((file) => places.test(read(file)))).toEqual([]);
});

describe('a source file opens with what it owns and what it does not', () => {
  const product = glob('{packages,protocols}/*/src/**/*.ts')
    .concat(glob('{gateway,agent}/src/**/*.ts'))
    .filter((file) => !/^packages\/(demo|testkit)\/|\.d\.ts$/.test(file));
  const opening = (file: string): string | undefined =>
    /^(?:#!.*\n)?(\/\*\*[^]*?\*\/)\n(?:import |export |\n)/.exec(read(file))?.[1];
  /** A file that only gathers what others have; and one that a program makes. */
  const isGathered = (file: string): boolean => /(^|\/)index\.ts$|\.generated\.ts$/.test(file);

  test('in a comment that is about the file, before anything else', () => {
    expect(product.length).toBeGreaterThan(500);
    expect(product.filter((file) => !isGathered(file) && opening(file) === undefined)).toEqual([]);
  });

  test('and says what is elsewhere, or that there is nothing but types, or no effects', () => {
    const BOUNDED = /\b(owns|lives here|does not|does no|pure|types only)\b/i;
    const unclear = product.filter(
      (file) => !isGathered(file) && !BOUNDED.test((opening(file) ?? '').replaceAll(/\n \* ?/g, ' ')),
    );
    expect(unclear.toSorted()).toEqual(SMALL_ENOUGH);
  });
});

/** These are one thing, which their first sentence names. */
const SMALL_ENOUGH: readonly string[] = [
  'gateway/src/root.ts',
  'packages/api/src/version.ts',
  'packages/identity/src/oidc/error.ts',
  'packages/tunnel/src/errors.ts',
];

/** Lines of `gateway/src`, which puts together what packages are. What grows beyond it has become a package of its own. */
const MAX_GATEWAY_LINES = 5_500;

test('the gateway stays a composition', () => {
  const lines = glob('gateway/src/**/*.ts').reduce((sum, file) => sum + read(file).split('\n').length - 1, 0);
  expect(lines).toBeGreaterThan(1_000);
  expect(lines).toBeLessThan(MAX_GATEWAY_LINES);
});

/**
 * Files that need each other because what they read is recursive: an expression has a query in it, a program is an argument of a
 * program. Named by one file of each such circle.
 */
const RECURSIVE: readonly string[] = [
  'packages/sql-mysql/src/lineage/expression.ts',
  'packages/sql-postgres/src/lineage/expression.ts',
  'packages/shell/src/programs.ts',
];

test('no circle of files', () => {
  const circles = circlesOf(sourceGraph()).filter((circle) => !circle.some((file) => RECURSIVE.includes(file)));
  expect(circles).toEqual([]);
});

/** Each file of a package, and the files of the same package that it imports. Types count: they are read together. */
function sourceGraph(): Map<string, string[]> {
  const files = packages.flatMap(({ folder }) => glob(`${folder}/src/**/*.ts`));
  const known = new Set(files);
  return new Map(
    files.map((file) => [
      file,
      Array.from(read(file).matchAll(/(?:from|import\() ?'(\.[^']+)\.js'/g), ([, name = '']) =>
        join(dirname(file), `${name}.ts`),
      ).filter((other) => known.has(other)),
    ]),
  );
}

/** Groups of files that reach each other (Tarjan, Depth-first search and linear graph algorithms, 1972). */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    lowest.set(file, order.size - 1);
    open.push(file);
    for (const other of graph.get(file) ?? []) {
      if (!order.has(other)) visit(other);
      if (open.includes(other)) lowest.set(file, Math.min(lowest.get(file) ?? 0, lowest.get(other) ?? 0));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = open.splice(open.indexOf(file));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return circles;
}
