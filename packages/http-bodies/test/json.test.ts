/** Masks in JSON as it passes: what is replaced, what stays byte for byte, and that no cut of the bytes makes a difference. */
import type { Detector, MaskMode, MaskRule } from '@sluice/contract';
import { DETECTORS } from '@sluice/contract';
import { detectorsOf } from '@sluice/masking';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonMask, JsonParts, NotJson } from '../src/json.js';
import { Pointers } from '../src/pointers.js';

const KEY = Buffer.alloc(32, 7);
/** Those that need nothing more. */
type Mode = Exclude<MaskMode['type'], 'count'>;
const rule = (mode: Mode = 'redact', detect: readonly Detector[] = []): MaskRule => ({
  type: 'mask',
  columns: [],
  detect,
  with: { type: mode },
});

interface Wanted {
  readonly pointers?: readonly string[];
  readonly mode?: Mode;
  readonly detect?: readonly Detector[];
}

const partsOf = ({ pointers, mode, detect }: Wanted): JsonParts =>
  new JsonParts(
    detect && detectorsOf([rule(mode, detect)], KEY),
    pointers &&
      new Pointers(
        pointers.map((pointer) => ({ pointer, rule: rule(mode) })),
        KEY,
      ),
  );

function masked(text: string | Buffer, wanted: Wanted, cuts: readonly number[] = []): string {
  const bytes = Buffer.from(text);
  const machine = new JsonMask(partsOf(wanted));
  const out: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    out.push(Buffer.from(machine.push(Buffer.from(bytes.subarray(from, cut)))));
    from = cut;
  }
  return Buffer.concat([...out, machine.end()]).toString();
}

const ALL: Wanted = { detect: DETECTORS };

describe('places', () => {
  test.each<[string, string, string, string]>([
    ['/a', '{"a":"x","b":"x"}', '{"a":"[masked]","b":"x"}', 'a member'],
    [
      '/items/*/email',
      '{"items":[{"email":"x"},{"email":"y","n":1}]}',
      '{"items":[{"email":"[masked]"},{"email":"[masked]","n":1}]}',
      'a member of each item',
    ],
    ['/items/1', '{"items":["a","b","c"]}', '{"items":["a","[masked]","c"]}', 'an item'],
    [
      '**/ssn',
      '{"ssn":"1","a":[{"b":{"ssn":"2"}}]}',
      '{"ssn":"[masked]","a":[{"b":{"ssn":"[masked]"}}]}',
      'a name anywhere',
    ],
    [
      '/a/**/b',
      '{"a":{"b":"1","c":{"b":"2"}},"b":"3"}',
      '{"a":{"b":"[masked]","c":{"b":"[masked]"}},"b":"3"}',
      'a name below',
    ],
    [
      '/a',
      '{"a":{"b":"x","c":[1,true,null,"y"]}}',
      '{"a":{"b":"[masked]","c":[null,null,null,"[masked]"]}}',
      'all that is below',
    ],
    ['/a~1b', '{"a/b":"x"}', '{"a/b":"[masked]"}', 'a name with a slash'],
    ['/Email', '{"EMAIL":"x","eMail":"y"}', '{"EMAIL":"[masked]","eMail":"[masked]"}', 'a name in any case'],
    ['/a', '{"\\u0061":"x"}', '{"\\u0061":"[masked]"}', 'a name with escapes'],
    ['/*/a', '[{"a":1},{"a":1.50}]', '[{"a":null},{"a":null}]', 'numbers, which have no room for a mark'],
    [
      '**/a',
      '{"x":"{\\"a\\": \\"secret\\", \\"b\\":1}"}',
      '{"x":"{\\"a\\": \\"[masked]\\", \\"b\\":1}"}',
      'JSON written as a text',
    ],
    ['/a', '{"a":""}', '{"a":"[masked]"}', 'an empty text'],
    ['**', '["a",{"b":2}]', '["[masked]",{"b":null}]', 'everything'],
  ])('%s in %s', (pointer, text, wanted) => {
    expect(masked(text, { pointers: [pointer] })).toBe(wanted);
  });

  test('null takes the place of whatever is there', () => {
    expect(masked('{"a":{"b":[1,{"c":"d"}]},"e":"f","g":1}', { pointers: ['/a', '/e'], mode: 'null' })).toBe(
      '{"a":null,"e":null,"g":1}',
    );
  });

  test('of a number is left what the mode says', () => {
    const one = (mode: Mode): string => masked('{"a":5234178900}', { pointers: ['/a'], mode });
    expect(one('generalise')).toBe('{"a":5000000000}');
    expect(one('partial')).toBe('{"a":8900}');
    expect(one('hash')).toMatch(/^\{"a":\d+\}$/);
    expect(one('hash')).not.toContain('5234178900');
  });

  test.each(['items', 'a/b', '*/a', ''])('%j is no place', (pointer) => {
    expect(() => new Pointers([{ pointer, rule: rule() }], KEY)).toThrow(TypeError);
  });
});

