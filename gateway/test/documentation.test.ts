/**
 * The documentation as people see it: the real pages, of a real gateway, in Chromium. `SLUICE_SCREENSHOTS=FOLDER` keeps pictures of them.
 * How files are served is in packages/control/test/documentation.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { type Browser, type Page, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../src/root.js';
import { type Stand, openStand, targetOf } from './stand.js';

const CHROMIUM = '/usr/bin/chromium';
const missing = missingPostgres(18) ?? (existsSync(CHROMIUM) ? undefined : 'chromium is missing');
const SIZES = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
] as const;

describe.skipIf(missing)(`the pages below /docs${missing ? ` (${missing})` : ''}`, () => {
  let stand: Stand;
  let stop: () => Promise<void>;
  let browser: Browser;

  beforeAll(async () => {
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'site.mjs')], { cwd: ROOT });
    const server = await startPostgres({ major: 18 });
    stand = await openStand({ target: targetOf(server) });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
    stop = async () => {
      await browser.close();
      await stand.stop();
      await server.stop();
    };
  }, 240_000);
  afterAll(() => stop?.());

  const opened = async (size: (typeof SIZES)[number]): Promise<{ page: Page; faults: string[] }> => {
    const page = await browser.newPage({ viewport: size });
    const faults: string[] = [];
    page.on('console', (message) => void (message.type() === 'error' && faults.push(message.text())));
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(stand.gateway.url).origin && !request.url().startsWith('data:'))
        faults.push(`asks ${request.url()}`);
    });
    return { page, faults };
  };
  const shoot = async (page: Page, name: string): Promise<void> => {
    const folder = process.env['SLUICE_SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
  };

  test.each(SIZES)(
    '$width pixels wide: nothing is asked elsewhere, nothing is blocked, nothing is wider than the window',
    async (size) => {
      const { page, faults } = await opened(size);
      await page.goto(new URL('/docs/', stand.gateway.url).href);
      const links = await page.locator('.VPSidebar a').evaluateAll((all) =>
        all.map((one) => ({
          path: new URL((one as { href?: string }).href ?? '').pathname,
          text: one.textContent ?? '',
        })),
      );
      expect(links.length).toBeGreaterThan(20);
      for (const { path, text } of links) {
        const answer = await page.goto(new URL(path, stand.gateway.url).href);
        expect([path, answer?.status()]).toEqual([path, 200]);
        await page.locator('.vp-doc h1').waitFor();
        const width = await page.evaluate('document.documentElement.scrollWidth');
        expect([text, width]).toEqual([text, size.width]);
        await shoot(page, `${size.width}-${path.split('/').at(-1) || 'index'}`);
      }
      expect(faults).toEqual([]);
      await page.close();
    },
    240_000,
  );

  test('a reader follows the guide from page to page, and finds a word', async () => {
    const { page, faults } = await opened(SIZES[0]);
    await page.goto(new URL('/docs/', stand.gateway.url).href);
    for (const title of [
      'The first ten minutes',
      'Connect',
      'Write rules',
      'Mask',
      'Approve',
      'The console',
      'Audit',
    ]) {
      await page.locator('.pager-link.next').click();
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
    }
    // The button is there before the page knows what it does.
    await page.waitForFunction("'__vue_app__' in document.querySelector('#app')");
    await page.locator('.VPNavBarSearch button').click();
    await page.locator('.VPLocalSearchBox input').fill('witness');
    await page.locator('.VPLocalSearchBox .result').first().waitFor();
    await shoot(page, '1280-search');
    const result = page.locator('.VPLocalSearchBox a.result').first();
    const to = (await result.getAttribute('href')) ?? '';
    expect(to).toMatch(/^\/docs\/[a-z]/);
    await result.click();
    await page.waitForFunction(`location.pathname + location.hash === ${JSON.stringify(to)}`);
    expect(faults).toEqual([]);
    await page.close();
  }, 60_000);

  test('what is not there is said to be not there', async () => {
    const answer = await fetch(new URL('/docs/nowhere', stand.gateway.url));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});
