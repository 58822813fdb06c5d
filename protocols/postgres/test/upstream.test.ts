/** A target that is not what it says: its login is refused in words, at once, and no password is sent that nobody asked for. */
import { duplexPair } from 'node:stream';
import type { LookQuestion, Target } from '@sluice/contract';
import { CUTS } from '@sluice/testkit';
import { describe, expect, test } from 'vitest';
import { lookFirst } from '../src/look.js';
import { B, message } from '../src/messages.js';
import { type Reach, openUpstream } from '../src/upstream.js';
import { reply } from './talk.js';

const target = { user: 'app', password: 'hunter2', tls: 'disable' } as Target;
const authentication = (...fields: (string | number | Uint8Array)[]): Buffer => message(B.authentication, ...fields);
const sasl = authentication(10, 'SCRAM-SHA-256', '');

describe.each(Object.entries(CUTS))('%s', (_, cut) => {
  /** What comes of a login at a target that answers each message of ours with the next of these; and what it was sent. */
  async function login(...answers: Buffer[]): Promise<{ outcome: string; sent: string }> {
    const [ours, theirs] = duplexPair();
    let sent = '';
    theirs.on('data', (bytes: Buffer) => {
      sent += bytes.toString('latin1');
      for (const piece of cut(answers.shift() ?? Buffer.alloc(0))) theirs.write(piece);
    });
    const reach = { dial: () => Promise.resolve(ours), limits: { upstreamLogin: 5000 } } as unknown as Reach;
    try {
      const { major } = await openUpstream(reach, target, new Map([['application_name', 'test']]));
      return { outcome: `PostgreSQL ${major}`, sent };
    } catch (error) {
      return { outcome: (error as Error).message, sent };
    } finally {
      ours.destroy();
      theirs.destroy();
    }
  }
  const ready = [
    authentication(0),
    reply.status('server_version', '18.1'),
    reply.notice,
    message(B.backendKeyData, 7, 8),
    reply.ready('I'),
  ];

  test('a good one is let in; the settings that texts are read by come last', async () => {
    const { outcome, sent } = await login(Buffer.concat(ready));
    expect(outcome).toBe('PostgreSQL 18');
    expect(sent).toMatch(/application_name\0test\0.*client_encoding\0UTF8\0standard_conforming_strings\0on\0\0$/);
  });

  test.each([
    ['AuthenticationOk before the end of SCRAM', [sasl, Buffer.concat(ready)], /it may be an impostor/],
    [
      'a request for the password that has another size',
      [authentication(3, 0)],
      /does not speak the Postgres protocol/,
    ],
    ['a salt that is too short', [authentication(5, Buffer.from('abc'))], /does not speak the Postgres protocol/],
    ['a login that there is none of', [authentication(7)], /cannot do \(code 7\)/],
    ['a message without a code', [authentication()], /cannot do \(code missing\)/],
    ['the last of SCRAM first', [authentication(12, Buffer.from('v=x'))], /out of order/],
    ['the password in the clear', [authentication(3)], /set tls for this connection/],
    ['an error without an end', [message(B.errorResponse, Buffer.from('Mabc\0'))], /cannot be read/],
    ['an error', [reply.error('53300', 'FATAL')], /refused the connection: genuine/],
    ['an error on the credential', [reply.error('28P01', 'FATAL')], /did not accept the credential/],
    ['another protocol', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], /does not speak the Postgres protocol/],
    [
      'a setting without an end',
      [Buffer.concat([authentication(0), message(B.parameterStatus, Buffer.from('a'))])],
      /cannot be read/,
    ],
    [
      'an old version',
      [Buffer.concat([authentication(0), reply.status('server_version', '9.6'), reply.ready('I')])],
      /9\.6/,
    ],
  ] as const)('%s', async (_name, answers, why) => {
    const { outcome, sent } = await login(...answers);
    expect(outcome).toMatch(why);
    expect(sent).not.toContain('hunter2');
  });
});

/** What comes of a target that sends `more` for as long as somebody reads, once it was told the first thing. */
async function endless<T>(begin: Buffer, more: Buffer, act: (reach: Reach) => Promise<T>): Promise<string> {
  const [ours, theirs] = duplexPair();
  let answers = 0;
  const send = (): void => {
    while (!theirs.destroyed && theirs.write(more));
  };
  theirs.on('data', () => {
    if (answers++ > 0) return;
    theirs.write(begin);
    theirs.on('drain', send);
    send();
  });
  const reach = { dial: () => Promise.resolve(ours), limits: { upstreamLogin: 5000 } } as unknown as Reach;
  try {
    await act(reach);
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  } finally {
    theirs.destroy();
    ours.destroy();
  }
}

const setting = message(B.parameterStatus, 'x', 'y'.repeat(60_000));

test('a greeting without an end is given up before it fills the memory', async () => {
  const said = await endless(authentication(0), setting, (reach) => openUpstream(reach, target, new Map()));
  expect(said).toContain('does not come to an end');
});

test('so is one behind the end of the login', async () => {
  const greeted = Buffer.concat([authentication(0), reply.status('server_version', '18.1'), reply.ready('I')]);
  const said = await endless(greeted, setting, async (reach) => {
    const look = { text: 'select 1', answered: () => ({}) } as unknown as LookQuestion;
    return lookFirst(await openUpstream(reach, target, new Map()), look, 5_000);
  });
  expect(said).toContain('does not come to an end');
});
