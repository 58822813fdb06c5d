/**
 * What reading a text costs, in work and not in time: twice the text is twice the work, for everything on the thread of the
 * sessions that reads what users write. Detectors are counted in packages/masking/test/work.test.ts.
 */
import { growth } from '@sluice/testkit/work';
import { analyzeShell } from '@sluice/shell';
import { readLoginName, tokenId } from '@sluice/identity';
import { pack, parseCertificate, parseKeyLine, parsePublicKey } from '@sluice/keys';
import { redactSecrets } from '@sluice/recording';
import { describe, expect, test } from 'vitest';
import { printable, printableJson, printableLine, replaced, visible } from '@sluice/cli';
import { nameOnRecord } from '@sluice/audit';

const MOST_GROWTH = 2.2;
const KEY = Buffer.alloc(32, 7);

/** What stands once in front, and what is repeated. */
const SQL: Readonly<Record<string, readonly [front: string, piece: string]>> = {
  'words with dots': ["select 'password ://", 'a.'],
  'addresses without a password': ["select '", 'x://a:'],
  'addresses with one': ["select '", 'x://a:b@'],
  'addresses in a comment': ['/* ', 'x://a:b'],
  schemes: ["select '", 'a://'],
  passwords: ['', "password 'x' "],
  'passwords in connection strings': ["select '", 'password=x '],
  'blanks behind a password': ["select 'password", ' '],
  'backslashes behind a password': ["select 'password=", '\\'],
  'quotes behind a password': ["select 'password='", "''"],
  'doubled quotes': ["select 'password ", "''"],
  tokens: ["select '", 'sluice_a'],
  'tokens with two parts': ["select '", 'sluice_a_a '],
  'openings of comments': ['password ', '/*'],
  'tags of dollar quotes': ['password ', '$a'],
  dollars: ['password ', '$'],
  quotes: ['password ', '"'],
  signs: ['password ', '='],
};

describe('texts of statements', () => {
  test.each(Object.entries(SQL))('%s', (_, [front, piece]) => {
    const text = (size: number): string => front + piece.repeat(size / piece.length);
    expect(growth(16_384, (size) => redactSecrets(text(size), KEY))).toBeLessThan(MOST_GROWTH);
  });
});

const LINES = [
  'ls; ',
  'a|',
  '$(',
  '`a` ',
  '${a}',
  '"$a" ',
  "'a' ",
  '<<a\n',
  '>a ',
  'a=b ',
  '((',
  '{a,b}',
  '*',
  '\\',
  'sh -c "a"; ',
  'cat ../',
  'git push +a; ',
  'curl -o a; ',
  'scp -t a; ',
  'cat a*b*; ',
  '-',
  'x ',
];

test.each(LINES)('command lines of %j', (piece) => {
  // Longer ones than 16 KiB are not read at all.
  const line = (size: number): unknown =>
    analyzeShell({
      type: 'exec',
      id: 1,
      shell: 'bash',
      text: `true ${piece.repeat(size / piece.length)}`,
      account: 'a',
      environment: [],
      terminal: false,
    });
  expect(growth(7_000, line)).toBeLessThan(MOST_GROWTH);
});

/** What makes texts of others fit for a terminal, the log and the record. */
const CLEANERS: Readonly<Record<string, (text: string) => unknown>> = {
  printable,
  printableLine,
  printableJson,
  visible,
  replaced,
  nameOnRecord,
};
const PIECES = [
  'a',
  '\x1b[',
  '\u202e',
  ' ',
  '\n',
  '\t ',
  "'",
  "'a' ",
  '1',
  '1a',
  '1.',
  '1 ',
  "''",
  'agent_',
  'eyJ-',
  'eyJ.',
  'sluice_a_',
];

test.each(Object.entries(CLEANERS))('%s', (_, clean) => {
  for (const piece of PIECES)
    expect(
      growth(16_384, (size) => clean(piece.repeat(size / piece.length))),
      piece,
    ).toBeLessThan(MOST_GROWTH);
});

/** Offered by strangers, before anybody looks whose they are. */
const KEYS: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  'keys of SSH': parsePublicKey,
  'certificates of SSH': parseCertificate,
  'lines of keys': (bytes) => parseKeyLine(bytes.toString('latin1')),
  'names with a token': (bytes) => readLoginName(bytes.toString('latin1')),
  tokens: (bytes) => tokenId(bytes.toString('latin1')),
};

const KEY_TYPES = ['ssh-ed25519', 'ssh-rsa', 'ssh-ed25519-cert-v01@openssh.com'];

test.each(Object.entries(KEYS))('%s', (_, read) => {
  const types = read === parsePublicKey || read === parseCertificate ? [...KEY_TYPES, ''] : [''];
  for (const type of types)
    for (const piece of ['\0', '\0\0\0\x04aaaa', 'a ', '+aaaaaaaaaa', 'sluice_']) {
      const front = type === '' ? Buffer.alloc(0) : pack(type);
      const run = (size: number): void => {
        try {
          read(Buffer.concat([front, Buffer.from(piece.repeat(size / piece.length))]));
        } catch {
          // Most of these are none.
        }
      };
      expect(growth(4_096, run), `${type} ${JSON.stringify(piece)}`).toBeLessThan(MOST_GROWTH);
    }
});
