import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import type { Admission, Challenge, Refusal, RefusalReason, ScramCandidate } from '@sluice/contract';
import { Inbox } from '@sluice/wire';
import { expect, test } from 'vitest';
import { loginByScram } from '../src/login.js';
import { ScramClient } from '../src/scram.js';

const SALT = randomBytes(16);
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** One login with `password` against eight candidates, of which one has it or none; and how many were tried. */
async function attempt(
  password: string,
  right: number | undefined,
): Promise<{ result: 'admission' | RefusalReason; tried: number }> {
  let tried = 0;
  const candidate = (at: number): ScramCandidate => {
    const salted = pbkdf2Sync(at === right ? password : `other ${at}`, SALT, 4096, 32, 'sha256');
    const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
    return {
      // Each proof that is checked reads it once, and makes one HMAC and one hash with it.
      get storedKey() {
        tried++;
        return storedKey;
      },
      serverKey: hmac(salted, 'Server Key'),
      admit: () =>
        Promise.resolve({ type: 'refusal', reason: { code: 'already-chosen', connection: `candidate ${at}` } }),
    };
  };
  const refused: Refusal = {
    type: 'refusal',
    reason: { code: 'wrong-proof', user: 'dev', tokens: 8 },
  };
  const challenge = {
    scram: () => ({
      salt: SALT,
      iterations: 4096,
      candidates: Array.from({ length: 8 }, (_, at) => candidate(at)),
      fail: () => Promise.resolve(refused),
    }),
  } as unknown as Challenge;
  const client = new ScramClient(['SCRAM-SHA-256']);
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const send = (body: Buffer): void => {
    const head = Buffer.from([0x70, 0, 0, 0, 0]);
    head.writeInt32BE(body.length + 4, 1);
    stream.push(Buffer.concat([head, body]));
  };
  const length = Buffer.alloc(4);
  length.writeInt32BE(client.first.length);
  send(Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), length, Buffer.from(client.first)]));
  const side = {
    inbox: new Inbox(stream),
    endpoint: undefined,
    write: (bytes: Uint8Array): void => {
      const text = Buffer.from(bytes).toString('latin1');
      const first = /r=[^,]+,s=[^,]+,i=\d+/.exec(text)?.[0];
      if (first !== undefined) void client.final(password, first).then((final) => send(Buffer.from(final)));
    },
  };
  const outcome: Admission | Refusal = await loginByScram(side, challenge);
  return { result: outcome.type === 'refusal' ? outcome.reason : outcome.type, tried };
}

test.each([
  ['the first token', 0, { code: 'already-chosen', connection: 'candidate 0' }],
  ['the last token', 7, { code: 'already-chosen', connection: 'candidate 7' }],
  ['no token', undefined, { code: 'wrong-proof', user: 'dev', tokens: 8 }],
])('a proof that fits %s is tried against all eight', async (_, right, result) => {
  expect(await attempt('sluice_secret', right)).toEqual({ result, tried: 8 });
});
