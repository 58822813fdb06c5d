/**
 * The YAML and JSON of the documents, read as a gateway reads them. A block that is a part of a configuration is put into one that has
 * the rest; then settings are known, references lead somewhere, and conditions compile.
 */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { readConfiguration } from '../src/configuration.js';
import { ROOT } from '../src/root.js';

type Tree = { [key: string]: unknown };

/** Something of each protocol, and everybody whom documents name. */
const REST = `
listeners: { postgres: { port: 6432 }, mysql: { port: 3307 }, ssh: { port: 2222 }, http: { port: 8443 }, agents: { port: 7443 } }
issuers: { corp: { issuer: "https://login.acme.example", audience: sluice, client_id: sluice, groups: groups } }
principals: { developer: { groups: [engineers, dba, operators, platform] } }
`;
const CONSOLE = { console: { tls: 'off', external_url: 'http://localhost:7440' } };
const CONNECTIONS: Readonly<Record<string, Tree>> = {
  postgres: { protocol: 'postgres', target: { host: 'db.internal', database: 'shop' }, credential: { user: 'sluice' } },
  mysql: { protocol: 'mysql', target: { host: 'db.internal', database: 'shop' }, credential: { user: 'sluice' } },
  ssh: {
    protocol: 'ssh',
    target: { host: 'vm.internal', host_keys: { first_use: true } },
    credential: { user: 'vm', certificate: true },
    shell: 'bash',
  },
  http: { protocol: 'http', target: { url: 'https://tickets.internal' }, credential: { bearer: 'key' } },
};
/** By HTTP, and a language model. */
const MODEL: Tree = { ...CONNECTIONS['http'], llm: { provider: 'openai' } };
const PROTOCOL_OF: Readonly<Record<string, string>> = { vm: 'ssh', machines: 'ssh', tickets: 'http' };
const SECTIONS =
  /^(data|listeners|control|limits|record|webhooks|issuers|roles|principals|ssh_user_ca|connections|policies)$/;

/** What a block needs from elsewhere: files, and keys that documents abbreviate. */
const ELSEWHERE = /there is no such file|this is no public key|Add "spec"|is not installed beside/;

interface Block {
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function blocks(): Block[] {
  const files = ['README.md', 'docker/README.md', ...globSync('docs/*.md', { cwd: ROOT }).toSorted()];
  return files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return Array.from(text.matchAll(/^( *)```(yaml|json)\n([^]*?)^ *```/gm), (found) => ({
      file,
      line: text.slice(0, found.index).split('\n').length,
      language: found[2] ?? '',
      text: (found[3] ?? '').replaceAll(new RegExp(`^${found[1] ?? ''}`, 'gm'), ''),
    }));
  });
}

function merged(below: unknown, above: unknown): unknown {
  if (!isTree(below) || !isTree(above)) return above;
  const keys = [...new Set([...Object.keys(below), ...Object.keys(above)])];
  return Object.fromEntries(
    keys.map((key) => [key, Object.hasOwn(above, key) ? merged(below[key], above[key]) : below[key]]),
  );
}

/** The sections that a block is of. */
function sectionsOf(block: unknown): Tree | 'cases' | undefined {
  if (Array.isArray(block)) return { policies: { documented: block } };
  if (!isTree(block)) return undefined;
  const keys = Object.keys(block);
  if (keys.includes('cases')) return 'cases';
  if (keys.every((key) => SECTIONS.test(key))) return block;
  if (keys.join() === 'target') return { connections: { shop: block } };
  if (Object.values(block).every((one) => isTree(one) && ('issuer' in one || 'saml' in one))) return { issuers: block };
  return undefined;
}

/** Undefined: it does not say so. Of a package of somebody else there is nothing to put in. */
function protocolOf(connection: unknown): string | undefined {
  if (!isTree(connection) || connection['protocol'] === undefined) return undefined;
  return typeof connection['protocol'] === 'string' ? connection['protocol'] : 'package';
}

