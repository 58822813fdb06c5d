/** The pages of the console in Chromium, on a gateway in front of a real server. Does not: attack the listener (console-attacks.test.ts). */
import { missingPostgres } from '@sluice/testkit';
import axe from 'axe-core';
import type pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { fillRecord, overviewTests } from './console-overview.js';
import {
  atRest,
  type ConsoleStand,
  type Person,
  loggedIn,
  missingChromium,
  openBrowser,
  openConsoleStand,
} from './console-stand.js';

/** A database, a machine, a gateway and a browser, on a machine that is busy. */
const START_MS = 180_000;
/** Everything that a page would obey, if it took a text for more than one. */
const HOSTILE = `<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>\u001b]0;owned\u0007\u202edrop`;

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

describe.skipIf(missingPostgres(18) !== undefined || missingChromium())('the console in Chromium', () => {
  let it: ConsoleStand;
  let browser: Browser;
  let client: pg.Client;
  let token: string;
  const pages = new Map<Person, Awaited<ReturnType<typeof loggedIn>>>();

  const at = async (person: Person, path: string): Promise<Page> => {
    const known = pages.get(person);
    if (known) {
      await known.page.goto(it.origin + path);
      return known.page;
    }
    const opened = await loggedIn(browser, it.origin, person, path);
    pages.set(person, opened);
    return opened.page;
  };

  /** What becomes of a statement that somebody has to release, sent by a client of its own: `passed`, or the error. */
  const asks = async (text: string): Promise<Promise<string>[]> => {
    const own = await it.stand.client({ user: 'ana', password: token });
    const answer = async (): Promise<string> => {
      try {
        await own.query(text);
        return 'passed';
      } catch (error) {
        return (error as Error).message;
      } finally {
        await own.end().catch(() => undefined);
      }
    };
    return [answer()];
  };

  beforeAll(async () => {
    it = await openConsoleStand({ ssh: 'machine', prepare: fillRecord });
    browser = await openBrowser();
    token = await it.tokenOf(await at('ana', '/'));
    client = await it.stand.client({ user: 'ana', password: token });
    for (const table of ['orders', 'ledger', 'brief']) await client.query(`create table ${table} (id int)`);
  }, START_MS);
  afterAll(async () => {
    await browser.close();
    await it.stop();
  });
  // No page complains, of its policy least of all.
  afterEach(() =>
    expect([...pages].map(([person, { complaints }]) => [person, complaints])).toEqual(
      [...pages].map(([person]) => [person, []]),
    ),
  );

  test('an approver decides by keyboard, with all that one needs to know', async () => {
    const ben = await at('ben', '/approvals');
    await ben.getByText('Nothing waits').waitFor();
    await client.query("select 'asked before'");
    const waiting = client.query('delete from orders where id = 300').catch(() => undefined);
    // By itself: nobody asked the page to look again.
    await ben.getByText('ana on db').waitFor();
    await expect.poll(() => ben.title()).toBe('(1) Approvals · Sluice');
    await ben.keyboard.press('j');
    const request = ben.getByRole('region', { name: /^Request \d/ });
    await request.getByText("select 'asked before'").waitFor();
    const text = await request.innerText();
    for (const wanted of [
      'delete from orders where id = 300',
      'deletes',
      'one of group:dba',
      'engineers',
      'corp',
      '127.0.0.1:',
      'left',
    ])
      expect(text).toContain(wanted);
    await ben.keyboard.press('a');
    await ben.getByRole('dialog').getByRole('textbox').fill('row 300 is a test');
    await ben.keyboard.press('Control+Enter');
    await waiting;
    await ben.getByText('approved by ben. It was used.').waitFor();
    await ben.getByText(': row 300 is a test').waitFor();
    await expect.poll(() => ben.title()).toBe('Approvals · Sluice');
    await ben.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' });
  });

  test('several approvers see each other, and what one of them decided nobody decides again', async () => {
    const [ben, cleo] = [await at('ben', '/approvals'), await at('cleo', '/approvals')];
    const [first] = await asks('delete from ledger where id = 1');
    for (const page of [ben, cleo]) await page.getByText('delete from ledger').click();
    await ben.getByRole('button', { name: 'Approve' }).click();
    await ben.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await cleo.getByText('Approved by 1 of 2').waitFor();
    await ben.getByText('You have approved this; others have to as well.').waitFor();
    await cleo.getByRole('button', { name: 'Approve' }).click();
    await cleo.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    expect(await first).toBe('passed');

    const [second] = await asks('delete from orders where id = 2');
    for (const page of [ben, cleo]) await page.getByText('delete from orders where id = 2').first().click();
    // Ben is about to approve when Cleo says no.
    await ben.getByRole('button', { name: 'Approve' }).click();
    await ben.getByRole('dialog').waitFor();
    await cleo.getByRole('button', { name: 'Deny' }).click();
    await cleo.getByRole('dialog').getByRole('textbox').fill('not today');
    await cleo.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    expect(await second).toContain('denied by cleo: not today');
    await ben.getByText('This request is denied by cleo.').waitFor();
    await ben.getByRole('dialog').waitFor({ state: 'detached' });
    // Nor by whoever sends it without looking.
    const number = new URL(ben.url()).pathname.split('/').at(-1);
    const late = await ben.evaluate(async (path) => {
      const headers = { 'x-sluice-console': 'active', 'content-type': 'application/json' };
      return (await fetch(path, { method: 'POST', headers, body: '{}' })).status;
    }, `/v1/approvals/${number}/approve`);
    expect(late).toBe(409);
    // The browser says so on a way of its own, which may be longer than that of the answer.
    const complaints = pages.get('ben')?.complaints ?? [];
    await expect.poll(() => complaints).toEqual([expect.stringContaining('409 (Conflict)')]);
    complaints.length = 0;
  });

  test('what changes while a page asks for it is shown', async () => {
    const ben = await at('ben', '/');
    let answer: Promise<string> | undefined;
    const waits = async (text: string): Promise<void> => {
      [answer] = await asks(text);
      await vi.waitFor(() => expect(it.stand.gateway.approvals.pending).toBe(1));
    };
    let asked: Promise<void> | undefined;
    await ben.route('**/v1/approvals?state=pending*', async (route) => {
      // The answer is made, and has not come. The page that is left may ask at the same moment.
      const response = await route.fetch();
      await (asked ??= waits('delete from ledger where id = 3'));
      await route.fulfill({ response });
    });
    await at('ben', '/approvals');
    await ben.getByText('delete from ledger where id = 3').click();
    await ben.unroute('**/v1/approvals?state=pending*');
    await ben.getByRole('button', { name: 'Deny' }).click();
    await ben.getByRole('dialog').getByRole('textbox').fill('a test');
    await ben.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    expect(await answer).toContain('denied by ben');
  });

  test('a request that expires while somebody looks at it is over before their eyes', async () => {
    const ben = await at('ben', '/approvals');
    const [waiting] = await asks('delete from brief where id = 1');
    await ben.getByText('delete from brief').click();
    await ben.getByRole('button', { name: 'Approve' }).click();
    await ben.getByRole('dialog').waitFor();
    await ben.getByText('This request is expired').waitFor();
    await ben.getByRole('dialog').waitFor({ state: 'detached' });
    await ben.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' });
    expect(await waiting).toContain('Nobody answered');
  });

  test('padding hides nothing of a statement from an approver', async () => {
    const ben = await at('ben', '/approvals');
    const padded = `delete from orders /* ${'padding '.repeat(100_000)} */ where id in (1, 4242)`;
    const [waiting] = await asks(padded);
    await ben.getByText('delete from orders /* padding').first().click();
    const shown = ben.getByRole('group', { name: 'Statement' });
    await ben.getByText(`It is long: ${padded.length.toLocaleString('en')} characters`).waitFor();
    expect(await shown.innerText()).not.toContain('4242');
    await ben.getByRole('button', { name: 'This is the beginning: show all' }).click();
    await expect.poll(() => shown.innerText()).toContain('where id in (1, 4242)');
    await ben.getByRole('button', { name: 'Deny' }).click();
    await ben.getByRole('dialog').getByRole('textbox').fill('too long');
    await ben.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    expect(await waiting).toContain('too long');
  });

  test('hostile texts stay texts: in statements, names, reasons and answers', async () => {
    const ben = await at('ben', '/approvals');
    const own = await it.stand.client({ user: 'ana', password: token });
    await own.query(`select '${HOSTILE}' as "<b>\u202ename"`);
    await own.query(`select * from "${HOSTILE.slice(0, 40)}"`).catch(() => undefined);
    await own.end();
    const [waiting] = await asks(`delete from orders where id = 1 /* ${HOSTILE} */`);
    await ben.getByText('delete from orders where id = 1 /*').first().click();
    const shown = await ben.getByRole('group', { name: 'Statement' }).innerText();
    expect(shown).toContain(
      String.raw`<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>\x1b]0;owned\x07\u{202e}drop`,
    );
    await ben.getByText('It has characters that do not show').waitFor();
    await ben.getByRole('button', { name: 'Deny' }).click();
    await ben.getByRole('dialog').getByRole('textbox').fill(HOSTILE.replace('\u001b', ''));
    await ben.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    await ben.getByText('denied by ben').waitFor();
    await waiting;
    const ana = await at('ana', '/sessions');
    await ana.getByRole('table').getByRole('link').nth(1).click();
    await ana.locator('summary').first().waitFor();
    for (const details of await ana.locator('summary').all()) await details.click();
    await ana.getByText('onerror').first().waitFor();
    for (const page of [ben, ana]) {
      const found = await page.evaluate(() => ({
        pwned: 'pwned' in globalThis,
        elements: document.querySelectorAll('#root img, #root script, #root b > b').length,
        hidden: /[\u001b\u202e]/.test(document.body.innerText) || /[\u001b\u202e]/.test(document.title),
      }));
      expect(found).toEqual({ pwned: false, elements: 0, hidden: false });
    }
  });

  test('a line to paste in two clicks, which works', async () => {
    const ana = await at('ana', '/');
    await ana.getByRole('button', { name: 'Connect to db' }).click();
    await ana.getByRole('button', { name: 'Make a token for it' }).click();
    const line = ana.getByRole('group', { name: 'For psql' });
    await line.getByText(/PGPASSWORD=sluice_/).waitFor();
    const [, password = '', settings = ''] =
      /^PGPASSWORD=(\S+) psql '(.*)'$/.exec((await line.innerText()).trim()) ?? [];
    const { host, port, user, dbname } = Object.fromEntries(settings.split(' ').map((one) => one.split('=')));
    const own = await it.stand.client({ host, port: Number(port), user, password, database: dbname });
    expect((await own.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await own.end();
    for (const name of ['JDBC', 'pg_service', 'Environment', 'DBeaver', 'sluice'])
      await ana.getByRole('tab', { name }).click();
    await ana.keyboard.press('Escape');
    // It is in the list, and gone once it is revoked.
    await ana.getByText('console: db').waitFor();
    await ana.getByRole('button', { name: /Revoke console: db/ }).click();
    await ana.getByRole('button', { name: 'Revoke, and end its sessions' }).click();
    await ana.getByText('console: db').waitFor({ state: 'detached' });
    await expect(it.stand.client({ host, port: Number(port), user, password, database: dbname })).rejects.toThrow();
  });

  test('an administrator watches a session and ends it with a reason', async () => {
    const own = await it.stand.client({ user: 'ana', password: token });
    const gone = new Promise<string>((resolve) => own.once('error', ({ message }) => resolve(message)));
    const olga = await at('olga', '/sessions?state=open&principal=ana');
    await olga.getByRole('table').getByRole('link').first().click();
    await olga.getByText('You are watching').waitFor();
    await own.query("select 'while somebody looks'");
    await olga.getByText("select 'while somebody looks'").waitFor();
    await olga.getByRole('button', { name: 'End this session' }).click();
    await olga.getByRole('dialog').getByRole('textbox').fill('the window is closed');
    await olga.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
    expect(await gone).toContain('the window is closed');
    await olga.getByText('Why it ended').waitFor();
    // The record takes the place of what was watched.
    await olga.getByText('Export as OCSF').waitFor();
    await olga.getByText("select 'while somebody looks'").waitFor();
    await olga.goto(`${it.origin}/sessions?principal=nobody`);
    await olga.getByText('No session is like that').waitFor();
  });

  overviewTests(() => ({ it, token, at, forgive: (person) => void pages.get(person)?.complaints.splice(0) }));

  test('somebody without a role is told so, and what would help', async () => {
    const nemo = await at('nemo', '/');
    await nemo.getByText('There is no connection for you').waitFor();
    await nemo.getByText('an administrator gives you the role "user"').waitFor();
    await nemo.goto(`${it.origin}/approvals/1`);
    await nemo.getByText('There is no request 1.').waitFor();
    await nemo.goto(`${it.origin}/nowhere`);
    await nemo.getByText('There is no such page').waitFor();
    pages.delete('nemo');
  });

  test('pages of another site neither frame it nor change anything', async () => {
    const ben = pages.get('ben')?.page as Page;
    const before = it.stand.gateway.identity.tokens().length;
    const evil = await ben.context().newPage();
    await evil.route('http://evil.example/**', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<iframe src="${it.origin}/approvals"></iframe>
<form id=f method=post action="${it.origin}/v1/tokens" enctype=text/plain target=there><input name='{"name":"' value='"}'></form><iframe name=there></iframe>`,
      }),
    );
    await evil.goto('http://evil.example/');
    await evil.evaluate(async (origin) => {
      document.querySelector('form')?.submit();
      const tries = [
        fetch(`${origin}/v1/tokens`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }),
        fetch(`${origin}/v1/tokens`, {
          method: 'POST',
          credentials: 'include',
          headers: { 'x-sluice-console': 'active' },
          body: '{}',
        }),
        fetch(`${origin}/v1/whoami`, { credentials: 'include' }),
      ];
      await Promise.allSettled(tries);
    }, it.origin);
    await evil.waitForTimeout(300);
    const texts = await Promise.all(
      evil.frames().map((frame) =>
        frame
          .locator('body')
          .innerText()
          .catch(() => ''),
      ),
    );
    expect(texts.join('')).not.toMatch(/Sluice|Approvals/);
    expect(it.stand.gateway.identity.tokens()).toHaveLength(before);
    await evil.close();
  });

  test('the gateway is started again under an open page, which goes on by itself, and nobody logs in again', async () => {
    const ben = await at('ben', '/approvals');
    await ben.getByText('Nothing waits').waitFor();
    await it.restart();
    await ben.getByRole('img', { name: 'Live' }).waitFor();
    client = await it.stand.client({ user: 'ana', password: token });
    const waiting = client.query('delete from orders where id = 77').catch(() => undefined);
    await ben.getByText('delete from orders where id = 77').waitFor();
    // Who hangs up withdraws it.
    await client.end();
    await waiting;
    await ben.getByText('Nothing waits').waitFor();
    // What a browser says of a server that is away is no fault of the page.
    for (const { complaints } of pages.values()) complaints.length = 0;
  });

  const looks = [
    { width: 1280, height: 900, colorScheme: 'light' },
    { width: 390, height: 800, colorScheme: 'dark' },
  ] as const;
  test('every page is for everybody: wide and narrow, light and dark', { timeout: 120_000 }, async () => {
    const found: string[] = [];
    const lookAs = async (page: Page, what: string): Promise<void> => {
      await page.evaluate(axe.source);
      const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
        violations: Violation[];
      };
      found.push(
        ...violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, failureSummary }) => `${what}: ${id}: ${html.slice(0, 120)} ${failureSummary}`),
        ),
      );
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      if (wide > 0) found.push(`${what}: ${wide} pixels too wide`);
    };
    const look = async (page: Page, what: string): Promise<void> => {
      for (const { width, height, colorScheme } of looks) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await atRest(page);
        await lookAs(page, `${what}, ${width}, ${colorScheme}`);
      }
      await page.setViewportSize({ width: 1280, height: 900 });
    };
    const ana = await at('ana', '/');
    await ana.getByRole('button', { name: 'Connect to db' }).waitFor();
    await ana.getByRole('table').waitFor();
    await look(ana, 'home');
    await ana.getByRole('button', { name: 'Connect to db' }).click();
    await ana.getByText('$TOKEN stands for').waitFor();
    await look(ana, 'connect');
    const ben = await at('ben', '/approvals');
    await ben.getByText('All', { exact: true }).click();
    await ben.getByText('ana on db').first().waitFor();
    await look(ben, 'approvals');
    await ben.getByText('ana on db').last().click();
    await ben.getByText('What the session did before').waitFor();
    await look(ben, 'request');
    const olga = await at('olga', '/sessions');
    await olga.getByRole('table').waitFor();
    await look(olga, 'sessions');
    await olga.getByRole('table').getByRole('link', { name: 'long-1' }).click();
    await olga.getByText('Export as OCSF').waitFor();
    await look(olga, 'session');
    await at('olga', '/commands?decision=deny');
    await olga.getByRole('list', { name: 'Commands' }).waitFor();
    await look(olga, 'commands');
    await at('olga', '/policy');
    await olga.getByRole('table', { name: 'Rules in force' }).waitFor();
    await olga.getByLabel('Statement or command').fill('drop table x');
    await olga.getByRole('button', { name: 'Explain' }).click();
    await olga.getByText('It would be refused').waitFor();
    await look(olga, 'policy');
    await at('olga', '/people');
    await olga.getByRole('table', { name: 'Tokens of everybody' }).waitFor();
    await look(olga, 'people');
    await at('olga', '/operation');
    await olga.locator('.curve canvas').first().waitFor();
    await look(olga, 'operation');
    if (it.sshd) {
      await at('olga', '/sessions?connection=vm');
      await olga.getByRole('table').getByRole('link').last().click();
      await olga.getByRole('link', { name: 'Play its terminals' }).click();
      await olga.locator('.terminal').getByText('seen-42').first().waitFor();
      await look(olga, 'terminal');
    }
    const stranger = await browser.newPage();
    await stranger.goto(it.origin);
    await stranger.getByText('Log in with corp').waitFor();
    await look(stranger, 'login');
    await stranger.close();
    expect(found).toEqual([]);
  });
});
