/** Passing one's own request in Chromium, with and without a security key, and the review of that. What others try: break-glass.test.ts. */
import { missingPostgres } from '@sluice/testkit';
import axe from 'axe-core';
import type pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  atRest,
  type ConsoleStand,
  type Person,
  loggedIn,
  missingChromium,
  openBrowser,
  openConsoleStand,
  picture,
  plugIn,
  post,
  sign,
} from './console-stand.js';

const RULES = `
    - { rule: outages, when: 'action.verb == "update" && action.tables.exists(t, t.endsWith("switches"))', hold: { approvers: ["group:dba"], timeout: 10m, break_glass: ["group:oncall"] } }
    - { rule: locked, when: 'action.verb == "update" && action.tables.exists(t, t.endsWith("locks"))', hold: { approvers: ["group:dba"], timeout: 10m, step_up: webauthn, break_glass: ["group:oncall"] } }`;

const WAIT = { timeout: 60_000 };
/** A database, a gateway and a browser, on a machine that is busy. */
const START_MS = 180_000;
const SLOW = { timeout: 240_000 };

describe.skipIf(missingPostgres(18) !== undefined || missingChromium())('break-glass in Chromium', SLOW, () => {
  let it: ConsoleStand;
  let browser: Browser;
  let client: pg.Client;
  const pages = new Map<Person, Awaited<ReturnType<typeof loggedIn>>>();

  const at = async (person: Person, path: string): Promise<Page> => {
    const known = pages.get(person);
    if (known) {
      await known.page.goto(it.origin + path);
      return known.page;
    }
    const opened = await loggedIn(browser, it.origin, person, path);
    opened.page.setDefaultTimeout(WAIT.timeout);
    pages.set(person, opened);
    return opened.page;
  };
  /** Sends it as dave, and waits until it is held. */
  const held = async (sql: string): Promise<{ readonly number: number; readonly done: Promise<string> }> => {
    const done = client.query(sql).then(
      () => 'passed',
      (error: Error) => error.message,
    );
    const number = await vi.waitFor(() => {
      const [one] = it.stand.gateway.approvals.waiting().filter(({ text }) => text === sql);
      if (!one) throw new Error('nothing waits');
      return one.number;
    }, WAIT);
    return { number, done };
  };
  const accessible = async (page: Page): Promise<void> => {
    for (const [width, colorScheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await atRest(page);
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
        violations: { readonly id: string; readonly nodes: readonly { readonly html: string }[] }[];
      };
      expect(violations.map(({ id, nodes }) => [width, id, nodes[0]?.html])).toEqual([]);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect([width, wide <= 0]).toEqual([width, true]);
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: 'light' });
  };

  beforeAll(async () => {
    it = await openConsoleStand({ host: 'localhost', rules: RULES });
    browser = await openBrowser();
    client = await it.stand.client({ user: 'dave', password: await it.tokenOf(await at('dave', '/')) });
    for (const table of ['switches', 'locks']) await client.query(`create table ${table} (id int)`);
  }, START_MS);
  afterAll(async () => {
    await client?.end();
    await browser?.close();
    await it?.stop();
  });

  test('whoever is on call passes what they asked, with a reason; it is in the inbox of others until one closes the review', async () => {
    const ben = await at('ben', '/approvals');
    await ben.getByText('Nothing waits').waitFor();
    const { number, done } = await held('update switches set id = 1');
    const dave = await at('dave', `/approvals/${number}`);
    await dave.getByText('Where it cannot wait, you may pass it, and are reviewed.').waitFor();
    await dave.getByText('group:oncall may pass what they asked themselves (break-glass)').waitFor();
    await dave.getByRole('button', { name: 'Pass it now' }).click();
    const dialog = dave.getByRole('dialog');
    await accessible(dave);
    // Without a reason nothing is sent; with one that says nothing, the gateway says so.
    await dialog.getByRole('button', { name: 'Pass it now' }).click();
    await dialog.getByRole('textbox').fill('...');
    await dialog.getByRole('button', { name: 'Pass it now' }).click();
    await dialog.getByText('a reason in words is needed').waitFor();
    expect(it.stand.gateway.approvals.pending).toBe(1);
    await dialog.getByRole('textbox').fill('the lights are out');
    await dialog.getByRole('button', { name: 'Pass it now' }).click();
    expect(await done).toBe('passed');
    await dave.getByText('This request passed by break-glass by dave. It was used.').waitFor();
    await dave.getByText('Its review is open').waitFor();
    await accessible(dave);
    expect(await dave.getByRole('button', { name: 'Close the review' }).count()).toBe(0);
    // By itself, where nobody asked the page to look again.
    await ben.getByText('Reviews (1)').click();
    await expect.poll(() => ben.title(), WAIT).toBe('(1) Approvals · Sluice');
    await accessible(ben);
    await at('ben', '/');
    await ben.getByText('A review is open').waitFor();
    await accessible(ben);
    await ben.getByText('and you may close its review').waitFor();
    await ben
      .getByRole('status')
      .getByRole('link', { name: `Request ${number}` })
      .click();
    await ben.getByText('dave passed it without anybody: the lights are out').waitFor();
    await ben.getByText('What the session did before').waitFor();
    await picture(ben, 'review');
    await ben.getByRole('button', { name: 'Close the review' }).click();
    await ben.getByRole('dialog').getByRole('textbox').fill('seen: the lights are on');
    await ben.getByRole('dialog').getByRole('button', { name: 'Close the review' }).click();
    await ben.getByText(': seen: the lights are on').waitFor();
    await dave.getByText(': seen: the lights are on').waitFor();
    await expect.poll(() => ben.title(), WAIT).toBe('Approvals · Sluice');
    expect(it.stand.gateway.approvals.reviews()).toEqual([]);
    for (const { complaints } of pages.values())
      expect(complaints.filter((one) => !one.includes('400 (Bad Request)'))).toEqual([]);
  });

  test('of two windows that pass it at once one does, and nobody else sees a way to', async () => {
    const { number, done } = await held('update switches set id = 2');
    const dave = await at('dave', `/approvals/${number}`);
    const other = await dave.context().newPage();
    other.setDefaultTimeout(WAIT.timeout);
    await other.goto(dave.url());
    for (const page of [dave, other]) {
      await page.getByRole('button', { name: 'Pass it now' }).click();
      await page.getByRole('dialog').getByRole('textbox').fill('both at once');
    }
    const ben = await at('ben', `/approvals/${number}`);
    await ben.getByRole('button', { name: 'Approve' }).waitFor();
    expect(await ben.getByRole('button', { name: 'Pass it now' }).count()).toBe(0);
    // Whichever is second has its dialog taken away, or is told that it is over.
    await Promise.all(
      [dave, other].map((page) =>
        page.evaluate(() => document.querySelector<HTMLFormElement>('[role=dialog] form')?.requestSubmit()),
      ),
    );
    expect(await done).toBe('passed');
    for (const page of [dave, other]) {
      await page.getByText('This request passed by break-glass by dave').waitFor();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    expect((await it.stand.gateway.approvals.find(number))?.words).toHaveLength(1);
    await other.close();
    const closed = await post(ben, `/v1/approvals/${number}/review`, { reason: 'seen' });
    expect(closed.status).toBe(200);
    // Of somebody who is not on call.
    const ana = await at('ana', '/');
    const own = await it.stand.client({ user: 'ana', password: await it.tokenOf(ana) });
    const waiting = own.query('update switches set id = 3').catch((error: Error) => error.message);
    await ana.getByRole('link', { name: /update switches/ }).click();
    await ana.getByText('You asked this yourself: somebody else has to decide.').waitFor();
    expect(await ana.getByRole('button', { name: 'Pass it now' }).count()).toBe(0);
    await own.end();
    await waiting;
  });

  test('where a rule asks for a security key, it passes with one that signed just this', async () => {
    const { number, done } = await held('update locks set id = 1');
    const dave = await at('dave', '/keys');
    await dave.bringToFront();
    const path = `/v1/approvals/${number}/break-glass`;
    const refused = await post(dave, path, { reason: 'now' });
    expect(refused).toMatchObject({
      status: 403,
      said: { message: expect.stringContaining('is passed with a security key, in the console') },
    });
    await plugIn(dave);
    await dave.getByRole('link', { name: 'Log in again' }).click();
    await dave.getByRole('button', { name: 'Dave' }).click();
    await dave.getByRole('textbox', { name: 'Name of the new key' }).fill('laptop');
    await dave.getByRole('button', { name: 'Register a key' }).click();
    await dave.getByRole('row', { name: /laptop/ }).waitFor();
    const signed = async (decision: string, reason: string): Promise<object> =>
      sign(dave, (await post(dave, `/v1/approvals/${number}/question`, { decision, reason })).said);
    for (const assertion of [
      await signed('approve', 'now'),
      await signed('break-glass', 'later'),
      { ...(await signed('break-glass', 'now')), id: 'AAAA' },
    ])
      expect((await post(dave, path, { reason: 'now', assertion })).status).toBe(403);
    await dave.goto(`${it.origin}/approvals/${number}`);
    await dave.getByRole('button', { name: 'Pass it now' }).click();
    await dave.getByText('Then touch your security key').waitFor();
    await dave.getByRole('dialog').getByRole('textbox').fill('the door is stuck');
    await dave.getByRole('dialog').getByRole('button', { name: 'Pass it now' }).click();
    expect(await done).toBe('passed');
    const [key] = it.stand.gateway.securityKeys.all();
    expect((await it.stand.gateway.approvals.find(number))?.words).toMatchObject([
      { decision: 'break-glass', by: 'dave', reason: 'the door is stuck', key: key?.id },
    ]);
    await dave.getByText('with a security key').first().waitFor();
  });
});
