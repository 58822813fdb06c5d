import { describe, expect, test } from 'vitest';
import { formatAddress, isLoopback, parseAddress, parseRange, specialBlockOf } from '../src/index.js';

const address = (text: string) => {
  const read = parseAddress(text);
  if (!read) throw new Error(`${text} is no address`);
  return read;
};

describe('an address', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['fd00::5', 'fd00:0:0:0:0:0:0:5'],
    ['64:ff9b::169.254.169.254', '64:ff9b:0:0:0:0:a9fe:a9fe'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ])('%s is %s', (text, formatted) => expect(formatAddress(address(text))).toBe(formatted));

  test.each([
    '',
    '10.0.0',
    '010.0.0.1',
    '0x7f.1',
    '2130706433',
    'fd00::5%1',
    '[::1]',
    '1::2::3',
    '256.0.0.1',
    'x',
    '10.0.0.1 ',
  ])('"%s" is none', (text) => expect(parseAddress(text)).toBeUndefined());
});

describe('loopback', () => {
  test.each(['localhost', 'LocalHost', '127.0.0.1', '127.9.9.9', '::1', '[::1]', '::ffff:127.0.0.1'])('%s is', (host) =>
    expect(isLoopback(host)).toBe(true),
  );
  test.each([
    '127.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '::1%1',
    '127.1',
    '',
  ])('"%s" is not', (host) => expect(isLoopback(host)).toBe(false));
});

describe('a range', () => {
  test.each([
    ['10.2.0.0/16', '10.2.255.1', true],
    ['10.2.0.0/16', '10.3.0.0', false],
    ['10.2.0.0/16', '::ffff:10.2.0.1', true],
    ['::ffff:10.2.0.0/112', '10.2.0.1', true],
    ['::ffff:10.2.0.0/112', '10.3.0.1', false],
    ['10.2.0.7', '10.2.0.7', true],
    ['10.2.0.7', '10.2.0.8', false],
    ['fd00::/8', 'fdff::1', true],
    ['fd00::/8', 'fc00::1', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '8.8.8.8', false],
    ['::/0', '2001:db8::1', true],
  ])('%s contains %s: %s', (range, text, contained) =>
    expect(parseRange(range).contains(address(text))).toBe(contained),
  );

  test.each([
    ['10.2.0.0/', 'write the number of bits'],
    ['fd00::/', 'write the number of bits'],
    ['10.0.0.0/8/8', 'write the number of bits'],
    ['10.0.0.0/+8', 'write the number of bits'],
    ['10.0.0.0/8.0', 'write the number of bits'],
    ['10.0.0.0/0x8', 'write the number of bits'],
    ['10.0.0.0/33', 'more or fewer bits'],
    ['fd00::/129', 'more or fewer bits'],
    ['::ffff:10.0.0.0/8', 'more or fewer bits'],
    ['10.2.3.4/8', 'write 10.0.0.0/8, or 10.2.3.4'],
    ['8.8.8.8/0', 'write 0.0.0.0/0'],
    ['fd00::5%1', 'no IP address'],
    ['shop.internal/8', 'no IP address'],
    ['', 'no IP address'],
  ])('"%s" is refused: %s', (text, words) => expect(() => parseRange(text)).toThrow(words));
});

test('a range covers those that lie in it', () => {
  expect(parseRange('127.0.0.0/8').covers(parseRange('127.0.0.1'))).toBe(true);
  expect(parseRange('127.0.0.1').covers(parseRange('127.0.0.0/8'))).toBe(false);
  expect(parseRange('::/0').covers(parseRange('10.0.0.0/8'))).toBe(false);
});

describe('special addresses', () => {
  test.each([
    '127.0.0.1',
    '169.254.169.254',
    '169.254.170.2',
    '::127.0.0.1',
    '::1',
    '::',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
    'fd00:ec2::254',
    'fd20:ce::254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    'fe80::1',
    '255.255.255.255',
  ])('%s is one', (text) => expect(specialBlockOf(address(text))).toBeDefined());
  test.each(['8.8.8.8', '10.0.0.1', 'fd00::5', '2001:db8::1', '2600::1', '100.64.0.1', '168.63.129.17'])(
    '%s is not',
    (text) => expect(specialBlockOf(address(text))).toBeUndefined(),
  );
});
