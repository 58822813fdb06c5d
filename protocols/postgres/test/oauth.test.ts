import { duplexPair } from 'node:stream';
import type { Challenge, Gate, Refusal } from '@sluice/contract';
import { CUTS } from '@sluice/testkit';
import { Inbox } from '@sluice/wire';
import { describe, expect, test } from 'vitest';
import { login } from '../src/login.js';
import { F, message } from '../src/messages.js';
import { readBearer } from '../src/oauth.js';

const DISCOVERY = { url: 'https://login.acme.example/.well-known/openid-configuration', scope: 'openid' };
const REFUSED: Refusal = {
  type: 'refusal',
  reason: { code: 'wrong-proof', user: 'dev', tokens: 8 },
};
const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2ln';

const initial = (text: string, mechanism = 'OAUTHBEARER'): Buffer => {
  const bytes = Buffer.from(text);
  return message(F.password, mechanism, bytes.length, bytes);
};
const dummy = message(F.password, Buffer.from('\u0001'));
const bearer = (token: string): string => `n,,\u0001auth=Bearer ${token}\u0001\u0001`;

/** Plays one login: what the client sends, cut as told; what it is sent, and how it ends. */
async function play(
  sent: Buffer[],
  outcome: Refusal | 'admitted' = 'admitted',
  gate: Partial<Gate> = { loopback: true },
) {
  const [ours, theirs] = duplexPair();
  const written: Buffer[] = [];
  const shown: string[] = [];
  const challenge = {
    prefers: 'oauth',
    discovery: DISCOVERY,
    bearer: (token: string) => {
      shown.push(token);
      return Promise.resolve(outcome === 'admitted' ? { type: 'admission' } : outcome);
    },
  } as Partial<Challenge> as Challenge;
  const client = {
    inbox: new Inbox(ours),
    endpoint: undefined,
    write: (bytes: Uint8Array) => void written.push(Buffer.from(bytes)),
  };
  for (const piece of sent) theirs.write(piece);
  theirs.end();
  const end = await login(client, gate as Gate, undefined, challenge).then(
    ({ type }) => type,
    (error: Error) => error.message,
  );
  return { end, shown, written: written.map((one) => one.subarray(9).toString('latin1')) };
}

describe.each(Object.entries(CUTS))('cut %s', (_, cut) => {
  test('a token that will do', async () => {
    expect(await play(cut(initial(bearer(TOKEN))))).toEqual({
      end: 'admission',
      shown: [TOKEN],
      written: ['OAUTHBEARER\0\0'],
    });
  });

  test('one that will not: the client is told where to get another, and then refused', async () => {
    const { end, written } = await play(cut(Buffer.concat([initial(bearer(TOKEN)), dummy])), REFUSED);
    expect(end).toBe('refusal');
    expect(JSON.parse(written[1] ?? '')).toEqual({
      status: 'invalid_token',
      'openid-configuration': DISCOVERY.url,
      scope: 'openid',
    });
  });

  test('none: the client asks where to get one, and nobody counts that as a failed login', async () => {
    const { end, shown, written } = await play(cut(Buffer.concat([initial('n,,\u0001auth=\u0001\u0001'), dummy])));
    expect(end).toMatch(/a token is needed/);
    expect(shown).toEqual([]);
    expect(JSON.parse(written[1] ?? '')).toHaveProperty('openid-configuration', DISCOVERY.url);
  });
});

test('a refusal that another token would not mend comes at once', async () => {
  const { end, written } = await play([initial(bearer(TOKEN))], {
    type: 'refusal',
    reason: { code: 'no-access', user: 'dev', connection: 'db' },
  });
  expect([end, written.length]).toEqual(['refusal', 1]);
});

test('a client that says more than the end of the exchange is cut off', async () => {
  const more = message(F.password, Buffer.from(bearer(TOKEN)));
  const { end, shown } = await play([initial(bearer(TOKEN)), more], REFUSED);
  expect(end).toMatch(/expected the end/);
  expect(shown).toHaveLength(1);
});

test('without TLS, and not on this machine, nobody is asked for a token', async () => {
  const { end, written } = await play([initial(bearer(TOKEN))], 'admitted', { loopback: false });
  expect(end).toMatch(/over TLS only/);
  expect(written).toEqual([]);
});

test('another mechanism, or a length that lies, ends it', async () => {
  expect((await play([initial(bearer(TOKEN), 'SCRAM-SHA-256')])).end).toMatch(/invalid SASL/);
  const bytes = initial(bearer(TOKEN));
  bytes.writeInt32BE(5, 5 + 'OAUTHBEARER\0'.length);
  expect((await play([bytes])).end).toMatch(/wrong length/);
});

describe('RFC 7628 section 3.1', () => {
  const read = (text: string): string | undefined => readBearer(Buffer.from(text.replaceAll('^', '\u0001'), 'latin1'));

  test('the token is what follows "Bearer", in any case; other pairs are passed over', () => {
    for (const text of ['n,,^auth=Bearer a.b~c/d+e==^^', 'y,,^host=h^port=1^auth=bEaReR   a.b~c/d+e==^^'])
      expect(read(text)).toBe('a.b~c/d+e==');
  });

  test.each([
    'n,,^auth=Bearer x^',
    'n,,^auth=Bearer x',
    'n,,^^',
    'n,,',
    '',
    '^auth=Bearer x^^',
    'n,^auth=Bearer x^^',
    'p=tls-unique,,^auth=Bearer x^^',
    'n,a=root,^auth=Bearer x^^',
    'n,,^auth=Basic x^^',
    'n,,^auth=Bearer^^',
    'n,,^auth=Bearer x y^^',
    'n,,^auth=Bearer x\n^^',
    'n,,^auth=Bearer x^auth=Bearer y^^',
    'n,,^auth=Bearer x^^^',
    'n,,^=x^auth=Bearer x^^',
    'n,,^auth=Bearer \u00ff^^',
  ])('%j is not a message', (text) => expect(() => read(text)).toThrow(/OAUTHBEARER|supported/));
});
