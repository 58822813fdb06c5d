/** What the pages say of masks, hidden values and a damaged record, and the notification of a request, in Chromium. */
import { join } from 'node:path';
import { missingPostgres } from '@sluice/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHANGED, MISSING, fillDamagedJournal } from './damaged-journal.js';
import { type ConsoleStand, loggedIn, missingChromium, openBrowser, openConsoleStand } from './console-stand.js';

const START_MS = 180_000;
const MASKS = `
    - { rule: mails, mask: { columns: [people.email], with: redact } }
`;

describe.skipIf(missingPostgres(18) !== undefined || missingChromium())('masks on the pages', () => {
  let it: ConsoleStand;
  let browser: Browser;
  let token: string;

  beforeAll(async () => {
    it = await openConsoleStand({ rules: MASKS, prepare: (data) => fillDamagedJournal(join(data, 'journal')) });
    browser = await openBrowser();
    const ana = await loggedIn(browser, it.origin, 'ana', '/');
    token = await it.tokenOf(ana.page);
  }, START_MS);
  afterAll(async () => {
    await browser?.close();
    await it?.stop();
  });

  test('a session shows what its client was given, which rules masked it, and what is hidden and why', async () => {
    const client = await it.stand.client({ user: 'ana', password: token });
    try {
      await client.query('create table people (id int, email text)');
      await client.query("insert into people values (1, 'ada@example.com')");
      const { rows } = await client.query('select id, email from people');
      expect(rows).toEqual([{ id: 1, email: '[masked:EMAIL]' }]);
      expect((await client.query('select length(email) as told from people')).rows).toEqual([{ told: null }]);
    } finally {
      await client.end();
    }
    const { page, complaints } = await loggedIn(browser, it.origin, 'olga', '/sessions?principal=ana');
    page.setDefaultTimeout(60_000);
    await page.getByRole('table').getByRole('link').first().click();
    await page.getByText('select id, email from people').first().waitFor();
    const text = (): Promise<string> => page.locator('main').innerText();
    await expect.poll(text, { timeout: 60_000 }).toContain('mails (masks)');
    await expect.poll(text, { timeout: 60_000 }).toMatch(/Hidden: 1 column, because: \S/);
    for (const open of await page.getByText('What the client was given, masks applied').all()) await open.click();
    await page.getByRole('cell', { name: '[masked:EMAIL]' }).first().waitFor();
    expect(await page.content()).not.toContain('ada@example.com</td>');
    expect(complaints).toEqual([]);
  }, 240_000);

  test('a session whose record is damaged says so in its place, and so does a search', async () => {
    const { page, complaints } = await loggedIn(browser, it.origin, 'olga', '/sessions/damaged');
    page.setDefaultTimeout(60_000);
    const missing = page.getByRole('alert').filter({ hasText: MISSING });
    await missing.waitFor();
    const text = await page.locator('main').innerText();
    const order = ['Command 2', CHANGED, MISSING, 'command 4'].map((part) => text.indexOf(part));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
    await page.goto(`${it.origin}/commands?text=command+3`);
    await missing.waitFor();
    await page.goto(`${it.origin}/sessions/damaged/terminal`);
    await missing.waitFor();
    expect(complaints).toEqual([]);
  }, 240_000);

  test('whoever allowed it and looks elsewhere is notified of a request, without a word of its statement', async () => {
    const { page } = await loggedIn(browser, it.origin, 'ben', '/approvals');
    page.setDefaultTimeout(60_000);
    // What a browser shows of a notification is outside of the page: it is taken where the page hands it over.
    await page.evaluate(() => {
      const told: { title: string; body?: string }[] = [];
      class Taken extends EventTarget {
        static readonly permission = 'granted';
        constructor(title: string, { body }: NotificationOptions) {
          super();
          told.push({ title, ...(body !== undefined && { body }) });
        }
      }
      Object.assign(globalThis, { Notification: Taken, told });
      Object.defineProperty(document, 'hidden', { get: () => true });
    });
    const client = await it.stand.client({ user: 'ana', password: token });
    try {
      await page.getByText('Nothing waits').waitFor();
      const waiting = client.query('delete from people where id = 300').catch(() => undefined);
      await page.getByText('ana on db').waitFor();
      const told = (): Promise<unknown> => page.evaluate(() => (globalThis as { told?: unknown }).told);
      await expect
        .poll(told, { timeout: 60_000 })
        .toEqual([{ title: 'Sluice', body: expect.stringMatching(/^Request \d+ waits for you\.$/) as string }]);
      client.on('error', () => undefined);
      await client.end();
      await waiting;
    } finally {
      await client.end().catch(() => undefined);
    }
  }, 240_000);
});
