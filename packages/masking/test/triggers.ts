/** Texts that make one detector or another look around, to be repeated. Beside these there are the samples of fixtures/detectors. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const FOLDER = join(import.meta.dirname, '../../../fixtures/detectors');

/** All samples, of what is found and of what only looks like it. */
export const SAMPLES: readonly string[] = readdirSync(FOLDER).flatMap((file) => {
  const { positives, negatives } = parse(readFileSync(join(FOLDER, file), 'utf8')) as {
    positives: { text: string }[];
    negatives: string[];
  };
  return [...positives.map(({ text }) => text), ...negatives];
});

/** By what they are meant for. Between two bars is what is repeated, with the rest around it. */
export const TRIGGERS: Readonly<Record<string, string>> = {
  addresses: 'a@',
  'a domain without an end': '@|a.',
  'quoted local parts': '"a"@',
  'names of secrets': 'password=',
  'names of secrets with values that are none': 'password=$',
  'names of keys whose values are too alike': 'auth=1',
  'names in quotes': '"password":"',
  'names in other quotes': `password='password="`,
  'names in quotes within strings': 'password=\\"',
  'values without a closing quote': `password="|password='|`,
  'escaped quotes': 'password="|\\"|',
  'signs of assignment': 'token=:',
  'blanks behind a sign': 'token=    ',
  'words for passwords behind a scheme': 'authorization: Bearer ',
  'passwords in addresses': 'a:b@c://',
  'addresses without a password': 'x://a:b|x://a:b|@',
  'web addresses': 'http://a:b',
  schemes: 'x://',
  'beginnings of keys': '-----BEGIN PRIVATE KEY-----\n',
  'beginnings of keys, each to an end of its own': '|-----BEGIN A# PRIVATE KEY-----|',
  'beginnings of OpenPGP keys': '-----BEGIN PGP PRIVATE KEY BLOCK-----\n',
  keys: '-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----',
  'ends of keys': '-----BEGIN PRIVATE KEY-----|-----END X-----|',
  'half a beginning': '-----BEGIN PRIVATE KEY',
  'heads of tokens': 'eyJ.',
  'tokens without parts': 'eyJhbGciOiJIUzI1NiJ9.',
  'heads behind dashes': 'eyJ-',
  'prefixes of vendors': 'glpat-',
  'a long prefix': 'ya29.',
  'many prefixes': 'sk-ant-ghp_AKIA',
  'digits in groups': '1 ',
  digits: '1',
  'groups of four': '4111 ',
  telephones: '+49 30 ',
  'words before numbers': 'tel 555-',
  'social security numbers': 'ssn 123-45-',
  accounts: 'DE12-',
  letters: 'a',
  blanks: ' ',
  'blanks around a number': ' |123-45-6789 |',
  lines: 'a\n',
};

/** The trigger so often that the text has about `size` bytes. `#` is the number of the copy. */
export function repeated(trigger: string, size: number): string {
  const parts = trigger.split('|');
  const [first = '', piece = '', last = ''] = parts.length === 1 ? ['', trigger] : parts;
  const copies = Array.from({ length: Math.ceil(size / piece.length) }, (_, n) => piece.replace('#', String(n)));
  return first + copies.join('') + last;
}
