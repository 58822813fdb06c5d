/**
 * examples/pipelines: the steps of both pipelines, run as their runners run them, against an issuer of the same claims (GitHub and GitLab
 * themselves cannot be had here) and a double of a language model. Lives here: what a runner gives its steps.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { missingTool } from '@sluice/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfiguration } from '../src/configuration.js';
import { caller } from './control.js';
import { TestIssuer } from './issuer.js';
import { type ModelStand, openModelStand } from './model-stand.js';

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

const example = (name: string): Record<string, never> =>
  parse(readFileSync(join(import.meta.dirname, '../../examples/pipelines', name), 'utf8')) as Record<string, never>;

/** As GitHub and GitLab say in their documents. */
const GITHUB = {
  sub: 'repo:acme/shop:ref:refs/heads/main',
  repository: 'acme/shop',
  repository_owner_id: '1234567',
  ref: 'refs/heads/main',
  sha: '6f1c2d7',
  run_id: '4711',
  actor: 'ana',
};
const GITLAB = {
  sub: 'project_path:acme/shop:ref_type:branch:ref:main',
  project_path: 'acme/shop',
  pipeline_id: '815',
  sha: '6f1c2d7',
  user_login: 'ana',
};

async function open(
  provider: 'openai' | 'anthropic',
  claims: readonly string[],
  access: string,
): Promise<{ stand: ModelStand; issuer: TestIssuer }> {
  const issuer = await TestIssuer.open();
  stops.push(() => issuer.close());
  const stand = await openModelStand({
    provider,
    rules: `
    - { rule: no-secrets, when: '"api_key" in request.found', deny: A prompt has no keys. }
    - { rule: no-drops, when: 'command.type == "tool" && "destroy" in action.effects', deny: Nothing is dropped. }
    - { rule: addresses, mask: { detect: [email], request: true, with: reversible } }
`,
    llm: 'tools: { sql: { sql: postgres, argument: query } }',
    principals: '  auditor: { roles: [auditor] }',
    sections: `issuers:
  ci: { issuer: "${issuer.url}", audience: sluice, kind: agent, principal_prefix: "ci:", tokens: 2h, record: [${claims.join()}] }`,
  });
  stops.push(stand.stop);
  const file = join(stand.folder, 'sluice.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('access: ["group:engineers"]', `access: ["${access}"]`));
  await stand.gateway.reload(readConfiguration(file).config, 'test');
  stand.double.says = () => ({ text: 'The kettle whistles now.' });
  return { stand, issuer };
}

/** As runners do it: a shell that ends at the first command that fails. */
const run = (script: string, cwd: string, env: Record<string, string>): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      'bash',
      ['-eo', 'pipefail'],
      { cwd, env: { ...process.env, ...env } },
      (error, out, problem) => (error ? reject(new Error(`${error.message}\n${problem}`)) : resolve(out)),
    );
    child.stdin?.end(script);
  });

async function sessionsOf(stand: ModelStand, claim: string) {
  const { token } = await stand.gateway.identity.createToken({ principal: 'auditor', name: 'test' });
  const found = await caller(stand as never, token).get<{ id: string; claims: object; principal: string }[]>(
    `/v1/sessions?claim=${encodeURIComponent(claim)}`,
  );
  const entries = await caller(stand as never, token).get<{ entries: { text?: string; data?: string }[] }>(
    `/v1/sessions/${found[0]?.id}/timeline`,
  );
  return { found, said: JSON.stringify(entries) };
}

const missing = missingTool('jq') ?? missingTool('curl');

