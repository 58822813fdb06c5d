import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { missingPostgres } from '@sluice/testkit';
import type { Browser } from 'playwright-core';
import { type ConsoleStand, loggedIn, missingChromium, openBrowser, openConsoleStand } from './console-stand.js';

describe.skipIf(missingPostgres(18) !== undefined || missingChromium())('the console in Chromium', () => {
  let console_: ConsoleStand;
  let browser: Browser;
  beforeAll(async () => {
    console_ = await openConsoleStand();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await console_.stop();
  });

  test('try', async () => {
    const ana = await loggedIn(browser, console_.origin, 'ana');
    await ana.page.screenshot({ path: '/tmp/room/home.png' });
    const token = await console_.tokenOf(ana.page);
    const client = await console_.stand.client({ user: 'ana', password: token });
    await client.query('create table orders (id int)');
    await client.query('select count(*) from orders where id = 1');
    const waiting = client.query("delete from orders where id = 1 -- it's so");
    const ben = await loggedIn(browser, console_.origin, 'ben', '/approvals');
    await ben.page.getByText('ana on db').click();
    await ben.page.getByText('What the session did before').waitFor();
    await ben.page.screenshot({ path: '/tmp/room/approval.png', fullPage: true });
    await ben.page.keyboard.press('a');
    await ben.page.getByRole('dialog').waitFor();
    await ben.page.screenshot({ path: '/tmp/room/dialog.png' });
    await ben.page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await waiting;
    await ben.page.getByText('It was used').waitFor();
    await ana.page.getByRole('button', { name: 'Connect to db' }).click();
    await ana.page.getByRole('button', { name: 'Make a token for it' }).click();
    await ana.page.getByText('shown this once').waitFor();
    await ana.page.screenshot({ path: '/tmp/room/connect.png' });
    await ana.page.goto(`${console_.origin}/sessions`);
    await ana.page.getByRole('table').waitFor();
    await ana.page.screenshot({ path: '/tmp/room/sessions.png' });
    await ana.page.getByRole('table').getByRole('link').first().click();
    await ana.page.getByText('You are watching').waitFor();
    await ana.page.getByText('delete from').first().waitFor();
    await ana.page.screenshot({ path: '/tmp/room/session.png', fullPage: true });
    expect([ana.complaints, ben.complaints]).toEqual([[], []]);
    void vi;
    await client.end();
  });
});