/** A whole configuration with the block in it. */
function whole({ file, text }: Block, sections: Tree): Tree {
  const own = isTree(sections['connections']) ? sections['connections'] : {};
  const policies = Object.keys(isTree(sections['policies']) ? sections['policies'] : {});
  const named = Object.values(own).flatMap((one) =>
    isTree(one) && Array.isArray(one['policies']) ? one['policies'] : [],
  );
  const usual = /docs\/(http|ssh|mysql)\.md/.exec(file)?.[1] ?? 'postgres';
  const target = file === 'docs/language-models.md' ? MODEL : CONNECTIONS[usual];
  const connections = new Map<string, Tree>();
  for (const [name, one] of Object.entries(own)) {
    const protocol = protocolOf(one) ?? PROTOCOL_OF[name] ?? usual;
    // A program of an agent has neither an address nor a credential.
    const isProgram = isTree(one) && isTree(one['target']) && one['target']['program'] !== undefined;
    const base = isProgram ? {} : (CONNECTIONS[protocol] ?? {});
    // Of several kinds of credential a connection has one.
    const kept =
      isTree(one) && isTree(one['credential']) && 'grant' in one['credential'] ? { ...base, credential: {} } : base;
    connections.set(name, merged(kept, one) as Tree);
  }
  for (const policy of policies.filter((name) => !named.includes(name)))
    connections.set(`of-${policy}`, { ...(CONNECTIONS[PROTOCOL_OF[policy] ?? ''] ?? target), policies: [policy] });
  const rest: Tree = parse(REST);
  // People come back to the console from a provider by SAML, show security keys there, and give grants.
  if (/^ *saml:|step_up:|grant:/m.test(text)) rest['listeners'] = merged(rest['listeners'], CONSOLE);
  // Each issuer has a prefix where there are several.
  if (isTree(sections['issuers'])) delete rest['issuers'];
  const issuers = Object.entries(isTree(sections['issuers']) ? sections['issuers'] : {});
  const prefixed = Object.fromEntries(
    issuers.map(([name, one]) => [
      name,
      issuers.length > 1 ? { principal_prefix: `${name}:`, groups_prefix: `${name}:`, ...(one as Tree) } : one,
    ]),
  );
  const others = Object.fromEntries(named.map((name) => [name as string, [{ rule: 'any', allow: true }]]));
  return merged(rest, {
    ...sections,
    policies: { ...others, ...(sections['policies'] as Tree | undefined) },
    ...(issuers.length > 0 && { issuers: prefixed }),
    connections: Object.fromEntries(
      [...connections].map(([name, one]) => [name, { access: ['group:engineers'], ...one }]),
    ),
  }) as Tree;
}

describe('blocks of code in documents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blocks-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const all = blocks();

  test('there are some of each kind', () => {
    expect(all.filter(({ language }) => language === 'yaml').length).toBeGreaterThan(20);
  });

  test.each(all.filter(({ language }) => language === 'json'))('$file:$line is JSON', ({ text }) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });

  test.each(all.filter(({ language }) => language === 'yaml'))('$file:$line is what a gateway takes', (block) => {
    const sections = sectionsOf(parse(block.text));
    expect(sections).toBeDefined();
    // gateway/test and packages/demo/test/commands.test.ts run cases.
    if (sections === undefined || sections === 'cases') return;
    const file = join(folder, 'sluice.yaml');
    writeFileSync(file, stringify(whole(block, sections)));
    const mistakes: string[] = [];
    try {
      readConfiguration(file, process.env, true);
    } catch (error) {
      mistakes.push(...(error as Error).message.split('\n').slice(1));
    }
    expect(mistakes.filter((mistake) => !ELSEWHERE.test(mistake))).toEqual([]);
  });

  test('a setting that is not known, and a condition that does not compile, are found', () => {
    const file = join(folder, 'sluice.yaml');
    const block: Block = { file: 'docs/policy.md', line: 1, language: 'yaml', text: '' };
    for (const wrong of ['- { name: x, deny: no }', "- { rule: x, when: 'action.nothing == 1', deny: no }"]) {
      writeFileSync(file, stringify(whole(block, sectionsOf(parse(wrong)) as Tree)));
      expect(() => readConfiguration(file, process.env, true)).toThrow(/cannot be used/);
    }
  });
});
