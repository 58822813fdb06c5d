/** What reading the messages of a login costs, in work and not in time: strangers write them, and 10 000 bytes at once. */
import { growth } from '@sluice/testkit/work';
import { expect, test } from 'vitest';
import { readBearer } from '../src/oauth.js';
import { readClientFinal, readClientFirst } from '../src/scram.js';
import { readStartupSettings } from '../src/settings.js';

const MOST_GROWTH = 2.2;
/** What a reader of strangers' texts makes of one matters less than what it costs: most of these are none. */
const attempt = (read: () => unknown): void => {
  try {
    read();
  } catch {
    // It is no such message.
  }
};
const PIECES = [
  'a',
  ',',
  '=',
  'n=',
  ',a=',
  ',p=',
  ',p=A',
  'r=a,',
  '\u0001',
  'auth=',
  'bearer ',
  ' ',
  '\\',
  '-c a=b ',
  '"',
  '+a',
];
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  'options of the start': (text) =>
    readStartupSettings(
      new Map([
        ['user', 'a'],
        ['options', text],
      ]),
    ),
  'a setting of the start': (text) =>
    readStartupSettings(
      new Map([
        ['user', 'a'],
        [`x${text}`, text],
      ]),
    ),
  'the first message of SCRAM': (text) => readClientFirst(`n,,n=,r=${text}`),
  'the last message of SCRAM': (text) => readClientFinal(`c=biws,r=a${text}`),
  'a bearer token': (text) => readBearer(Buffer.from(`n,,\u0001auth=Bearer ${text}\u0001\u0001`)),
  'pairs of OAUTHBEARER': (text) => readBearer(Buffer.from(`n,,\u0001${text}\u0001\u0001`)),
};

test.each(Object.entries(READERS))('%s', (_, read) => {
  for (const piece of PIECES) {
    const run = (size: number): void => attempt(() => read(piece.repeat(size / piece.length)));
    expect(growth(8_192, run), piece).toBeLessThan(MOST_GROWTH);
  }
});