describe.skipIf(missing)(`pipelines${missing ? ` (${missing})` : ''}`, () => {
  test('GitHub Actions: each step', async () => {
    const { stand, issuer } = await open(
      'openai',
      ['run_id', 'sha', 'repository', 'actor'],
      'claim:repository=acme/shop',
    );
    // What a runner offers its steps: a token for an audience.
    const offered = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://runner');
      const asked =
        request.headers.authorization === 'bearer of-the-runner' && url.searchParams.get('audience') === 'sluice';
      void issuer.token(GITHUB).then((value) => response.writeHead(asked ? 200 : 401).end(JSON.stringify({ value })));
    });
    await new Promise<void>((resolve) => offered.listen(0, '127.0.0.1', resolve));
    stops.push(() => void offered.close());
    const { env, jobs } = example('github-actions.yml') as unknown as {
      env: Record<string, string>;
      jobs: { notes: { steps: { name: string; run: string }[] } };
    };
    const folder = join(stand.folder, 'job');
    mkdirSync(folder);
    const added = join(folder, 'github.env');
    const runner: Record<string, string> = {
      ...env,
      GATEWAY: `http://127.0.0.1:${stand.port}`,
      OPENAI_BASE_URL: `${stand.url}/v1`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-runner',
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${(offered.address() as AddressInfo).port}/token?api-version=2.0`,
      GITHUB_ENV: added,
    };
    for (const step of jobs.notes.steps) {
      const given = existsSync(added) ? readFileSync(added, 'utf8').trim().split('\n') : [];
      await run(step.run, folder, {
        ...runner,
        ...Object.fromEntries(given.map((line) => line.split(/=(.*)/s).slice(0, 2))),
      });
    }
    expect(readFileSync(join(folder, 'notes.md'), 'utf8')).toBe('The kettle whistles now.\n');
    expect(stand.double.heard.at(-1)?.headers.authorization).toBe('Bearer the-key-of-the-provider');
    const { found, said } = await sessionsOf(stand, 'run_id=4711');
    expect(found).toMatchObject([
      {
        principal: `ci:${GITHUB.sub}`,
        claims: { run_id: ['4711'], sha: ['6f1c2d7'], repository: ['acme/shop'], actor: ['ana'] },
      },
    ]);
    expect(said).toContain('/v1/chat/completions');
    // Another repository has no way in.
    const token = await issuer.token({ ...GITHUB, repository: 'acme/other' });
    const other = await fetch(`${stand.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } });
    expect(other.status).toBe(403);
  });

  test('GitLab CI: its script', async () => {
    const { stand, issuer } = await open(
      'anthropic',
      ['pipeline_id', 'sha', 'project_path', 'user_login'],
      'claim:project_path=acme/shop',
    );
    const job = example('gitlab-ci.yml')['release-notes'] as unknown as {
      script: string[];
      variables: Record<string, string>;
    };
    const folder = join(stand.folder, 'job');
    mkdirSync(folder);
    await run(job.script.join('\n'), folder, {
      ...job.variables,
      GATEWAY: `http://127.0.0.1:${stand.port}`,
      ANTHROPIC_BASE_URL: stand.url,
      JOB_TOKEN: await issuer.token(GITLAB),
    });
    expect(readFileSync(join(folder, 'notes.md'), 'utf8')).toBe('The kettle whistles now.\n');
    const { found } = await sessionsOf(stand, 'pipeline_id=815');
    expect(found).toMatchObject([
      {
        principal: `ci:${GITLAB.sub}`,
        claims: { pipeline_id: ['815'], sha: ['6f1c2d7'], project_path: ['acme/shop'], user_login: ['ana'] },
      },
    ]);
  });
});

/** What the command prints for an auditor. */
async function sluice(stand: ModelStand, ...words: string[]): Promise<string> {
  const { token } = await stand.gateway.identity.createToken({ principal: 'auditor', name: 'test' });
  const { SLUICE_URL: _, ...environment } = process.env;
  const main = join(import.meta.dirname, '..', 'dist', 'main.js');
  const all = [main, '--url', stand.gateway.url, '--data', join(stand.folder, 'none'), ...words];
  const env = { ...environment, SLUICE_TOKEN: token, XDG_CONFIG_HOME: stand.folder, NO_COLOR: '1' };
  return (await promisify(execFile)(process.execPath, all, { env })).stdout;
}

test('from the run of a pipeline to what was said, which tools were called, and what was decided', async () => {
  const { stand, issuer } = await open(
    'openai',
    ['run_id', 'sha', 'repository', 'actor'],
    'claim:repository=acme/shop',
  );
  stand.double.says = () => ({
    text: 'I look into it.',
    calls: [
      { tool: 'sql', input: { query: 'drop table orders' } },
      { tool: 'sql', input: { query: 'select 1' } },
    ],
  });
  const job = stand.openai.withOptions({ apiKey: await issuer.token(GITHUB), maxRetries: 0 });
  const ask = (content: string) => job.chat.completions.create({ model: 'm', messages: [{ role: 'user', content }] });
  await ask('What of the order of ada@example.com?');
  await expect(ask('My key is AKIAIOSFODNN7REALKEY.')).rejects.toThrow('A prompt has no keys.');
  const claims = ['run_id=4711', 'sha=6f1c2d7', 'repository=acme/shop', 'actor=ana'];
  const all = await Promise.all(claims.map(async (claim) => (await sessionsOf(stand, claim)).found));
  const [[{ id, principal } = { id: '', principal: '' }] = []] = all;
  expect(principal).toBe(`ci:${GITHUB.sub}`);
  expect(all.map((found) => found.map((one) => one.id))).toEqual(claims.map(() => [id]));
  const replayed = await sluice(stand, 'sessions', 'replay', id, '--speed', '0');
  expect(replayed).toMatch(/What of the order of tok_email_[a-z2-7]{20}\?/);
  expect(replayed).toContain('I look into it.');
  expect(replayed).not.toContain('ada@example.com');
  const lines = replayed.split('\n').map((line) => line.trim());
  const at = (part: string): number => lines.findIndex((line) => line.includes(part));
  // The request, the calls in its answer with what was decided of each, and the request that was refused.
  const order = ['POST /v1/chat/completions', 'sql({"query":"drop table orders"})', 'sql({"query":"select 1"})'].map(
    at,
  );
  expect(
    order.every((one) => one >= 0),
    replayed,
  ).toBe(true);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(replayed).toMatch(/✗ sql\(\{"query":"drop table orders"\}\)\n[^]*refused by no-drops/);
  expect(replayed).toMatch(/✓ sql\(\{"query":"select 1"\}\)\n[^]*given to the agent/);
  expect(replayed).toMatch(/refused by no-secrets/);
});
