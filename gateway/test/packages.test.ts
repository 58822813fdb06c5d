import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TimelineEntry } from '@sluice/api';
import type { Principal } from '@sluice/contract';
import { readJournal } from '@sluice/recording';
import { temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { boundTo } from '../src/snapshot.js';
import { inspectPackage, loadPackages } from '@sluice/packaged';
import { type PackagedStand, LineClient, install, openPackagedStand, yaml } from './packaged-stand.js';
import { logLines } from './stand.js';

const NAME = '@acme/sluice-line';
const SOURCE = join(import.meta.dirname, '..', '..', 'fixtures', 'packages', 'line');
const RULES = `
    - { rule: private, when: 'action.resources.exists(r, r.name.startsWith("private:"))', deny: Private keys stay here. }
    - { rule: drops, when: 'action.verb == "drop"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: wipes, when: 'action.verb == "wipe"', hold: { approvers: ["group:engineers"], fail: true } }
    - { rule: odd, when: 'action.verb == "odd" && command.type == "custom"', allow: true }
    - { rule: mails, mask: { detect: [email] } }
`;
const ada: Principal = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] };

describe('a protocol in a package outside the workspace, installed from a tarball', () => {
  const seen: string[] = [];
  const target = createServer((socket) => {
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', (line) => {
      seen.push(line);
      socket.write(`${line} belongs to ada@example.com\n`);
    });
  });
  const { log, lines } = logLines();
  let stand: PackagedStand;

  beforeAll(async () => {
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    const { port } = target.address() as AddressInfo;
    const options = '{ shard: 7, deep: { list: [a] } }';
    stand = await openPackagedStand({ source: SOURCE, name: NAME, targetPort: port, rules: RULES, options, log });
  });
  afterAll(async () => {
    await stand?.stop();
    target.close();
  });

  const client = async (): Promise<LineClient> => {
    const made = new LineClient(stand.port);
    expect(await made.say(`cache ${stand.token}`)).toBe('welcome, {"shard":7,"deep":{"list":["a"]}}');
    return made;
  };
  const pending = async (): Promise<number> => {
    for (;;) {
      const found = (await stand.gateway.approvals.recent(10)).find(({ state }) => state === 'pending');
      if (found) return found.number;
      await sleep(5);
    }
  };

  test('it serves those who may come in, and nobody else', async () => {
    const one = await client();
    one.socket.destroy();
    expect(await new LineClient(stand.port).say('cache wrong')).toMatch(/^refused: /);
    expect(await new LineClient(stand.port).say(`db ${stand.token}`)).toContain('connection "db" does not exist');
  });

  test('rules see verb, effects and resources; what is unknown is refused unless a rule allows it', async () => {
    const one = await client();
    expect(await one.say('get private:1')).toBe('no: Private keys stay here.');
    expect(await one.say('strange key')).toBe('no: This strange has effects that its protocol does not name.');
    expect(await one.say('odd key')).toBe('odd key belongs to [masked:EMAIL]');
    expect(seen.filter((line) => line.includes('private') || line.includes('strange'))).toEqual([]);
    one.socket.destroy();
  });

  test('answers are masked by detectors, and no masked value is written back', async () => {
    const one = await client();
    expect(await one.say('get key')).toBe('get key belongs to [masked:EMAIL]');
    expect(await one.say('set key [masked:EMAIL]')).toBe(
      'no: This command would write a masked value over a real one.',
    );
    one.socket.destroy();
  });

  test('people release what is held, or do not', async () => {
    const one = await client();
    one.socket.write('drop key\n');
    expect(await one.line()).toContain('waits for an approval: request 1');
    expect(seen).not.toContain('drop key');
    await stand.gateway.approvals.decide(await pending(), ada, 'approve', 'because');
    expect(await one.line()).toBe('drop key belongs to [masked:EMAIL]');
    one.socket.write('drop key\n');
    expect(await one.line()).toContain('waits for an approval: request 2');
    await stand.gateway.approvals.decide(await pending(), ada, 'deny', 'not there');
    expect(await one.line()).toContain('no: Request 2 was denied');
    one.socket.destroy();
  });

  test('an approval is not for a session in which the command could mean something else', async () => {
    const [changed, fresh] = [await client(), await client()];
    expect(await fresh.say('wipe key')).toContain('needs an approval: request');
    await stand.gateway.approvals.decide(await pending(), ada, 'approve', 'because');
    expect(await changed.say('use other')).toContain('use other');
    expect(await changed.say('wipe key')).toContain('needs an approval: request');
    expect(await fresh.say('wipe key')).toBe('wipe key belongs to [masked:EMAIL]');
    expect(seen.filter((line) => line === 'wipe key')).toHaveLength(1);
    changed.socket.destroy();
    fresh.socket.destroy();
  });

  test('an approval is for the target with the options that people saw it with', () => {
    const connection = stand.gateway.config.connections.get('cache');
    if (!connection) throw new Error('no connection');
    const other = { ...connection, options: { shard: 8 } };
    expect(boundTo(other, '', connection)).not.toBe(boundTo(connection, '', connection));
    expect(boundTo({ ...connection }, '', connection)).toBe(boundTo(connection, '', connection));
  });

  test('a session is ended at once by whoever may', async () => {
    const one = await client();
    const [session] = [...stand.gateway.sessions.values()].filter(({ state }) => state === 'open').slice(-1);
    session?.end({ code: 'ended-by-administrator' });
    expect(await one.line()).toBe('(closed)');
  });

  test('all of it is on record, and is read in the words of the protocol', async () => {
    const one = await client();
    await one.say('get recorded');
    await one.say('get private:recorded');
    one.socket.destroy();
    const { gateway } = stand;
    const { token } = await gateway.identity.createToken({
      principal: { name: 'operator', kind: 'person', groups: [], roles: ['admin', 'auditor'] },
      name: 'reads',
    });
    const get = async <T>(path: string): Promise<T> => {
      const response = await fetch(new URL(path, gateway.url), { headers: { authorization: `Bearer ${token}` } });
      return JSON.parse(await response.text()) as T;
    };
    let session: { id: string; protocol: string } | undefined;
    for (let left = 100; !session && left > 0; left--) {
      const all = await get<{ id: string; protocol: string; commands: number; denied: number }[]>('/v1/sessions');
      session = all.find(({ commands, denied }) => commands === 1 && denied === 1);
      await sleep(50);
    }
    expect(session?.protocol).toBe(NAME);
    const entries = await get<TimelineEntry[]>(`/v1/sessions/${session?.id}/timeline`);
    expect(entries.find(({ type }) => type === 'command')).toMatchObject({ text: 'get recorded', decision: 'allow' });
    expect(entries.find(({ type }) => type === 'response')?.result).toEqual({
      columns: ['line'],
      rows: [['get recorded belongs to [masked:EMAIL]']],
      messages: [],
      copied: [],
    });
    expect(entries.filter(({ type }) => type === 'command')[1]).toMatchObject({ decision: 'deny', rule: 'private' });
  });

  test('name, version and digest are on record at the start, and in the log', () => {
    const { digest } = inspectPackage(NAME, stand.folder);
    const said = `package ${NAME} 2.3.4, SHA-256 ${digest}`;
    stand.gateway.log.flush();
    const started = [...readJournal(join(stand.folder, 'data', 'journal'))].find(
      ({ header }) => header.k === 'gateway' && header.event === 'started',
    );
    expect(started?.header).toMatchObject({ detail: said });
    expect(lines.some((line) => line.includes(said))).toBe(true);
  });

  test('check says that it runs code of somebody else', () => {
    const { warnings } = readConfiguration(join(stand.folder, 'sluice.yaml'));
    expect(warnings.join('\n')).toContain(`The next start runs code of somebody else: package ${NAME} 2.3.4, SHA-256 `);
  });

  test('nobody is told what only the package could say', async () => {
    const { gateway, token } = stand;
    const response = await fetch(new URL('/v1/policy/explain', gateway.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ connection: 'cache', sql: 'get key' }),
    });
    expect([response.status, await response.text()]).toEqual([409, expect.stringContaining('by the package')]);
  });
});

