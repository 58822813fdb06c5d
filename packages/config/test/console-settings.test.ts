import { expect, test } from 'vitest';
import { type ConsoleConfig, describeProblem, parseConfig } from '../src/index.js';

const ISSUER = 'issuers: { corp: { issuer: "https://login.acme.example", audience: sluice, client_id: sluice } }';
const parse = (text: string, issuer = ISSUER) =>
  parseConfig(`listeners: { console: ${text} }\n${issuer}`, { file: '/etc/sluice.yaml', env: {} });

function good(text: string, issuer?: string): ConsoleConfig | undefined {
  const loaded = parse(text, issuer);
  if (!loaded.ok) throw new Error(loaded.problems.map(describeProblem).join('\n'));
  return loaded.config.listeners.console;
}

const bad = (text: string, issuer?: string): string[] => {
  const loaded = parse(text, issuer);
  return loaded.ok ? [] : loaded.problems.map(({ path, message }) => `${path}: ${message}`);
};

test('a console is on loopback with a certificate of its own, unless it says otherwise', () => {
  expect(good('{}')).toEqual({
    addresses: ['127.0.0.1'],
    port: 7440,
    tls: 'self-signed',
    origin: undefined,
    idle: 3_600_000,
    session: 8 * 3_600_000,
  });
  expect(good('{ address: "::", external_url: "https://sluice.acme.example:8440/" }')?.origin).toBe(
    'https://sluice.acme.example:8440',
  );
  // Behind something on the same machine that speaks TLS.
  expect(good('{ tls: off, external_url: "https://sluice.acme.example" }')?.origin).toBe('https://sluice.acme.example');
  expect(good('{ tls: off, external_url: "http://localhost:7440" }')?.origin).toBe('http://localhost:7440');
});

test.each([
  ['{ address: 0.0.0.0 }', 'external_url: it has to be said where others reach the console'],
  [
    '{ address: 0.0.0.0, tls: off, external_url: "https://a.example" }',
    'tls: without TLS anybody between could act as whoever logs in',
  ],
  [
    '{ tls: off, external_url: "http://a.example" }',
    'external_url: without https anybody between could act as whoever logs in',
  ],
  ['{ external_url: "http://127.0.0.1:7440" }', 'external_url: the listener speaks TLS'],
  [
    '{ external_url: "https://a.example/console" }',
    'external_url: "https://a.example/console" is not an address of a site',
  ],
  ['{ external_url: "https://me@a.example" }', 'external_url: "https://me@a.example" is not an address of a site'],
  ['{ external_url: "javascript:alert(1)" }', 'external_url: "javascript:alert(1)" is not an address of a site'],
  ['{ idle: 9h }', 'idle: it is longer than "session"'],
])('%s is a mistake', (text, mistake) => expect(bad(text)).toEqual([`listeners.console.${mistake}.`]));

test.each([
  ['', 'nobody'],
  ['issuers: { ci: { issuer: "https://ci.example", audience: sluice, client_id: x, kind: agent } }', 'programs'],
  ['issuers: { corp: { issuer: "https://a.example", audience: sluice } }', 'no client'],
])('a console that nobody can log in to is a mistake: %s', (issuer) =>
  expect(bad('{}', issuer)).toEqual(['listeners.console: nobody can log in to the console.']),
);

test('an issuer names the client of the console, whose secret is never printed', () => {
  const issuer =
    'issuers: { corp: { issuer: "https://login.acme.example", audience: sluice, console: { client_id: web, client_secret: very-secret-text } } }';
  const loaded = parse('{}', issuer);
  const corp = loaded.ok ? loaded.config.issuers.get('corp') : undefined;
  expect(corp && 'console' in corp && corp.console?.clientId).toBe('web');
  expect(loaded.ok && JSON.stringify([...loaded.config.issuers])).not.toContain('very-secret-text');
});
