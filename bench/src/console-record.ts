/**
 * A session of a million commands, as somebody reads it in the console: the first page, any other one, what is looked for in it, and what
 * that costs others. Owns: the record, which it writes itself. Does not: how commands come there.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Journal } from '@sluice/recording';
import { freePort, startPostgres, temporaryFolder } from '@sluice/testkit';
import { CONSOLE_CLIENT, startIssuer } from '@sluice/testkit/issuer';
import pg from 'pg';
import { type Browser, type Page, chromium } from 'playwright-core';
import { machine, memoryOf } from './measure.js';
import { type RunningGateway, end, spawnGateway } from './setting.js';

const COMMANDS = 1_000_000;
const AT_ONCE = 1_000;
const SESSION = 'million-1';
/** The one that is looked for. */
const WANTED = 912_345;

export async function benchRecord(): Promise<string> {
  // First: where there is none, nothing else has been started.
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const { path, remove } = temporaryFolder('bench-record');
  const server = await startPostgres({ major: 15, settings: { synchronous_commit: 'off' } });
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const issuer = await startIssuer(0, { console: origin });
  const written = writeRecord(join(path, 'data', 'journal'));
  const gateway = await spawnGateway(path, yamlOf(issuer.url, server.port), { console: port });
  try {
    return `## A record of ${COMMANDS.toLocaleString('en')} commands\n\n\`pnpm bench console-record\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; one session, ${written} MiB.\n\n${await reading(browser, origin, gateway)}`;
  } finally {
    await browser.close();
    await end(gateway.child);
    await server.stop();
    await issuer.close();
    remove();
  }
}

/** Returns its size in MiB. */
function writeRecord(folder: string): number {
  const journal = new Journal({ folder });
  const write = (header: object): void => journal.append(JSON.stringify(header), []);
  const t = Date.now() - 3 * 3_600_000;
  const known = { connection: 'db', protocol: 'postgres', client: '127.0.0.1:1' };
  const command = { phase: 'run', confidence: 'exact', actions: [], matched: [], decision: 'allow' };
  write({ k: 'opened', t, s: SESSION, principal: 'mallory', ...known });
  for (let id = 1; id <= COMMANDS; id++) {
    const text = id === WANTED ? 'delete from customers where id = 300' : `select ${id} from things`;
    write({ k: 'command', t: t + id, s: SESSION, id, text, ...command });
    write({ k: 'end', t: t + id, s: SESSION, id, outcome: 'ok', summary: 'SELECT 1', rows: 1, bytes: 4 });
    if (id % AT_ONCE === 0) journal.commit();
  }
  write({ k: 'closed', t: t + COMMANDS, s: SESSION, reason: 'bye', commands: COMMANDS, denied: 0 });
  journal.commit();
  const { size } = journal;
  journal.close();
  return Math.round(size / 1024 / 1024);
}

const yamlOf = (issuer: string, port: number): string => `
issuers: { corp: { issuer: "${issuer}", audience: [sluice, ${CONSOLE_CLIENT.id}], client_id: sluice, console: { client_id: ${CONSOLE_CLIENT.id}, client_secret: ${CONSOLE_CLIENT.secret} }, scopes: [openid, profile, groups], groups: groups } }
roles: { admin: ["group:platform"] }
connections:
  db: { protocol: postgres, target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }, credential: { user: postgres }, access: ["group:engineers"], policies: [] }
`;

async function reading(browser: Browser, origin: string, gateway: RunningGateway): Promise<string> {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  page.setDefaultTimeout(180_000);
  await page.goto(origin);
  await page.getByRole('link', { name: 'Log in with corp' }).click();
  await page.getByRole('button', { name: 'Olga' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  const rows: string[] = [];
  const timed = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    const others = somebodyElse(gateway);
    const began = performance.now();
    await act().catch(async (error: unknown) => {
      await others.stop();
      throw error;
    });
    const took = performance.now() - began;
    const { p50, max } = await others.stop();
    rows.push(`| ${what} | ${took.toFixed(0)} | ${p50.toFixed(1)} | ${max.toFixed(0)} |`);
  };
  const drawn = page.getByRole('list', { name: 'What happened' }).locator('> li');
  // The index of sessions reads the record once, after the start.
  await timed('the session is in the list', async () => {
    for (;;) {
      await page.goto(`${origin}/sessions?principal=mallory`);
      const link = page.getByRole('table').getByRole('link', { name: SESSION });
      if (
        await link.waitFor({ timeout: 5_000 }).then(
          () => true,
          () => false,
        )
      )
        return;
      await sleep(500);
    }
  });
  await timed('its first page', async () => {
    await page.getByRole('table').getByRole('link', { name: SESSION }).click();
    await page.getByText('Commands 1 to 250').first().waitFor();
  });
  await timed('the page after it', async () => {
    await page.getByRole('button', { name: 'What came after' }).first().click();
    await page.getByText('select 253 from things').waitFor();
  });
  await timed('its last commands', async () => {
    await page.goto(`${origin}/sessions/${SESSION}?from=${COMMANDS - 20}`);
    await page
      .getByText(`select ${COMMANDS - 19} from things`)
      .first()
      .waitFor();
  });
  await timed('one command by its text', async () => {
    await page.goto(`${origin}/sessions/${SESSION}?text=id+%3D+300`);
    await goOn(page, 'What came after', 'delete from customers where id = 300');
  });
  const count = await drawn.count();
  await timed('the same among the commands of all sessions', async () => {
    await page.goto(`${origin}/commands?text=id+%3D+300&principal=mallory`);
    await goOn(page, 'Look further back', 'delete from customers where id = 300');
  });
  const memory = memoryOf(gateway.child.pid ?? 0) / 1024 / 1024;
  return `| what | until it is there, ms | of others: median, ms | most |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\nOthers are a client that sends \`select 1\` over and over meanwhile. ${count} rows are in the page at the end; the gateway has ${memory.toFixed(0)} MiB.\n`;
}

/** Where much is looked through in pieces, somebody goes on until a text is there. */
async function goOn(page: Page, button: string, wanted: string): Promise<void> {
  const [found, nothing] = [page.getByText(wanted).first(), page.getByText('Nothing so far').first()];
  for (;;) {
    await found.or(nothing).first().waitFor();
    if (await found.isVisible()) return;
    await page.getByRole('button', { name: button }).first().click();
    await nothing.waitFor({ state: 'detached' });
  }
}

/** A client of the gateway, which has nothing to do with the record. */
function somebodyElse({ port, token }: RunningGateway): {
  stop(): Promise<{ readonly p50: number; readonly max: number }>;
} {
  const took: number[] = [];
  const over = new AbortController();
  const running = (async () => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'bench', password: token, database: 'db' });
    client.on('error', () => undefined);
    await client.connect();
    while (!over.signal.aborted || took.length === 0) {
      const began = performance.now();
      await client.query('select 1');
      took.push(performance.now() - began);
      await sleep(2);
    }
    await client.end();
  })();
  return {
    stop: async () => {
      over.abort();
      await running;
      const sorted = took.toSorted((one, other) => one - other);
      return { p50: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
    },
  };
}
