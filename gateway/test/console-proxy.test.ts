/** The console behind something that speaks TLS on the same machine. Does not: look at pages (console.test.ts). */
import { request as forward } from 'node:http';
import { type Server, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestCertificates, freePort, makeCertificates } from '@sluice/testkit';
import { type DevIssuer, CONSOLE_CLIENT, startIssuer } from '@sluice/testkit/issuer';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loggedIn, missingChromium, openBrowser } from './console-stand.js';
import { type Stand, openStand } from './stand.js';

/** @param host what the console is told the name is; absent: that which the browser asked for */
function openProxy({ key, certificate: cert }: TestCertificates, to: number, host?: string): Promise<Server> {
  const server = createServer({ key, cert }, (request, answer) => {
    const { remoteAddress = '' } = request.socket;
    const headers = { ...request.headers, ...(host !== undefined && { host }), 'x-forwarded-for': remoteAddress };
    const { method, url: path } = request;
    const behind = forward({ host: '127.0.0.1', port: to, method, path, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 502, from.headers);
      from.pipe(answer);
    });
    behind.on('error', () => answer.writeHead(502).end());
    answer.on('close', () => behind.destroy());
    request.pipe(behind);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe.skipIf(missingChromium())('the console behind a proxy on the same machine', () => {
  let stand: Stand;
  let issuer: DevIssuer;
  let browser: Browser;
  let proxies: readonly Server[];
  let port: number;
  let ben: Page;

  beforeAll(async () => {
    port = await freePort();
    const certificates = makeCertificates();
    certificates.remove();
    const right = await openProxy(certificates, port);
    const wrong = await openProxy(certificates, port, `127.0.0.1:${port}`);
    proxies = [right, wrong];
    const origin = `https://127.0.0.1:${portOf(right)}`;
    issuer = await startIssuer(0, { console: origin });
    stand = await openStand({
      target: { port: 1, user: 'nobody' },
      console: `{ address: 127.0.0.1, port: ${port}, tls: off, external_url: "${origin}" }`,
      sections: `issuers: { corp: { issuer: "${issuer.url}", audience: [sluice, ${CONSOLE_CLIENT.id}], client_id: sluice, console: { client_id: ${CONSOLE_CLIENT.id}, client_secret: ${CONSOLE_CLIENT.secret} }, scopes: [openid, profile, groups], groups: groups } }
roles: { approver: ["group:dba"] }`,
    });
    browser = await openBrowser();
    ({ page: ben } = await loggedIn(browser, origin, 'ben', '/approvals'));
  }, 180_000);
  afterAll(async () => {
    await browser.close();
    await stand.stop();
    await issuer.close();
    for (const one of proxies) one.closeAllConnections();
    for (const one of proxies) one.close();
  });

  test('people log in, and their cookies are for TLS alone', async () => {
    await ben.getByRole('img', { name: 'Live' }).waitFor();
    await ben.getByText('Nothing waits').waitFor();
    expect(await ben.evaluate(() => location.pathname)).toBe('/approvals');
    // Those of the identity provider are there too: cookies know no ports.
    const own = (await ben.context().cookies()).filter(({ name }) => name.includes('sluice'));
    expect(own).toHaveLength(1);
    expect(own[0]).toMatchObject({ name: '__Host-sluice-session', secure: true, httpOnly: true, sameSite: 'Strict' });
  });

  test('what happens is told through it as it happens', async () => {
    const asked = await stand.gateway.approvals.ask({
      principal: 'ana',
      connection: 'db',
      session: 'none',
      command: 1,
      text: 'delete from orders where id = 1',
      parameters: [],
      requirements: [{ rule: 'deletes', approvers: ['group:dba'], count: 1 }],
      digest: 'one',
      onTimeout: 'deny',
      timeoutMs: 600_000,
      waits: true,
      transaction: false,
    });
    await ben.getByText('delete from orders where id = 1').click();
    await ben.getByRole('button', { name: 'Approve' }).click();
    await ben.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await ben.getByText('This request is approved by ben.').waitFor();
    expect((await stand.gateway.approvals.find(asked.number))?.words).toMatchObject([{ by: 'ben' }]);
  });

  test('nobody has a right by coming from this machine, by the proxy or past it', async () => {
    for (const headers of [{}, { 'x-forwarded-for': '127.0.0.1' }, { forwarded: 'for=127.0.0.1' }]) {
      const own = new URL(ben.url());
      const past = new Promise<number>((resolve, reject) => {
        const asking = forward(
          { host: '127.0.0.1', port, path: '/v1/whoami', headers: { ...headers, host: own.host } },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode ?? 0);
          },
        );
        asking.on('error', reject).end();
      });
      expect(await past).toBe(401);
    }
    const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await stranger.newPage();
    await page.goto(new URL('/', ben.url()).href);
    expect(await page.evaluate(async () => (await fetch('/v1/whoami')).status)).toBe(401);
    await stranger.close();
  });

  test('one that changes the name is told what is wrong, and gives nothing', async () => {
    const [, wrong] = proxies as [Server, Server];
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const answer = await page.goto(`https://127.0.0.1:${portOf(wrong)}/`);
    expect(answer?.status()).toBe(421);
    expect(await answer?.text()).toContain('The console does not go by the name that was asked for.');
    await context.close();
  });
});
