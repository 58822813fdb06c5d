import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchJson } from '../src/oidc/fetch.js';
import { Issuers } from '../src/index.js';
import { FakeIssuer, newKey, refusal, settings } from './issuer.js';

const [first, second] = [await newKey('first'), await newKey('second')];
const MINUTE = 60_000;
let issuer: FakeIssuer;

beforeEach(() => {
  issuer = new FakeIssuer();
  issuer.keys = [first.jwk];
});

/** How often the keys were fetched; a discovery comes with each. */
const fetches = (): number => issuer.fetched.filter((url) => url.endsWith('/keys')).length;

test('many tokens at once cost one fetch', async () => {
  const issuers = issuer.issuers();
  const token = await issuer.token(first);
  const said = await Promise.all(Array.from({ length: 50 }, () => refusal(issuers, token)));
  expect(new Set(said)).toEqual(new Set(['taken']));
  expect(fetches()).toBe(1);
});

test('keys that were fetched before the first token see it through an issuer that is down by then', async () => {
  const issuers = issuer.issuers();
  await issuers.warm();
  issuer.down = true;
  expect(await refusal(issuers, await issuer.token(first))).toBe('taken');
  expect(fetches()).toBe(1);
});

test('another configuration goes on with the keys that are there, for as long as it says itself', async () => {
  const before = issuer.issuers();
  await refusal(before, await issuer.token(first));
  issuer.down = true;
  issuer.now += 30 * MINUTE;
  const options = { fetch: issuer.fetch, now: () => issuer.now, before };
  const token = await issuer.token(first);
  expect(await refusal(new Issuers([settings({ name: 'renamed' })], options), token)).toBe('taken');
  expect(await refusal(new Issuers([settings({ keysMaxAge: MINUTE })], options), token)).toMatch(/^unavailable/);
});

test('a new key is fetched when a token names it, at most every 30 s', async () => {
  const issuers = issuer.issuers();
  expect(await refusal(issuers, await issuer.token(first))).toBe('taken');
  issuer.now += 31_000;
  issuer.keys = [first.jwk, second.jwk];
  expect(await refusal(issuers, await issuer.token(second))).toBe('taken');
  expect(fetches()).toBe(2);
  for (let at = 0; at < 20; at++)
    expect(await refusal(issuers, await issuer.token(second, {}, { kid: `guess-${at}` }))).toMatch(/^invalid/);
  expect(fetches()).toBe(2);
  issuer.now += 31_000;
  await refusal(issuers, await issuer.token(second, {}, { kid: 'guess' }));
  expect(fetches()).toBe(3);
});

test('tokens that come together after the keys have changed are all taken, for one fetch', async () => {
  const issuers = issuer.issuers();
  await refusal(issuers, await issuer.token(first));
  issuer.now += 31_000;
  issuer.keys = [second.jwk];
  const token = await issuer.token(second);
  const said = await Promise.all(Array.from({ length: 20 }, () => refusal(issuers, token)));
  expect(new Set(said)).toEqual(new Set(['taken']));
  expect(fetches()).toBe(2);
});

test('a key that the issuer has taken back is refused once the set is fetched again', async () => {
  const issuers = issuer.issuers();
  await refusal(issuers, await issuer.token(first));
  issuer.keys = [second.jwk];
  issuer.now += 31_000;
  expect(await refusal(issuers, await issuer.token(second))).toBe('taken');
  expect(await refusal(issuers, await issuer.token(first))).toMatch(/^invalid/);
});

test('keys outlive an issuer that is down until they are too old; then the refusal says so', async () => {
  const issuers = issuer.issuers({ keysMaxAge: 60 * MINUTE });
  await refusal(issuers, await issuer.token(first));
  issuer.down = true;
  for (const minutes of [11, 30, 18]) {
    issuer.now += minutes * MINUTE;
    expect(await refusal(issuers, await issuer.token(first))).toBe('taken');
  }
  expect(issuer.failures.length).toBeGreaterThan(0);
  issuer.now += 2 * MINUTE;
  expect(await refusal(issuers, await issuer.token(first))).toBe(
    'unavailable: the keys of https://login.acme.example cannot be fetched',
  );
  issuer.down = false;
  issuer.now += MINUTE;
  expect(await refusal(issuers, await issuer.token(first))).toBe('taken');
});

