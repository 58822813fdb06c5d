import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { startIssuer } from '@sluice/testkit/issuer';
import { openStand, targetOf } from './stand.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');
const CHROMIUM = '/usr/bin/chromium';

test.skipIf(missingPostgres(18) !== undefined || !existsSync(CHROMIUM))(
  'sluice login, carried out in Chromium: first as one person, then as another',
  async () => {
    const issuer = await startIssuer(0);
    const server = await startPostgres({ major: 18 });
    const stand = await openStand({
      target: targetOf(server),
      sections: `issuers: { demo: { issuer: "${issuer.url}", audience: sluice, client_id: sluice, scopes: [openid, profile, groups], groups: groups } }`,
    });
    const home = temporaryFolder('home');
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      const page = await browser.newPage();
      const errors: string[] = [];
      page.on('console', (message) => void (message.type() === 'error' && errors.push(message.text())));
      for (const [name, ...args] of [['Ana'], ['Ben'], ['Ana', '--device']]) {
        const command = [MAIN, '--url', stand.gateway.url, 'login', '--no-browser', ...args];
        const child = spawn(process.execPath, command, { env: { ...process.env, XDG_CONFIG_HOME: home.path } });
        let [output, said] = ['', ''];
        child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
        child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
        const ended = once(child, 'close');
        const wanted = args.length > 0 ? /open (http:\S+)\s/ : /(http:\S+)\s/;
        while (!wanted.test(said) && child.exitCode === null) await sleep(20);
        await page.goto(wanted.exec(said)?.[1] ?? said);
        if (args.length > 0) await page.getByRole('button', { name: 'Yes, log it in' }).click();
        await page.getByRole('button', { name: name ?? '' }).click();
        await page.getByRole('heading', { name: 'Logged in' }).waitFor();
        await ended;
        expect(output).toContain(`Logged in as ${name?.toLowerCase()};`);
      }
      // Chromium asks each site for its icon.
      expect(errors.filter((text) => !text.includes('404'))).toEqual([]);
    } finally {
      await browser.close();
      await stand.stop();
      await server.stop();
      await issuer.close();
      home.remove();
    }
  },
  60_000,
);
