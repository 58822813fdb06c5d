import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Tunnel } from '../src/index.js';
import { End } from './pair.js';
import { describeFrames, readTranscript } from './transcript.js';

const TRANSCRIPT = readTranscript(
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'fixtures', 'tunnel', 'exchange.txt'), 'utf8'),
);
const of = (from: '>' | '<'): Buffer[] => TRANSCRIPT.filter((line) => line.from === from).map(({ bytes }) => bytes);

test('a recorded exchange reads as it was meant, byte by byte too', () => {
  const asked = describeFrames(of('>'));
  expect(asked).toEqual([
    'hello 0 {"versions":[1,1],"window":16,"streams":4096}',
    'ping 0 0000000000000001',
    'open 1 {"host":"db.internal","port":5432}',
    'pong 0 0000000000000001',
    'data 1 select version()',
    'fin 1',
    'credit 1 26',
    'open 2 {"host":"evil.internal","port":22}',
  ]);
  expect(describeFrames(of('<'))).toEqual([
    'hello 0 {"versions":[1,1],"window":16,"streams":4096}',
    'ping 0 0000000000000001',
    'pong 0 0000000000000001',
    'accept 1 {"address":"10.1.2.3:5432"}',
    'credit 1 32',
    'data 1 PostgreSQL',
    'fin 1',
    'refuse 2 {"code":"denied","message":"evil.internal:22 is not on the allow-list of the agent"}',
  ]);
  const bytes = Buffer.concat(of('>'));
  const cut = describeFrames(Array.from(bytes, (byte) => Buffer.from([byte]))).filter(
    (line) => !line.startsWith('data'),
  );
  expect(cut).toEqual(asked.filter((line) => !line.startsWith('data')));
});

test('this version answers the recorded asking end as the recorded answering end did', async () => {
  const end = new End();
  const tunnel = new Tunnel({
    transport: end,
    peer: 'the recorded gateway',
    window: 16,
    onOpen: (opening) => {
      if (!opening.payload.includes('db.internal')) {
        opening.refuse({ code: 'denied', message: 'evil.internal:22 is not on the allow-list of the agent' });
        return;
      }
      const stream = opening.accept(Buffer.from('{"address":"10.1.2.3:5432"}'));
      stream?.once('data', () => stream.end('PostgreSQL')).resume();
    },
  });
  for (const { from, bytes } of TRANSCRIPT) {
    if (from === '>') end.receive(bytes);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setImmediate(resolve));
  // How much credit is given depends on how fast the link is.
  const answers = (bytes: readonly Buffer[]): string[] =>
    describeFrames(bytes)
      .map((line) => line.replace(/^(credit \d+) .*/, '$1'))
      .toSorted();
  expect(answers(end.sent)).toEqual(answers(of('<')));
  tunnel.close('done');
});
