/** Ana and Ben in the console, each in a browser of their own. Does not: look at pages for their own sake (gateway/test/console.test.ts). */
import { existsSync } from 'node:fs';
import pg from 'pg';
import { type Browser, type Page, chromium } from 'playwright-core';
import type { Demo } from '../running-demo.js';
import type { Show } from './step.js';

const CHROMIUM = '/usr/bin/chromium';
/** For a page to show something, in milliseconds. */
const PATIENCE_MS = 30_000;

/** Why these steps are left out; undefined: they are not. */
export const missingBrowser = (): string | undefined =>
  existsSync(CHROMIUM) ? undefined : `The console is not played: there is no ${CHROMIUM} here.`;

export async function inTwoWindows(demo: Demo, show: Show): Promise<void> {
  const { consoleUrl } = demo.gateway;
  if (consoleUrl === undefined) throw new Error('the demo has no console');
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const ana = await logIn(browser, consoleUrl, 'Ana');
    const client = await connectAs(ana, show);
    const ben = await logIn(browser, `${consoleUrl}/approvals`, 'Ben');
    await askAndApprove({ ana, ben, client }, show);
    await client.end();
  } finally {
    await browser.close();
  }
}

async function logIn(browser: Browser, address: string, name: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(address);
  await page.getByRole('link', { name: 'Log in with demo' }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  return page;
}

/** By the line that the page has for psql, in two clicks. */
async function connectAs(ana: Page, show: Show): Promise<pg.Client> {
  await ana.getByRole('button', { name: 'Connect to shop' }).click();
  await ana.getByRole('button', { name: 'Make a token for it' }).click();
  const line = ana.getByRole('group', { name: 'For psql' });
  await line.getByText(/PGPASSWORD=sluice_/).waitFor();
  const text = (await line.innerText()).trim();
  const [, password = '', settings = ''] = /^PGPASSWORD=(\S+) psql '(.*)'$/.exec(text) ?? [];
  const { host = '', port, user, dbname } = Object.fromEntries(settings.split(' ').map((one) => one.split('=')));
  const client = new pg.Client({ host, port: Number(port), user, password, database: dbname });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ one: number }>('select 1 as one');
  show({
    title: 'Ana has a line for psql in two clicks, and it works',
    sent: text.replace(password, 'sluice_...'),
    got: JSON.stringify(rows),
    held: rows[0]?.one === 1,
  });
  await ana.keyboard.press('Escape');
  return client;
}

async function askAndApprove(
  { ana, ben, client }: { readonly ana: Page; readonly ben: Page; readonly client: pg.Client },
  show: Show,
): Promise<void> {
  const refund = 'update payments set amount = amount where id = 2';
  const answer = client.query(refund).then(
    ({ command, rowCount }) => `${command} ${rowCount ?? ''}`.trim(),
    (error: Error) => error.message,
  );
  // By itself: nobody has the page look again.
  await ben.getByText(refund).first().click();
  const request = ben.getByRole('region', { name: /^Request \d/ });
  await request.getByText('Who asks').waitFor();
  const title = await ben.title();
  show({
    title: "What she asks appears in Ben's window by itself",
    sent: refund,
    got: title,
    held: title.startsWith('(1)') && (await request.innerText()).includes('ana'),
  });
  await ben.keyboard.press('a');
  await ben.getByRole('dialog').getByRole('textbox').fill('ticket 7');
  await ben.keyboard.press('Control+Enter');
  const done = await answer;
  show({
    title: '  he approves by keyboard: the statement runs',
    sent: 'a, ticket 7, Ctrl+Enter',
    got: done,
    held: done === 'UPDATE 1',
  });
  await ana.goto(new URL('/approvals', ana.url()).href);
  await ana.getByText('All', { exact: true }).click();
  await ana.getByText(refund).first().click();
  const told = await ana.getByText('approved by ben. It was used.').innerText();
  show({ title: '  and Ana sees who did, in hers', sent: 'Approvals', got: told, held: told.includes('ben') });
}