test('an issuer that was never reached is asked again every 30 s, not by each token', async () => {
  issuer.down = true;
  const issuers = issuer.issuers();
  for (let at = 0; at < 10; at++) expect(await refusal(issuers, await issuer.token(first))).toMatch(/^unavailable/);
  expect(issuer.fetched).toHaveLength(1);
  issuer.down = false;
  issuer.now += 31_000;
  expect(await refusal(issuers, await issuer.token(first))).toBe('taken');
});

describe('documents that are not taken', () => {
  test.each<[string, (it: FakeIssuer) => void, RegExp]>([
    [
      'discovery of another issuer',
      (it) => (it.metadata = { issuer: 'https://evil.example', jwks_uri: 'https://x' }),
      /not the document/,
    ],
    [
      'keys over plain http',
      (it) => (it.metadata = { issuer: 'https://login.acme.example', jwks_uri: 'http://a.example/keys' }),
      /no https address/,
    ],
    [
      'keys in a file',
      (it) => (it.metadata = { issuer: 'https://login.acme.example', jwks_uri: 'file:///etc/keys' }),
      /no https address/,
    ],
    ['nothing', (it) => (it.metadata = null), /not the document/],
    ['an empty set', (it) => (it.keys = []), /no public keys/],
    ['more keys than anybody has', (it) => (it.keys = Array.from({ length: 101 }, () => first.jwk)), /more than 100/],
    ['shared secrets only', (it) => (it.keys = [{ kty: 'oct', k: 'AAAA', kid: 'first' }]), /no public keys/],
  ])('%s', async (_, change, why) => {
    change(issuer);
    expect(await refusal(issuer.issuers(), await issuer.token(first))).toMatch(/^unavailable/);
    expect(issuer.failures[0]).toMatch(why);
  });

  test('a bad set does not replace a good one', async () => {
    const issuers = issuer.issuers();
    await refusal(issuers, await issuer.token(first));
    issuer.keys = [];
    issuer.now += 31_000;
    await refusal(issuers, await issuer.token(second));
    expect(await refusal(issuers, await issuer.token(first))).toBe('taken');
  });
});

describe('over the network', () => {
  let stop: () => void = () => undefined;
  afterEach(() => stop());

  async function serve(answer: (respond: import('node:http').ServerResponse) => void): Promise<string> {
    const server = createServer((_, response) => answer(response)).listen(0, '127.0.0.1');
    stop = () => void (server.closeAllConnections(), server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test('a document has a largest size, whatever its head says', async () => {
    const url = await serve((response) => response.end(JSON.stringify({ junk: 'x'.repeat(10_000) })));
    expect(await fetchJson(url, 20_000)).toHaveProperty('junk');
    await expect(fetchJson(url, 5_000)).rejects.toThrow('more than 5000 bytes');
  });

  test('an issuer that does not answer, or does not finish, is not waited for', async () => {
    const silent = await serve(() => undefined);
    await expect(fetchJson(silent, 1000, 100)).rejects.toThrow(/timeout/);
    stop();
    const slow = await serve((response) => void response.write('{"keys":'));
    await expect(fetchJson(slow, 1000, 100)).rejects.toThrow(/timeout/);
  });

  test('a redirect is not followed', async () => {
    const url = await serve((response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end());
    await expect(fetchJson(url, 1000)).rejects.toThrow();
  });

  test('an error is not a document', async () => {
    const url = await serve((response) => response.writeHead(500).end('{}'));
    await expect(fetchJson(url, 1000)).rejects.toThrow('answers 500');
  });
});