describe('detectors', () => {
  test.each<[string, string]>([
    ['{"a":"mail ada@example.com now"}', '{"a":"mail [masked:EMAIL] now"}'],
    ['{"a":"\\u00e9 ada\\u0040example.com \\/ b"}', '{"a":"\\u00e9 [masked:EMAIL] \\/ b"}'],
    ['{"a":"\\ud83d\\ude00 ada@example.com \\ud83d"}', '{"a":"\\ud83d\\ude00 [masked:EMAIL] \\ud83d"}'],
    ['{"ada@example.com":1,"bob@example.com":2}', '{"[masked:EMAIL]":1,"[masked:EMAIL] 2":2}'],
    ['[4111111111111111, 4.111111111111111e15, 12]', '[null, null, 12]'],
    ['{"password":"hunter2!","note":"hunter2!"}', '{"password":"[masked:SECRET]","note":"hunter2!"}'],
    ['{"password":["hunter2!"]}', '{"password":["[masked:SECRET]"]}'],
    ['{"q":"mail=ada%40example.com"}', '{"q":"[masked:EMAIL]"}'],
    ['{"q":"x@y.co and ada%40example.com"}', '{"q":"[masked:EMAIL]"}'],
    ['{"n":"{\\"m\\":\\"ada@example.com\\"}"}', '{"n":"{\\"m\\":\\"[masked:EMAIL]\\"}"}'],
    ['{"n":"[INFO] ada@example.com"}', '{"n":"[INFO] [masked:EMAIL]"}'],
  ])('%s', (text, wanted) => {
    expect(masked(text, ALL)).toBe(wanted);
  });

  test('base64 stays base64, of a mark', () => {
    const hidden = (text: string): string => Buffer.from(text).toString('base64');
    const said = (out: string): string => Buffer.from((JSON.parse(out) as { a: string }).a, 'base64').toString();
    expect(said(masked(JSON.stringify({ a: hidden('write to ada@example.com') }), ALL))).toBe('[masked:EMAIL]');
    expect(said(masked(`{"a":"${hidden('???>>> ada@example.com').replaceAll('/', '\\/')}"}`, ALL))).toBe(
      '[masked:EMAIL]',
    );
    expect(said(masked(JSON.stringify({ a: hidden('{"m":"ada@example.com"}') }), ALL))).toBe('[masked]');
    expect(masked(JSON.stringify({ a: hidden(hidden('ada@example.com')) }), ALL)).not.toContain(hidden(hidden('ada@')));
    const picture = JSON.stringify({
      a: Buffer.from(Array.from({ length: 300 }, (_, n) => (n * 73) % 256)).toString('base64'),
    });
    expect(masked(picture, ALL)).toBe(picture);
  });

  test('null takes the place of a text with a finding', () => {
    expect(masked('{"a":"to ada@example.com","ada@example.com":1}', { ...ALL, mode: 'null' })).toBe(
      '{"a":null,"[masked]":1}',
    );
  });
});

describe('bytes that nobody asked about stay', () => {
  test.each([
    '{ "a" : [ 1.0, -0, 1E400, 0.10 ],\r\n\t"b":"\\u0041\\/\\ud800" }\n',
    '{"a":1}\n{"a":2}\n',
    '\u001e{"a":1}\n\u001e{"a":2}\n',
    '',
    '  ',
    '"text"',
    '12',
    '1\n2\n',
  ])('%j', (text) => {
    expect(masked(text, { ...ALL, pointers: ['/nothing'] })).toBe(text);
  });
});

