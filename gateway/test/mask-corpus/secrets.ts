import type { Frame } from './line.js';
import { cellsOf } from './line.js';

/** Values of masked columns, by the names that masks.sql has for them. */
export const SECRETS = {
  email: 'Quillonvex@zanthubmor.io',
  handle: 'dorwickplum',
  income: '731946.25',
  born: '1913-02-17',
  token: '7f3c91d2-5be8-4a06-9e1d-c4b0a8f26e53',
  badge: 'kestrelwood',
  code: '58213947',
  tag: 'wyvernash',
  tag2: 'obsidiant',
  street: 'larkspindle',
  town: 'brackenfell',
  tier: 'zephyrgold',
  scan: '\\xfadecab1e5ca1ab1e7',
  pin: '864209753',
  seen: '1927-11-23 13:37:41.654321+00',
  work: 'jubilthorn@vexcray',
  event: 'marzipolt',
  event2: 'tundrixol',
  parent: 'ferncastle',
  child: 'gloamwright',
} as const;
export type Secrets = Readonly<Record<keyof typeof SECRETS, string>>;

/** Others of the same shape. The hashed column and the label of the enum, which is no secret, are the same. */
export const OTHERS: Secrets = {
  ...SECRETS,
  email: 'Bramblewyk@ostrikfen.org',
  income: '205583.50',
  born: '1948-09-06',
  token: '08b6d5e1-93a7-4c2f-8b44-1fe97d30ca85',
  badge: 'hollowspire',
  code: '90371126',
  tag: 'pumicefox',
  tag2: 'velvethog',
  street: 'mistralgate',
  town: 'copperwynde',
  scan: '\\x0badf00d5eafa11edd',
  pin: '173205080',
  seen: '1955-03-08 02:14:09.123789+00',
  work: 'nettlebrow@quorpish',
  event: 'oxbridlen',
  event2: 'pyralisco',
  parent: 'wickermoor',
  child: 'ashenvallow',
};

export const withSecrets = (text: string, secrets: Secrets): string =>
  text.replaceAll(/\{(\w+)\}/g, (all, name: string) => (secrets as Record<string, string>)[name] ?? all);

/** The shortest piece of a value that counts as a leak, in characters. */
const PIECE = 6;

/** Which of the values are in the bytes: pieces of them in any case, backwards, in hexadecimal or base64, or in binary. */
export function leaksIn(frames: readonly Frame[], secrets: Secrets): string[] {
  const bytes = Buffer.concat(frames.flatMap(({ tag, body }) => [Buffer.from(tag), body]));
  const text = bytes.toString('latin1');
  const texts = [text.toLowerCase(), text.replaceAll(/[^\da-z]/gi, '').toLowerCase()];
  const found = Object.entries(secrets).filter(
    ([, value]) =>
      spellings(value).some((piece) => texts.some((one) => one.includes(piece))) ||
      encoded(value).some((piece) => text.includes(piece)),
  );
  const years = [secrets.born, secrets.seen].map((value) => value.slice(0, 4));
  const cells = frames.filter(({ tag }) => tag === 'D').flatMap((frame) => cellsOf(frame));
  const year = cells.some((cell) => cell !== null && years.includes(cell.toString('latin1')));
  const binary = binaryOf(secrets).some((needle) => bytes.includes(needle));
  return [...found.map(([name]) => name), ...(year ? ['a year'] : []), ...(binary ? ['a value in binary'] : [])];
}

const pieces = (value: string, length = PIECE): string[] =>
  Array.from({ length: Math.max(0, value.length - length + 1) }, (_, at) => value.slice(at, at + length));

const reversed = (value: string): string => Array.from(value).reverse().join('');
const hex = (value: string): string => Buffer.from(value).toString('hex');

/** In lower case, without anything but letters and digits. */
function spellings(value: string): string[] {
  const bare = value.replace(/^\\x/, '').toLowerCase();
  const plain = bare.replaceAll(/[^\da-z]/g, '');
  const words = /^[\d.:+ -]+$/.test(bare) ? [plain.slice(0, 8)] : pieces(plain);
  const both = words.flatMap((word) => [word, reversed(word)]);
  return [
    ...both,
    ...pieces(value).flatMap((piece) => [hex(piece), hex(piece.toUpperCase()), hex(piece.toLowerCase())]),
  ];
}

/** base64 at each of the three places that a value can have in it. */
const encoded = (value: string): string[] =>
  [0, 1, 2].flatMap((shift) => {
    const inner = Buffer.from('.'.repeat(shift) + value)
      .toString('base64')
      .replace(/=+$/, '');
    return pieces(inner.slice(4, -2), 8);
  });

function binaryOf({ born, token, scan, pin, income, seen }: Secrets): Buffer[] {
  const days = Math.round((Date.parse(born) - Date.parse('2000-01-01')) / 86_400_000);
  const micros = (BigInt(Date.parse(`${seen.slice(0, 19).replace(' ', 'T')}Z`)) - BigInt(Date.UTC(2000, 0, 1))) * 1000n;
  const [integer = '', fraction = ''] = income.split('.');
  const numeric = Buffer.alloc(6);
  [integer.slice(0, -4), integer.slice(-4), fraction.padEnd(4, '0')].forEach((digits, at) =>
    numeric.writeUInt16BE(Number(digits), 2 * at),
  );
  const [date, number, time, float] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(8), Buffer.alloc(8)];
  date.writeInt32BE(days);
  number.writeInt32BE(Number(pin));
  time.writeBigInt64BE(micros + BigInt(seen.slice(20, 26)));
  float.writeDoubleBE(Number(income));
  return [
    date,
    number,
    time,
    float,
    numeric,
    Buffer.from(token.replaceAll('-', ''), 'hex'),
    Buffer.from(scan.slice(2), 'hex'),
  ];
}
