/** A gateway with a console, an identity provider with people, and a browser. Does not: test anything. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type PostgresServer,
  type SshdServer,
  freePort,
  missingSshd,
  startPostgres,
  startSshd,
  temporaryFolder,
} from '@sluice/testkit';
import { CONSOLE_CLIENT, type DevIssuer, startIssuer } from '@sluice/testkit/issuer';
import { type SamlIdp, startSamlIdp } from '@sluice/testkit/saml-idp';
import { type Browser, type Page, chromium } from 'playwright-core';
import { type Stand, openStand, targetOf } from './stand.js';

const CHROMIUM = '/usr/bin/chromium';
export const missingChromium = (): boolean => !existsSync(CHROMIUM);

const PEOPLE = {
  ana: { name: 'Ana', groups: ['engineers'], is: 'asks' },
  ben: { name: 'Ben', groups: ['dba'], is: 'approves' },
  cleo: { name: 'Cleo', groups: ['dba'], is: 'approves as well' },
  olga: { name: 'Olga', groups: ['platform'], is: 'looks after the gateway' },
  dave: { name: 'Dave', groups: ['engineers', 'oncall'], is: 'is on call' },
  nemo: { name: 'Nemo', groups: [], is: 'has no role' },
};
export type Person = keyof typeof PEOPLE;

const RULES = `
    - { rule: nothing-is-dropped, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped here. }
    - { rule: two-look, when: 'action.tables.exists(t, t.endsWith("ledger")) && action.verb == "delete"', hold: { approvers: ["group:dba"], count: 2, timeout: 10m } }
    - { rule: soon-over, when: 'action.tables.exists(t, t.endsWith("brief")) && action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 12s } }
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 10m } }
    - { rule: people-work, when: 'connection.protocol == "ssh"', allow: true }
`;

/** A machine beside the database, where there is an sshd. What stands behind it in the file is its own: the policies of both. */
const machine = ({ port, user, keyFile, hostKey }: SshdServer): string => `not_followed: mask
    policies: [production]
  vm:
    protocol: ssh
    target: { host: 127.0.0.1, port: ${port}, host_keys: { keys: ["${hostKey}"] } }
    credential: { user: ${user}, private_key: "\${file:${keyFile}}" }
    shell: bash
    access: ["group:engineers", "group:platform"]`;

export interface ConsoleStand {
  readonly stand: Stand;
  readonly server: PostgresServer;
  readonly issuer: DevIssuer;
  /** Speaks SAML, where that was asked for: whom it knows are others here, with "s-" before their names and groups. */
  readonly idp: SamlIdp | undefined;
  readonly origin: string;
  /** Undefined: there is no sshd here. */
  readonly sshd: SshdServer | undefined;
  /** A token of ana's own, for clients. */
  tokenOf(page: Page): Promise<string>;
  /** Ends the gateway and starts it again on the same ports and folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ConsoleStandOptions {
  /** Of the console's listener. */
  readonly tls?: string;
  /** How browsers call the console: a number, or a name that security keys can belong to. */
  readonly host?: '127.0.0.1' | 'localhost';
  /** There is a provider that speaks SAML as well. */
  readonly saml?: boolean;
  /** Before the other rules. */
  readonly rules?: string;
  /** Sees the data folder before the gateway starts. */
  readonly prepare?: (data: string) => void;
  /** What is by SSH beside the database: a machine, or "vm" which nobody is at. */
  readonly ssh?: 'machine' | 'nobody';
}

const NO_MACHINE = `policies: [production]
    not_followed: mask
  vm:
    protocol: ssh
    target: { host: 127.0.0.1, port: 1, host_keys: { first_use: true } }
    credential: { user: deploy, password: of-nobody }
    accounts: [root]
    access: ["group:dba"]`;

