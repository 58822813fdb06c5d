/** The command line of the inspector of MCP, which is installed by `npm test` (compatibility/agents): direct and through the gateway, compared. */
/* oxlint-disable typescript/no-explicit-any -- what the inspector prints, whatever its shape */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { freePort, temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../src/root.js';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { run, until } from './ssh-stand.js';

const PACKAGES = join(ROOT, 'compatibility', 'agents', 'node_modules');
const INSPECTOR = join(PACKAGES, '@modelcontextprotocol', 'inspector', 'clients', 'launcher', 'build', 'index.js');
const missing = existsSync(join(PACKAGES, '.installed')) ? '' : ' (no inspector from npm)';
const RULES = `
    - { rule: no-sums, when: 'tool.argument("/a") == "13"', deny: Thirteen is not added. }
    - { rule: no-environment, when: 'tool.name == "get-env"', deny: Environments have secrets. }
`;

describe.skipIf(missing !== '')(`the inspector${missing}`, () => {
  const { path: home, remove } = temporaryFolder('inspector');
  let stand: HttpStand;
  let server: ReturnType<typeof spawn>;
  let direct: string;

  beforeAll(async () => {
    const port = await freePort();
    const file = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json');
    server = spawn(process.execPath, [join(dirname(file), 'dist', 'index.js'), 'streamableHttp'], {
      env: { PORT: String(port) },
      stdio: 'ignore',
    });
    direct = `http://127.0.0.1:${port}/mcp`;
    stand = await openHttpStand({ connection: 'mcp: {}', target: `{ url: "${direct}" }`, rules: RULES });
    const isUp = (): Promise<boolean> =>
      fetch(direct).then(
        () => true,
        () => false,
      );
    await until(async () => (await isUp()) || undefined, 'the server');
  });
  afterAll(async () => {
    server?.kill();
    await stand?.stop();
    remove();
  });

  const inspected = async (
    url: string,
    args: readonly string[],
  ): Promise<{ out: any; err: string; status: unknown }> => {
    const header = ['--header', `Authorization: Bearer ${stand.token}`];
    const asked = [INSPECTOR, '--cli', url, '--transport', 'http', ...(url === direct ? [] : header), ...args];
    const done = await run(process.execPath, asked, {
      env: { PATH: process.env['PATH'] ?? '', HOME: home },
      cwd: home,
    });
    const text = done.stdout.toString();
    return { out: text.trim() === '' ? undefined : JSON.parse(text), err: done.stderr, status: done.status };
  };
  const both = async (...args: string[]): Promise<{ plain: any; through: any }> => {
    const [plain, through] = await Promise.all([inspected(direct, args), inspected(stand.url, args)]);
    return { plain: plain.out, through: through.out };
  };

  test('lists, calls and is prompted as without the gateway', { timeout: 60_000 }, async () => {
    const { plain, through } = await both('--method', 'tools/list');
    const all: { name: string }[] = plain.tools;
    expect(all.map(({ name }) => name)).toContain('get-env');
    expect(through.tools).toEqual(all.filter(({ name }) => name !== 'get-env'));
    for (const args of [
      ['--method', 'tools/call', '--tool-name', 'get-structured-content', '--tool-arg', 'location=Chicago'],
      ['--method', 'prompts/get', '--prompt-name', 'simple-prompt'],
    ]) {
      const done = await both(...args);
      expect([args, done.through]).toEqual([args, done.plain]);
      expect(done.plain).toBeDefined();
    }
  });

  test('and is told why something is refused', { timeout: 60_000 }, async () => {
    const args = ['--method', 'tools/call', '--tool-name', 'get-sum', '--tool-arg', 'a=13', 'b=2'];
    const { out, err, status } = await inspected(stand.url, args);
    expect(`${JSON.stringify(out)}${err}`).toContain('Thirteen is not added.');
    expect(status).not.toBe(0);
  });
});
