/** Tests of the pages for what was done: terminals, long sessions, commands, rules, people, operation. Does not: open a stand (console.test.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Journal } from '@sluice/recording';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { ConsoleStand, Person } from './console-stand.js';

export interface Shared {
  readonly it: ConsoleStand;
  /** Of ana. */
  readonly token: string;
  /** The browser of somebody, at a page. */
  at(person: Person, path: string): Promise<Page>;
  /** What the gateway refuses is an error to a browser, and no fault of the page. */
  forgive(person: Person): void;
}

const LONG = 'long-1';
/** More than are looked through for one page, answers counted: whoever wants the last ones has them all the same. */
const COMMANDS = 30_000;
/** One of so many is refused. */
const THOUSANDS = 10_000;
/** All that a page or a terminal would obey, if it took it for more than what is drawn on the screen of a terminal. */
const HOSTILE =
  '\u001b]0;owned\u0007\u001b]8;;javascript:pwned=1\u0007link\u001b]8;;\u0007\u001b]52;c;cHduZWQ=\u0007\u001b]1337;File=inline=1:PHN2Zy8+\u0007<img src=x onerror="window.pwned=1">';

/** Sessions of yesterday. */
export function fillRecord(data: string): void {
  const journal = new Journal({ folder: join(data, 'journal') });
  const write = (header: object, payload?: string): void =>
    journal.append(JSON.stringify(header), payload === undefined ? [] : [Buffer.from(payload)]);
  const t = Date.now() - 86_400_000;
  const known = { connection: 'db', protocol: 'postgres', client: '127.0.0.1:1' };
  const command = { phase: 'run', confidence: 'exact', actions: [], matched: [], decision: 'allow' };
  write({ k: 'opened', t, s: LONG, principal: 'mallory', ...known });
  for (let id = 1; id <= COMMANDS; id++) {
    if (id % THOUSANDS === 0) journal.commit();
    const text = id === 2_345 ? 'delete from customers where id = 300' : `select ${id} from things`;
    write({ k: 'command', t: t + id, s: LONG, id, text, ...command, ...(id % THOUSANDS === 0 && DENIED) });
    write({ k: 'end', t: t + id, s: LONG, id, outcome: 'ok', summary: 'SELECT 1', rows: 1, bytes: 4 });
  }
  const denied = COMMANDS / THOUSANDS;
  write({ k: 'closed', t: t + COMMANDS, s: LONG, reason: 'bye', commands: COMMANDS - denied, denied });
  journal.commit();
  journal.close();
}

const DENIED = { decision: 'deny', rule: 'no-thousands', message: 'No round numbers.' };

