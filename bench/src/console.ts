/**
 * The console under load: the list of 5,000 sessions, how soon a hold is seen, and what being watched costs. Owns: its own gateway, identity
 * provider and browser. Does not: compare with anything.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startPostgres, temporaryFolder } from '@sluice/testkit';
import { CONSOLE_CLIENT, startIssuer } from '@sluice/testkit/issuer';
import pg from 'pg';
import { type Browser, type Page, chromium } from 'playwright-core';
import { cpuOf, machine, median, memoryOf } from './measure.js';
import { type RunningGateway, end, spawnGateway } from './setting.js';
import { openStub } from './stub.js';

const SESSIONS = 5_000;
const HOLDS = 150;
/** Logins that are under way at a time. */
const AT_ONCE = 20;
/** How long CPU time is measured, in milliseconds. */
const WHILE_MS = 10_000;
const QUERIES = 2_000;

interface ConsoleSetting {
  readonly gateway: RunningGateway;
  readonly origin: string;
  readonly browser: Browser;
  client(database: string): Promise<pg.Client>;
}

export async function benchConsole(): Promise<string> {
  // First: where there is none, nothing else has been started.
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const { path, remove } = temporaryFolder('bench-console');
  const server = await startPostgres({ major: 15, settings: { synchronous_commit: 'off' } });
  const stub = await openStub();
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const issuer = await startIssuer(0, { console: origin });
  const gateway = await spawnGateway(path, yamlOf(issuer.url, { db: server.port, many: stub.port }), { console: port });
  const client = async (database: string): Promise<pg.Client> => {
    const made = new pg.Client({
      host: '127.0.0.1',
      port: gateway.port,
      user: 'bench',
      password: gateway.token,
      database,
    });
    made.on('error', () => undefined);
    await made.connect();
    return made;
  };
  const setting = { gateway, origin, browser, client };
  try {
    const parts = [await watching(setting), await holds(setting), await manySessions(setting)];
    return `# The console\n\n\`pnpm bench console\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; gateway, browser and target on loopback, the machine shared.\n\n${parts.join('\n')}`;
  } finally {
    await browser.close();
    await end(gateway.child);
    stub.close();
    await server.stop();
    await issuer.close();
    remove();
  }
}

const yamlOf = (issuer: string, ports: Readonly<Record<'db' | 'many', number>>): string => `
limits: { sessions_per_principal: 6000, connections: 20000 }
issuers: { corp: { issuer: "${issuer}", audience: [sluice, ${CONSOLE_CLIENT.id}], client_id: sluice, console: { client_id: ${CONSOLE_CLIENT.id}, client_secret: ${CONSOLE_CLIENT.secret} }, scopes: [openid, profile, groups], groups: groups } }
roles: { approver: ["group:dba"], admin: ["group:platform"] }
connections:
${Object.entries(ports)
  .map(
    ([name, port]) =>
      `  ${name}: { protocol: postgres, target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }, credential: { user: postgres }, access: ["group:engineers"], policies: [production] }\n`,
  )
  .join('')}policies:
  production:
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 10m } }
`;