test('a protocol that obeys no signal keeps no client, and what it does is its own', async () => {
  const { path: source, remove } = temporaryFolder('packages');
  writeFileSync(
    join(source, 'package.json'),
    '{ "name": "deaf", "version": "1.0.0", "type": "module", "exports": "./index.js" }',
  );
  writeFileSync(
    join(source, 'index.js'),
    `export default { name: 'deaf', contract: 1, async serve(client) {
      for await (const bytes of client) {
        if (bytes.includes('fail')) throw new Error('a defect');
        client.write('still here\\n');
      }
    } };`,
  );
  const wanted = { source, name: 'deaf', targetPort: 1, rules: ' []', limits: '{ handshake: 1s }' };
  const stand = await openPackagedStand(wanted);
  const [one, other] = [new LineClient(stand.port), new LineClient(stand.port)];
  expect(await one.say('hello')).toBe('still here');
  expect(await other.say('fail')).toBe('(closed)');
  expect(await one.line()).toBe('(closed)');
  while (stand.gateway.sessions.size > 0) await sleep(10);
  await stand.stop();
  remove();
});

describe('what can be wrong with a package', () => {
  const { path: folder, remove } = temporaryFolder('packages');
  let installed: string;
  let count = 0;
  beforeAll(() => {
    installed = install(SOURCE, NAME, folder);
  });
  afterAll(remove);

  /** The same package with another file and another manifest, where nothing of it was loaded before. */
  function variant(manifest: object, code?: string): string {
    const name = `variant-${++count}`;
    const place = join(folder, 'node_modules', name);
    mkdirSync(place, { recursive: true, mode: 0o755 });
    const base = { name, version: '1.0.0', type: 'module', exports: './index.js' };
    writeFileSync(join(place, 'package.json'), JSON.stringify({ ...base, ...manifest }), { mode: 0o644 });
    writeFileSync(join(place, 'index.js'), code ?? readFileSync(join(SOURCE, 'index.js'), 'utf8'), { mode: 0o644 });
    return name;
  }
  const refusal = async (name: string): Promise<string> => {
    try {
      await loadPackages([name], folder);
      return 'loaded';
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('nothing: it is loaded', async () => {
    expect(await refusal(NAME)).toBe('loaded');
    expect(await refusal(variant({}))).toBe('loaded');
  });

  test.each([
    ['no default export', 'export const other = 1;', 'it has no protocol as its default export'],
    [
      'another contract',
      'export default { name: "x", contract: 99, serve() {} };',
      'contract 99, and this gateway has 1',
    ],
    ['no serve', 'export default { name: "x", contract: 1 };', 'no "name" or no "serve"'],
    ['a taken name', 'export default { name: "postgres", contract: 1, serve() {} };', 'calls itself "postgres"'],
    ['an error', 'throw new Error("no luck");', 'it fails as it is loaded: no luck'],
    ['no JavaScript', 'export default {', 'it fails as it is loaded'],
  ])('%s', async (_, code, message) => {
    expect(await refusal(variant({}, code))).toContain(message);
  });

  test('not installed', async () => {
    expect(await refusal('not-there')).toMatch(/is not installed beside .* npm install not-there/);
  });

  test('another name, nothing exported, a file that is not there, a file elsewhere', async () => {
    expect(await refusal(variant({ name: 'else' }))).toContain('its package.json calls it "else"');
    expect(await refusal(variant({ exports: { './x': './index.js' } }))).toContain('exports nothing as "."');
    expect(await refusal(variant({ exports: './lib.js' }))).toContain('is not there');
    const outside = variant({});
    const link = join(folder, 'node_modules', outside, 'index.js');
    renameSync(link, join(folder, 'outside.js'));
    symlinkSync(join(folder, 'outside.js'), link);
    expect(await refusal(outside)).toContain('leads out of it');
  });

  test.each([
    ['a file', () => join(installed, 'index.js')],
    ['the package', () => installed],
    ['the folder of its scope', () => dirname(installed)],
    ['node_modules', () => join(folder, 'node_modules')],
    ['the folder of the configuration', () => folder],
  ])('others can write to %s', async (_, place) => {
    const path = place();
    const before = path.endsWith('.js') ? 0o644 : 0o755;
    chmodSync(path, before | 0o002);
    try {
      expect(await refusal(NAME)).toContain(`${path} can be written to by everybody, so others could change`);
    } finally {
      chmodSync(path, before);
    }
    expect(await refusal(NAME)).toBe('loaded');
  });

  test.skipIf(process.getuid?.() !== 0)('it belongs to somebody else', async () => {
    chownSync(join(installed, 'index.js'), 12345, 12345);
    expect(await refusal(NAME)).toContain('belongs to user 12345');
    chownSync(join(installed, 'index.js'), 0, 0);
  });

  test('what it depends on is looked at as well, and is in its digest', async () => {
    const needed = variant({}, 'export default 1;');
    const name = variant({
      dependencies: { [needed]: '*', 'node:fs': '*' },
      optionalDependencies: { 'not-there': '*' },
    });
    const before = inspectPackage(name, folder);
    expect(before.dependencies).toEqual([`${needed}@1.0.0`]);
    const file = join(folder, 'node_modules', needed, 'index.js');
    writeFileSync(file, 'export default 2;');
    expect(inspectPackage(name, folder).digest).not.toBe(before.digest);
    chmodSync(file, 0o666);
    expect(await refusal(name)).toContain(`${file} can be written to by everybody`);
  });

  test('a package that is linked to is looked at where it is', async () => {
    const elsewhere = temporaryFolder('packages');
    const real = join(elsewhere.path, 'real');
    cpSync(installed, real, { recursive: true });
    writeFileSync(join(real, 'package.json'), '{ "name": "linked", "type": "module", "exports": "./index.js" }');
    symlinkSync(real, join(folder, 'node_modules', 'linked'));
    const name = variant({ dependencies: { linked: '*' } });
    expect([await refusal('linked'), await refusal(name)]).toEqual(['loaded', 'loaded']);
    chmodSync(real, 0o777);
    const why = `${realpathSync(real)} can be written to by everybody`;
    expect(await refusal('linked')).toContain(why);
    expect(await refusal(name)).toContain(why);
    rmSync(join(folder, 'node_modules', 'linked'));
    elsewhere.remove();
  });

  test('others can put something else in the place of a link on the way to it', async () => {
    const elsewhere = temporaryFolder('packages');
    const shared = join(realpathSync(elsewhere.path), 'shared');
    mkdirSync(shared);
    cpSync(installed, join(elsewhere.path, 'real'), { recursive: true });
    const manifest = '{ "name": "far", "type": "module", "exports": "./index.js" }';
    writeFileSync(join(elsewhere.path, 'real', 'package.json'), manifest);
    symlinkSync(join('..', 'real'), join(shared, 'link'));
    symlinkSync(join(shared, 'link'), join(folder, 'node_modules', 'far'));
    expect(await refusal('far')).toBe('loaded');
    chmodSync(shared, 0o777);
    expect(await refusal('far')).toContain(`the folder ${shared} can be written to by everybody`);
    rmSync(join(folder, 'node_modules', 'far'));
    elsewhere.remove();
  });

  test('the digest is that of its files alone: the same wherever it is installed', () => {
    const elsewhere = temporaryFolder('packages');
    install(SOURCE, NAME, elsewhere.path);
    expect(inspectPackage(NAME, elsewhere.path).digest).toBe(inspectPackage(NAME, folder).digest);
    elsewhere.remove();
  });

  test('the configuration names the line', () => {
    const file = join(folder, 'sluice.yaml');
    const text = yaml({ source: '', name: 'not-there', targetPort: 1, rules: ' []' });
    writeFileSync(file, text);
    expect(() => readConfiguration(file)).toThrow(
      /sluice\.yaml:5:9  listeners\.packages\[0\]\.protocol: .*not installed/,
    );
    rmSync(file);
  });

  test('a name is looked up as a package only', () => {
    for (const name of ['../x', '/etc/x', 'fs', 'postgres', 'ssh', 'agents', 'https://x.example/y'])
      expect(() => {
        writeFileSync(join(folder, 'named.yaml'), yaml({ source: '', name, targetPort: 1, rules: ' []' }));
        readConfiguration(join(folder, 'named.yaml'));
      }).toThrow(/listeners\.packages\[0\]\.protocol\.package/);
  });
});