/** A terminal of ana's on the machine. */
function openTerminal({ it, token }: Shared): ChildProcess {
  const { gateway, folder } = it.stand;
  const address = gateway.addresses.get('ssh') ?? '';
  const port = address.slice(address.lastIndexOf(':') + 1);
  const [askpass, known] = [join(folder, 'askpass'), join(folder, 'known_hosts')];
  writeFileSync(askpass, `#!/bin/sh\necho '${token}'\n`, { mode: 0o700 });
  writeFileSync(known, `[127.0.0.1]:${port} ${gateway.sshKeys.hostKeyLine}\n`);
  const options = [`UserKnownHostsFile=${known}`, 'PubkeyAuthentication=no', 'LogLevel=ERROR'];
  const words = ['-F', '/dev/null', ...options.flatMap((one) => ['-o', one]), '-tt', '-p', port, 'vm@127.0.0.1'];
  const env = { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0', TERM: 'xterm' };
  const child = spawn('/usr/bin/ssh', words, { env, stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin?.on('error', () => undefined);
  return child;
}

/** What a page took for more than a text. */
const obeyed = (page: Page): Promise<object> =>
  page.evaluate(() => ({
    pwned: 'pwned' in globalThis,
    title: document.title.includes('owned'),
    elements: document.querySelectorAll('#root img, #root script, #root a[href^="javascript"]').length,
  }));
const NOTHING = { pwned: false, title: false, elements: 0 };

export function overviewTests(shared: () => Shared): void {
  test('a terminal is watched as it happens, then played with speed and search, and none of it is obeyed', async ({
    skip,
  }) => {
    const { it, at } = shared();
    if (!it.sshd) skip('there is no sshd here');
    const child = openTerminal(shared());
    const isOpen = (): string | undefined =>
      [...it.stand.gateway.sessions.values()].find(({ protocol, state }) => protocol === 'ssh' && state === 'open')?.id;
    await expect.poll(isOpen, { timeout: 40_000 }).toBeDefined();
    const id = isOpen();
    const olga = await at('olga', `/sessions/${id}`);
    await olga.getByRole('link', { name: 'Watch its terminals' }).click();
    await olga.getByText('what the terminal shows appears here').waitFor();
    // What was typed is in labels of the player as well, which are hidden.
    const shown = (text: string): Promise<void> =>
      olga.locator('.terminal').getByText(text).filter({ visible: true }).first().waitFor();
    const file = join(it.sshd?.home ?? '', 'hostile');
    writeFileSync(file, HOSTILE);
    child.stdin?.write(`echo seen-$((40 + 2)); cat '${file}'; echo\n`);
    await shown('seen-42');
    await shown('onerror');
    expect(await obeyed(olga)).toEqual(NOTHING);
    const ended = once(child, 'close');
    child.stdin?.write('exec echo last-$((40 + 3))\n');
    await ended;
    // The record takes the place of what was watched.
    await olga.getByLabel('Find what was shown').fill('SEEN-42');
    await olga.getByRole('button', { name: 'Find', exact: true }).click();
    await olga.getByText(/\d found\./).waitFor();
    const places = olga.getByRole('list', { name: 'Places in the recording' }).getByRole('button');
    await places.getByText(/: seen-42/).click();
    await shown('seen-42');
    await olga.getByText('8×').click();
    await shown('seen-42');
    expect(await obeyed(olga)).toEqual(NOTHING);
    // What came last as well: the recording ends with it.
    await olga.getByLabel('Find what was shown').fill('last-43');
    await olga.getByRole('button', { name: 'Find', exact: true }).click();
    await places.getByText(/: last-43/).click();
    await shown('last-43');
    // WebAssembly may run on this page, and on no other one.
    const policy = async (path: string): Promise<string> =>
      (await fetch(it.origin + path)).headers.get('content-security-policy') ?? '';
    expect(await policy(`/sessions/${id}/terminal`)).toContain("script-src 'self' 'wasm-unsafe-eval';");
    for (const path of [`/sessions/${id}`, '/sessions/x/terminal/y', '/sessions//terminal', '/'])
      expect(await policy(path)).toContain("script-src 'self';");
    await olga.getByRole('link', { name: 'What happened in this session' }).click();
    await olga.getByText('Export as asciicast').waitFor();
    await olga.getByText('A terminal', { exact: true }).first().waitFor();
    await olga.goto(`${it.origin}/sessions/${LONG}/terminal`);
    await olga.getByText('No terminal was shown in this session').waitFor();
    shared().forgive('olga');
  });

  test('a session of thousands of commands is a page at a time, and only what is on the screen is drawn', async () => {
    const { at, it } = shared();
    const olga = await at('olga', `/sessions/${LONG}`);
    await olga.getByText('Commands 1 to 250').first().waitFor();
    const drawn = (): Promise<number> => olga.getByRole('list', { name: 'What happened' }).locator('> li').count();
    expect(await drawn()).toBeLessThan(100);
    await olga.getByRole('button', { name: 'What came after' }).first().click();
    await olga
      .getByText(/Commands 25\d to/)
      .first()
      .waitFor();
    await olga.getByText('select 253 from things').waitFor();
    await olga.getByRole('button', { name: 'What came before' }).first().click();
    await olga.getByText('Commands 1 to 250').first().waitFor();
    await olga.getByText('Refused', { exact: true }).click();
    await olga.getByText('No round numbers.').first().waitFor();
    // So much is looked through for a page, and the next one goes on.
    expect(await drawn()).toBe(COMMANDS / THOUSANDS - 1);
    await olga.getByRole('button', { name: 'What came after' }).first().click();
    await olga.getByText(`Command ${COMMANDS}`, { exact: true }).first().waitFor();
    expect(await drawn()).toBe(1);
    await olga.goto(`${it.origin}/sessions/${LONG}?from=${COMMANDS - 10}`);
    await olga
      .getByText(`Commands ${COMMANDS - 10} to ${COMMANDS}`)
      .first()
      .waitFor();
    await olga.getByLabel('With this text').fill('nothing like it');
    await olga.getByRole('button', { name: 'Find', exact: true }).click();
    await olga.getByText('No command of this session is like that').waitFor();
  });

  test('who deleted row 300 yesterday', async () => {
    const olga = await shared().at('olga', '/sessions');
    await olga.getByRole('link', { name: 'Find a command' }).click();
    await olga.getByText('What do you look for?').waitFor();
    await olga.getByText('Yesterday').click();
    await olga.getByLabel('With this text').fill('id = 300');
    await olga.getByRole('button', { name: 'Find', exact: true }).click();
    const row = olga.getByRole('list', { name: 'Commands' }).getByRole('listitem');
    await row.getByText('mallory on db').waitFor();
    expect(await row.count()).toBe(1);
    await row.getByRole('link').click();
    await olga.getByText('delete from customers where id = 300').waitFor();
    await olga.getByText('mallory').first().waitFor();
    // Of others nothing is found.
    const ana = await shared().at('ana', '/commands?text=id+%3D+300&principal=mallory');
    await ana.getByText('No command is like that').waitFor();
  });

  test('the rules in force with how often each matched, and what they say of something', async () => {
    const { at } = shared();
    const olga = await at('olga', '/policy');
    const rules = olga.getByRole('table', { name: 'Rules in force' });
    await rules.getByText('nothing-is-dropped').first().waitFor();
    const row = rules.getByRole('row').filter({ hasText: 'soon-over' }).first();
    await row.getByText('It is released by one of group:dba; after 12 s it is refused').waitFor();
    await olga
      .getByLabel('Statement or command')
      .fill('drop table orders -- <img src=x onerror="window.pwned=1">\u202e');
    await olga.getByRole('button', { name: 'Explain' }).click();
    await olga.getByText('It would be refused').waitFor();
    await olga.getByText('by rule nothing-is-dropped').waitFor();
    await olga.getByLabel('Statement or command').fill('delete from orders where id = 1');
    await olga.keyboard.press('Control+Enter');
    await olga.getByText('It would wait for people').waitFor();
    expect(await obeyed(olga)).toEqual(NOTHING);
    await olga.getByLabel('To whom').fill('nobody-such');
    await olga.getByRole('button', { name: 'Explain' }).click();
    await olga.getByText('There is no principal "nobody-such".').waitFor();
    shared().forgive('olga');
    const ana = await at('ana', '/policy');
    await ana.getByText('Rules are shown to administrators and auditors').waitFor();
    expect(await ana.getByLabel('To whom').count()).toBe(0);
  });

  test('people as they were last seen, and tokens of theirs made and revoked with all that was made with them', async () => {
    const { at, it } = shared();
    const olga = await at('olga', '/people');
    const people = olga.getByRole('table', { name: 'People and agents' });
    await people.getByText('ana', { exact: true }).waitFor();
    await people.getByRole('button', { name: 'Make a token for dev' }).click();
    await olga.getByRole('dialog').getByLabel('Name').fill('made by olga');
    await olga.getByRole('dialog').getByRole('button', { name: 'Make it' }).click();
    const text = await olga.getByRole('group', { name: 'The token' }).innerText();
    expect(it.stand.gateway.identity.bearer(text.trim())?.principal.name).toBe('dev');
    await olga.getByRole('button', { name: 'Close' }).click();
    const tokens = olga.getByRole('table', { name: 'Tokens of everybody' });
    const row = tokens.getByRole('row').filter({ hasText: 'made by olga' });
    await row.getByText(/^olga/).waitFor();
    await olga.getByText('Revoke also those that were made with a token').click();
    await row.getByRole('button', { name: /^Revoke made by olga/ }).click();
    await row.getByRole('button', { name: /those made with it/ }).click();
    await row.waitFor({ state: 'detached' });
    expect(it.stand.gateway.identity.bearer(text.trim())).toBeUndefined();
    await olga.getByLabel('Name, group or role').fill('nobody is called so');
    await olga.getByText('Nobody is like that').waitFor();
    const ana = await at('ana', '/people');
    await ana.getByText('This page is for administrators and auditors').waitFor();
    expect(await ana.getByRole('link', { name: 'People' }).count()).toBe(0);
  });

  test('how the gateway is: its checks, the curves of the day, agents', async () => {
    const { at, it } = shared();
    it.stand.gateway.day.look(Date.now() + 60_000);
    const olga = await at('olga', '/operation');
    await olga.getByText('ready', { exact: true }).waitFor();
    await olga.getByText('No agent is enrolled').waitFor();
    await olga.locator('.curve canvas').first().waitFor();
    await olga
      .getByText(/Now \d+ a minute, at most \d+ a minute/)
      .first()
      .waitFor();
    await olga.getByRole('button', { name: 'Look at every target' }).click();
    await olga.getByRole('list', { name: 'What was found' }).getByText('reached and logged in').first().waitFor();
    // No agent can dial in at this gateway, and the page says so.
    await olga.getByRole('button', { name: 'Enrol an agent' }).click();
    await olga.getByRole('dialog').getByLabel('Name').fill('backroom');
    await olga.getByRole('dialog').getByRole('button', { name: 'Make its token' }).click();
    await olga.getByText('No agent can dial in at this gateway.').waitFor();
    shared().forgive('olga');
  });
}