describe('is no JSON', () => {
  test.each([
    '{',
    '[1,]',
    '{"a":01}',
    '{"a" 1}',
    '{"a":1,}',
    '"\u0001"',
    '"\\x"',
    '[1 2]',
    '{1:2}',
    'nul',
    '4111 1111 1111 1111',
    '[}',
    "{'a':1}",
    '"a',
    '-',
    '[1.]',
    ':',
  ])('%j', (text) => {
    expect(() => masked(text, ALL)).toThrow(NotJson);
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
  });

  test('bytes that are no UTF-8', () => {
    expect(() => masked(Buffer.from('{"a":"\xe9"}', 'latin1'), ALL)).toThrow(NotJson);
  });
});

describe('hostile', () => {
  test.each<[string, string]>([
    ['the same name twice', '{"a":1,"b":2,"a":3}'],
    ['the same name twice, once with escapes', '{"a":1,"\\u0061":3}'],
    ['depth', '['.repeat(100_000)],
    ['depth within a text', JSON.stringify({ a: '['.repeat(300) })],
    ['a number without an end', '9'.repeat(5_000)],
  ])('%s is refused in words', (_, text) => {
    expect(() => masked(text, ALL)).toThrow(/something is masked in these answers, and this one /);
  });

  test('a string without an end is refused at its bound, and is not held before', () => {
    const machine = new JsonMask(partsOf(ALL));
    machine.push(Buffer.from('["'));
    const piece = Buffer.alloc(64 * 1024, 'a');
    expect(() => {
      for (let n = 0; n < 1024; n++) machine.push(piece);
    }).toThrow(/more than 16777216 bytes/);
  });

  test('more names than are remembered are refused', () => {
    const members = Array.from({ length: 100_001 }, (_, n) => `"k${n}":1`).join(',');
    expect(() => masked(`{${members}}`, ALL)).toThrow(/more than 100000 members/);
    const lists = Array.from({ length: 200_000 }, () => '{"k":1}').join(',');
    expect(masked(`[${lists}]`, ALL)).toHaveLength(lists.length + 2);
  });
});

const PLACES: Wanted = { detect: DETECTORS, pointers: ['/a', '**/ssn', '/b/*/c'] };
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'ada@example.com',
    'a 4111 1111 1111 1111 b',
    'x%40y.co',
    '{"ssn":"1"}',
    'YWRhQGV4YW1wbGUuY29t',
    '\ud800',
    '"\\',
  ),
);
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom('a', 'b', 'c', 'ssn', 'password')), tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('whatever the document', () => {
  test('no cut makes a difference', () => {
    fc.assert(
      fc.property(value, fc.boolean(), (document, pretty) => {
        const written = Buffer.from(JSON.stringify(document, null, pretty ? 1 : 0));
        const whole = masked(written, PLACES);
        for (let cut = 0; cut <= written.length; cut++) expect(masked(written, PLACES, [cut])).toBe(whole);
        expect(
          masked(
            written,
            PLACES,
            Array.from({ length: written.length }, (_, n) => n),
          ),
        ).toBe(whole);
      }),
      { numRuns: 150 },
    );
  });

  test('the answer is what JSON.parse and masking each leaf give', () => {
    fc.assert(
      fc.property(value, (document) => {
        const out: unknown = JSON.parse(masked(JSON.stringify(document), { pointers: ['/a', '**/ssn', '/b/*/c'] }));
        expect(out).toEqual(expected(JSON.parse(JSON.stringify(document)), []));
      }),
      { numRuns: 1_000 },
    );
  });
});

/** The same by JSON.parse: which values the three places name. */
function expected(value: unknown, path: readonly string[], named = false): unknown {
  const isNamed =
    named ||
    (path.length === 1 && path[0]?.toLowerCase() === 'a') ||
    path.at(-1)?.toLowerCase() === 'ssn' ||
    (path.length === 3 && path[0]?.toLowerCase() === 'b' && path[2]?.toLowerCase() === 'c');
  if (Array.isArray(value)) return value.map((item, n) => expected(item, [...path, String(n)], isNamed));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, expected(one, [...path, name], isNamed)]),
    );
  if (isNamed) return typeof value === 'string' ? '[masked]' : null;
  if (typeof value === 'string' && value.startsWith('{"ssn"')) return '{"ssn":"[masked]"}';
  return value;
}