/** Somebody's browser, logged in, at a page. */
async function as({ browser, origin }: ConsoleSetting, name: string, path: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(origin + path);
  await page.getByRole('link', { name: 'Log in with corp' }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  return page;
}

/** Small statements of a session that nobody watches, then of one that some do. */
async function watching(setting: ConsoleSetting): Promise<string> {
  const { client, gateway } = setting;
  const own = await client('db');
  const measure = async (): Promise<{ readonly each: number; readonly cpu: number }> => {
    const [cpu, began] = [cpuOf(gateway.child.pid ?? 0), performance.now()];
    for (let at = 0; at < QUERIES; at++) await own.query('select 1');
    const used = cpuOf(gateway.child.pid ?? 0) - cpu;
    return { each: ((performance.now() - began) * 1_000) / QUERIES, cpu: used / QUERIES };
  };
  await measure();
  const rows: string[] = [];
  const pages: Page[] = [];
  for (const watchers of [0, 1, 4]) {
    while (pages.length < watchers) {
      const page = await as(setting, 'Olga', '/sessions?state=open');
      await page.getByRole('table').getByRole('link').first().click();
      await page.getByText('You are watching').waitFor();
      pages.push(page);
    }
    const rounds = [await measure(), await measure(), await measure()];
    const of = (name: 'each' | 'cpu'): string => median(rounds.map((one) => one[name])).toFixed(0);
    rows.push(`| ${watchers} | ${of('each')} | ${of('cpu')} |`);
  }
  for (const page of pages) await page.context().close();
  await own.end();
  return `## What being watched costs\n\n${QUERIES} times \`select 1\`, one after the other, in a session that pages of the console watch. Microseconds for each, medians of three.\n\n| pages that watch | until its answer | CPU of the gateway |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

/** Runs in the page: when a text is on the screen, by the clock of the machine. */
const WHEN_SEEN = `(wanted) => new Promise((resolve) => {
  const observer = new MutationObserver(() => {
    if (!document.body.innerText.includes(wanted)) return;
    observer.disconnect();
    requestAnimationFrame(() => resolve(Date.now()));
  });
  observer.observe(document.body, { childList: true, subtree: true, characterData: true });
})`;

/** From sending a statement that is held to its being drawn in the approver's page, by one clock. */
async function holds(setting: ConsoleSetting): Promise<string> {
  const page = await as(setting, 'Ben', '/approvals');
  await page.getByText('Nothing waits').waitFor();
  await page.getByRole('img', { name: 'Live' }).waitFor();
  const own = await setting.client('db');
  await own.query('create table if not exists orders (id int)');
  const took: number[] = [];
  for (let at = 0; at < HOLDS; at++) {
    const text = `delete from orders where id = ${1_000_000 + at}`;
    const seen = page.evaluate<number>(`(${WHEN_SEEN})(${JSON.stringify(text)})`);
    const asking = await setting.client('db');
    const began = Date.now();
    const waiting = asking.query(text).catch(() => undefined);
    took.push((await seen) - began);
    await asking.end();
    await waiting;
    await page.getByText('Nothing waits').waitFor();
  }
  await own.end();
  await page.context().close();
  const sorted = took.toSorted((one, other) => one - other);
  const share = (of: number): number => sorted[Math.ceil(of * sorted.length) - 1] ?? Number.NaN;
  return `## From a hold to its being seen\n\n${HOLDS} statements, one after the other, from their being sent to their being drawn in the approver's open page: the median ${share(0.5)} ms, p90 ${share(0.9)} ms, **p99 ${share(0.99)} ms**, at most ${share(1)} ms.\n`;
}

/** The list of many open sessions, for who looks at it and for the gateway. */
async function manySessions(setting: ConsoleSetting): Promise<string> {
  const pid = setting.gateway.child.pid ?? 0;
  const clients: pg.Client[] = [];
  for (let at = 0; at < SESSIONS; at += AT_ONCE)
    clients.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => setting.client('many')))));
  const cpuWhile = async (): Promise<number> => {
    const before = cpuOf(pid);
    await sleep(WHILE_MS);
    return ((cpuOf(pid) - before) / 1_000 / WHILE_MS) * 100;
  };
  const page = await as(setting, 'Olga', '/');
  const idle = await cpuWhile();
  const began = performance.now();
  await page.getByRole('link', { name: 'Sessions' }).click();
  await page.getByText('Open', { exact: true }).click();
  await page.getByRole('table').getByRole('link').first().waitFor();
  const first = performance.now() - began;
  const scrolled = await scrollToEnd(page);
  const drawn = await page.locator('tbody tr.fixed').count();
  // Sessions come and go, so that the list changes each second.
  const changing = setInterval(() => {
    void clients.pop()?.end();
    void setting.client('many').then((one) => clients.push(one));
  }, 500);
  const watched = await cpuWhile();
  clearInterval(changing);
  const memory = memoryOf(pid) / 1024 / 1024;
  await page.context().close();
  for (const one of clients) one.end().catch(() => undefined);
  return `## ${SESSIONS.toLocaleString('en')} open sessions\n\nThe list of them is there ${first.toFixed(0)} ms after the click; scrolling through to the last took ${(scrolled / 1_000).toFixed(1)} s, with ${drawn} rows in the page at the end. The gateway (${memory.toFixed(0)} MiB) uses ${idle.toFixed(1)} % of a core while one page is open elsewhere, and ${watched.toFixed(1)} % while that page shows the list, two sessions a second coming and going.\n`;
}

/** As far as it goes. Returns milliseconds. */
async function scrollToEnd(page: Page): Promise<number> {
  const began = performance.now();
  const last = String(SESSIONS + 1);
  while ((await page.getByRole('table').getAttribute('aria-rowcount')) !== last) {
    await page.mouse.wheel(0, 20_000);
    await sleep(20);
  }
  return performance.now() - began;
}