export async function openConsoleStand({
  tls = 'off',
  host = '127.0.0.1',
  saml = false,
  rules = '',
  prepare,
  ssh,
}: ConsoleStandOptions = {}): Promise<ConsoleStand> {
  const server = await startPostgres({ major: 18 });
  const sshd = ssh === 'machine' && missingSshd() === undefined ? await startSshd() : undefined;
  const bySsh = ssh && { machine: sshd && machine(sshd), nobody: NO_MACHINE }[ssh];
  const { path, remove } = temporaryFolder('console');
  mkdirSync(join(path, 'data'), { mode: 0o700 });
  prepare?.(join(path, 'data'));
  const port = await freePort();
  const [control, listener] = [await freePort(), await freePort()];
  const origin = `${tls === 'off' ? 'http' : 'https'}://${host}:${port}`;
  const idp = saml ? await startSamlIdp(PEOPLE) : undefined;
  if (idp) writeFileSync(join(path, 'idp.pem'), idp.signing.certificate);
  const bySaml = idp
    ? `, okta: { saml: { idp: "${idp.entityId}", sso_url: "${idp.ssoUrl}", certificate: "${path}/idp.pem" }, principal: login, principal_prefix: s-, groups: groups, groups_prefix: s- }`
    : '';
  const issuer = await startIssuer(0, { people: PEOPLE, console: origin });
  const open = (): Promise<Stand> =>
    openStand({
      folder: path,
      target: targetOf(server),
      rules: rules + RULES,
      listener: `{ address: 127.0.0.1, port: ${listener}, tls: self-signed }${bySsh === undefined ? '' : ', ssh: { port: 0 }'}`,
      ...(bySsh !== undefined && { connection: bySsh, notFollowed: 'default' as const }),
      console: `{ address: 127.0.0.1, port: ${port}, tls: ${tls}, external_url: "${origin}" }`,
      control: String(control),
      access: '["group:engineers", "group:dba", "group:platform", "group:s-engineers"]',
      sections: `issuers: { corp: { issuer: "${issuer.url}", audience: [sluice, ${CONSOLE_CLIENT.id}], client_id: sluice, console: { client_id: ${CONSOLE_CLIENT.id}, client_secret: ${CONSOLE_CLIENT.secret} }, scopes: [openid, profile, groups], groups: groups }${bySaml} }
roles: { user: ["group:engineers", "group:dba", "group:platform", "group:s-engineers", "group:s-dba"], approver: ["group:dba", "group:s-dba"], admin: ["group:platform"] }`,
    });
  let stand = await open();
  return {
    get stand() {
      return stand;
    },
    server,
    issuer,
    idp,
    origin,
    sshd,
    tokenOf: async (page) =>
      page.evaluate(async () => {
        const headers = { 'content-type': 'application/json', 'x-sluice-console': 'active' };
        const made = await fetch('/v1/tokens', { method: 'POST', headers, body: JSON.stringify({ name: 'test' }) });
        return ((await made.json()) as { token: string }).token;
      }),
    restart: async () => {
      await stand.gateway.stop();
      stand = await open();
    },
    stop: async () => {
      await stand.stop();
      await server.stop();
      await sshd?.stop();
      await issuer.close();
      await idp?.close();
      remove();
    },
  };
}

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

const IMAGES = join(import.meta.dirname, '..', '..', 'docs', 'images');

/** A picture for docs/console.md, where documents are written anew (`SLUICE_WRITE_DOCS=1`). scripts/screenshots.mjs makes the others. */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env['SLUICE_WRITE_DOCS'] !== '1') return;
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.screenshot({ path: join(IMAGES, `console-${name}.png`) });
}

/** A key in the browser that is touched by itself, as its owner would. */
export async function plugIn(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'usb',
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

/** What a page of the console posts to the gateway by itself, and what it is told. */
export const post = (
  page: Page,
  path: string,
  body: object,
): Promise<{ readonly status: number; readonly said: Record<string, unknown> }> =>
  page.evaluate(
    async ([where, what]) => {
      const headers = { 'content-type': 'application/json', 'x-sluice-console': 'active' };
      const answer = await fetch(where, { method: 'POST', headers, body: JSON.stringify(what) });
      return { status: answer.status, said: (await answer.json()) as Record<string, unknown> };
    },
    [path, body] as const,
  );

/** What the key in the browser signs for a question. */
export const sign = (page: Page, question: object): Promise<object> =>
  page.evaluate(async (json) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json as PublicKeyCredentialRequestOptionsJSON);
    return ((await navigator.credentials.get({ publicKey })) as PublicKeyCredential).toJSON() as object;
  }, question);

/** A browser of somebody's own, logged in, at a page of the console. What its pages complain of is in `complaints`. */
export async function loggedIn(
  browser: Browser,
  origin: string,
  person: Person,
  path = '/',
  at = 'corp',
): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${origin}${path}`);
  await page.getByRole('link', { name: `Log in with ${at}` }).click();
  await page.getByRole('button', { name: PEOPLE[person].name }).click();
  await page.getByRole('navigation', { name: 'Pages', exact: true }).waitFor();
  complaints.length = 0;
  return { page, complaints };
}

/** Until colours have changed: those on the way are nobody's to read. */
export const atRest = (page: Page): Promise<void> =>
  page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const changing = document.getAnimations().filter((one) => one instanceof CSSTransition);
    await Promise.allSettled(changing.map(({ finished }) => finished));
  });
