// Pictures of the console for docs/console.md, of a real run of the demo: node scripts/screenshots.mjs, after npm run setup. Owns: what is
// played for them. Does not: check anything (gateway/test/console.test.ts).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { chromium } from 'playwright-core';

const ROOT = dirname(import.meta.dirname);
const IMAGES = join(ROOT, 'docs', 'images');
const { startDemo } = await import(join(ROOT, 'packages', 'demo', 'dist', 'demo.js'));
const { freePort } = await import(join(ROOT, 'packages', 'testkit', 'dist', 'index.js'));

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 800 };

const folder = mkdtempSync(join(tmpdir(), 'screenshots-'));
chmodSync(folder, 0o711);
mkdirSync(IMAGES, { recursive: true });
const names = ['port', 'controlPort', 'issuerPort', 'consolePort', 'sshPort', 'httpPort', 'mysqlPort'];
const ports = {};
for (const name of names) ports[name] = await freePort();
const demo = await startDemo({ ...ports, folder }, () => undefined);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });

/** A browser of somebody's own, logged in. */
async function as(name, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  await page.goto(demo.gateway.consoleUrl);
  await page.getByRole('link', { name: 'Log in with demo' }).click();
  await page.getByRole('button', { name }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  return page;
}

const picture = async (page, name) => {
  // Until pictures of dialogs have come to rest.
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(IMAGES, `console-${name}.png`) });
};

/** Something happens in a terminal on the machine of the demo. */
async function onMachine() {
  const askpass = join(folder, 'askpass');
  writeFileSync(askpass, `#!/bin/sh\ncat '${join(folder, 'developer.token')}'\n`, { mode: 0o700 });
  const known = join(folder, 'known_hosts');
  writeFileSync(known, `[127.0.0.1]:${ports.sshPort} ${demo.gateway.sshKeys.hostKeyLine}\n`);
  const options = [`UserKnownHostsFile=${known}`, 'PubkeyAuthentication=no'].flatMap((one) => ['-o', one]);
  const env = {
    ...process.env,
    SSH_ASKPASS: askpass,
    SSH_ASKPASS_REQUIRE: 'force',
    DISPLAY: ':0',
    TERM: 'xterm-256color',
  };
  const child = spawn(
    '/usr/bin/ssh',
    ['-F', '/dev/null', ...options, '-tt', '-p', String(ports.sshPort), 'vm@127.0.0.1'],
    { env },
  );
  for (const line of ['echo welcome to the machine', 'uname -sm', 'ls -la --color=always / | head', 'exit']) {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    child.stdin.write(`${line}\n`);
  }
  await once(child, 'close');
}

try {
  const ana = await as('Ana');
  const token = await ana.evaluate(async () => {
    const headers = { 'x-sluice-console': 'active', 'content-type': 'application/json' };
    return (await (await fetch('/v1/tokens', { method: 'POST', headers, body: '{"name":"laptop"}' })).json()).token;
  });
  const client = new pg.Client({ host: '127.0.0.1', port: ports.port, user: 'ana', password: token, database: 'shop' });
  client.on('error', () => undefined);
  await client.connect();
  await client.query("select name, city, email from customers where city = 'Oslo' order by id limit 3");
  await client.query('drop table customers').catch(() => undefined);
  await client.query('select id, amount from payments where order_id = 42');
  const waiting = client
    .query('update payments set amount = 0, card = $1 where order_id = $2 -- refund of order 42', ['refunded', 42])
    .catch(() => undefined);
  const ben = await as('Ben');
  await ben.goto(`${demo.gateway.consoleUrl}/approvals`);
  await ben.getByText('ana on shop').click();
  await ben.getByText('What the session did before').waitFor();
  await picture(ben, 'approval');
  const narrow = await as('Ben', { viewport: NARROW, colorScheme: 'dark' });
  await narrow.goto(ben.url());
  await narrow.getByText('What the session did before').waitFor();
  await picture(narrow, 'approval-narrow');
  await ben.keyboard.press('a');
  await ben.getByRole('dialog').getByRole('textbox').fill('Order 42 was cancelled: ticket 318.');
  await picture(ben, 'approve');
  await ben.keyboard.press('Control+Enter');
  await waiting;
  await ana.reload();
  await ana.getByRole('button', { name: 'Connect to shop' }).waitFor();
  await ana.getByText('laptop').waitFor();
  await picture(ana, 'home');
  await ana.getByRole('button', { name: 'Connect to shop' }).click();
  await ana.getByText('$TOKEN stands for').waitFor();
  await picture(ana, 'connect');
  await ana.goto(`${demo.gateway.consoleUrl}/sessions`);
  await ana.getByRole('table').waitFor();
  await picture(ana, 'sessions');
  await ana.getByRole('table').getByRole('link').first().click();
  await ana.getByText('refund of order 42').first().waitFor();
  await ana.locator('summary').first().click();
  await picture(ana, 'session');
  await client.end();
  await ana.goto(`${demo.gateway.consoleUrl}/policy`);
  await ana.getByLabel('Statement or command').fill('delete from customers');
  await ana.getByRole('button', { name: 'Explain' }).click();
  await ana.getByText('It would be refused').waitFor();
  const olga = await as('Olga');
  await olga.goto(`${demo.gateway.consoleUrl}/commands?text=drop+table`);
  await olga.getByText('drop table customers').first().waitFor();
  await picture(olga, 'commands');
  await olga.goto(`${demo.gateway.consoleUrl}/policy`);
  await olga.getByRole('combobox', { name: 'On connection' }).click();
  await olga.getByRole('option', { name: 'shop', exact: true }).click();
  await olga.getByLabel('Statement or command').fill('delete from customers');
  await olga.getByRole('button', { name: 'Explain' }).click();
  await olga.getByText('It would be refused').waitFor();
  await picture(olga, 'policy');
  await olga.goto(`${demo.gateway.consoleUrl}/people`);
  await olga.getByRole('table', { name: 'Tokens of everybody' }).waitFor();
  await picture(olga, 'people');
  // A day is not waited for.
  for (let minute = 1; minute <= 300; minute++) demo.gateway.day.look(Date.now() + minute * 60_000);
  await olga.goto(`${demo.gateway.consoleUrl}/operation`);
  await olga.getByRole('button', { name: 'Look at every target' }).click();
  await olga.getByRole('list', { name: 'What was found' }).waitFor();
  await picture(olga, 'operation');
  await olga.getByRole('heading', { name: 'The last day' }).scrollIntoViewIfNeeded();
  await picture(olga, 'curves');
  await onMachine();
  await olga.goto(`${demo.gateway.consoleUrl}/sessions?connection=vm`);
  await olga.getByRole('table').getByRole('link').first().click();
  await olga.getByText('Export as asciicast').waitFor();
  await olga.getByRole('link', { name: 'Play its terminals' }).click();
  await olga.getByRole('button', { name: 'Find' }).waitFor();
  await olga.getByLabel('Find what was shown').fill('welcome');
  await olga.getByRole('button', { name: 'Find' }).click();
  await olga.getByRole('list', { name: 'Places in the recording' }).getByRole('button').first().click();
  await picture(olga, 'terminal');
} finally {
  await browser.close();
  await demo.stop();
  rmSync(folder, { recursive: true, force: true });
}
