/** Masks in bodies of every kind: what is replaced, what stays, and that no cut of the bytes makes a difference. */
import { DETECTORS, type MaskMode, type MaskRule, Unmasked } from '@sluice/contract';
import { detectorsOf } from '@sluice/masking';
import { describe, expect, test } from 'vitest';
import { BodyMask } from '../src/body.js';
import { JsonParts } from '../src/json.js';
import type { BodyParts } from '../src/parts.js';
import { Pointers } from '../src/pointers.js';

const KEY = Buffer.alloc(32, 7);
/** Those that need nothing more. */
type Mode = Exclude<MaskMode['type'], 'count'>;
const ruleOf = (mode: Mode): MaskRule => ({
  type: 'mask',
  columns: [],
  detect: DETECTORS,
  with: { type: mode },
});

function partsOf(
  pointers: readonly string[] = [],
  mode: Mode = 'redact',
  unread: [string, 'pass' | 'text'][] = [],
): BodyParts {
  const rule = ruleOf(mode);
  const places = pointers.map((pointer) => ({ pointer, rule }));
  const compiled = places.length > 0 ? new Pointers(places, KEY) : undefined;
  return Object.assign(new JsonParts(detectorsOf([rule], KEY), compiled), { unread: new Map(unread) });
}

function through(type: string, bytes: Buffer, parts: BodyParts, cuts: readonly number[]): string {
  const mask = new BodyMask(type, parts);
  const out: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    out.push(Buffer.from(mask.push(Buffer.from(bytes.subarray(from, cut)))));
    from = cut;
  }
  out.push(mask.end());
  return Buffer.concat(out).toString();
}

/** The same for every cut in two, and byte by byte. */
function masked(type: string, text: string, parts: BodyParts = partsOf()): string {
  const bytes = Buffer.from(text);
  const whole = through(type, bytes, parts, []);
  for (let cut = 1; cut < bytes.length; cut++) expect(through(type, bytes, parts, [cut]), `cut at ${cut}`).toBe(whole);
  expect(through(type, bytes, parts, Array.from({ length: bytes.length }, (_, n) => n + 1).slice(0, -1))).toBe(whole);
  return whole;
}

const MAIL = 'ada@example.com';

describe('several documents of JSON', () => {
  test.each(['application/x-ndjson', 'application/json-seq', 'application/json', 'application/vnd.api+json'])(
    '%s',
    (type) => {
      expect(masked(type, `{"a":"${MAIL}"}\n{"ssn":"1"}\n`, partsOf(['/ssn']))).toBe(
        '{"a":"[masked:EMAIL]"}\n{"ssn":"[masked]"}\n',
      );
    },
  );
});

describe('events', () => {
  const TYPE = 'text/event-stream; charset=utf-8';

  test.each([
    [`data: {"m":"${MAIL}"}\n\n`, 'data: {"m":"[masked:EMAIL]"}\n\n'],
    [
      `id: 1\r\nevent:x\r\ndata:{"m":\r\ndata:"${MAIL}"}\r\n\r\n`,
      'id: 1\r\nevent:x\r\ndata:{"m":\r\ndata:"[masked:EMAIL]"}\r\n\r\n',
    ],
    [`data: a\rdata: ${MAIL}\r\rdata: b\r\r`, 'data: a\rdata: [masked:EMAIL]\r\rdata: b\r\r'],
    [`: ${MAIL}\n\nid: ${MAIL}\ndata: [DONE]\n\n`, ':\n\nid: [masked:EMAIL]\ndata: [DONE]\n\n'],
    [
      `retry: 10\ndata\ndata: mail\\u0040 ${MAIL}\nfoo: ${MAIL}\n\n`,
      'retry: 10\ndata\ndata: mail\\u0040 [masked:EMAIL]\nfoo: [masked:EMAIL]\n\n',
    ],
    [`\ufeffdata: {"m":"ada\\u0040example.com"}\n\n`, '\ufeffdata: {"m":"[masked:EMAIL]"}\n\n'],
    [`data: {"m":"ada\\u0040example.com"}`, 'data: {"m":"[masked:EMAIL]"}'],
    // A text of several lines whose server writes the name of the field once.
    [`data: dear\n${MAIL}\n${MAIL}: hello\n\n`, 'data: dear\n[masked:EMAIL]\n[masked:EMAIL]: hello\n\n'],
    ['data: {"a": 1}\n\ndata: x\n\n', 'data: {"a": 1}\n\ndata: x\n\n'],
  ])('%j', (text, wanted) => {
    expect(masked(TYPE, text)).toBe(wanted);
  });

  test('places, and what has none', () => {
    const parts = partsOf(['/a']);
    expect(masked(TYPE, 'data: {"a":"x"}\n\ndata: [DONE]\n\n', parts)).toBe(
      'data: {"a":"[masked]"}\n\ndata: [DONE]\n\n',
    );
    expect(masked(TYPE, '\ufeffdata: {"a":"x"}\n\n', parts)).toBe('\ufeffdata: {"a":"[masked]"}\n\n');
    expect(() => masked(TYPE, 'data: secret\n\n', parts)).toThrow(/an event that is no JSON/);
  });

  test('an event without an end is bounded', () => {
    const mask = new BodyMask(TYPE, partsOf());
    expect(() => {
      for (let n = 0; n < 100; n++) mask.push(Buffer.from(`data: ${'a'.repeat(64 * 1024)}\n`));
    }).toThrow(Unmasked);
  });
});

describe('tables', () => {
  test.each([
    ['text/csv', `name,mail\r\nAda,${MAIL}\r\n`, 'name,mail\r\nAda,[masked:EMAIL]\r\n'],
    ['text/csv', `name;password;n\nAda;hunter2!;"a;""b"""\n`, 'name;password;n\nAda;[masked:SECRET];"a;""b"""\n'],
    ['text/csv', `a,b\n"x\n${MAIL}, y",2\n`, 'a,b\n"x\n[masked:EMAIL], y",2\n'],
    [
      'text/tab-separated-values',
      `a\tb\n4111 1111 1111 1111\t${Buffer.from(`mail ${MAIL}`).toString('base64')}`,
      `a\tb\n[masked:CREDIT_CARD]\t${Buffer.from('[masked:EMAIL]').toString('base64')}`,
    ],
    ['text/csv', `${MAIL},1\n5" pipe,2\n`, '[masked:EMAIL],1\n5" pipe,2\n'],
  ])('%s %j', (type, text, wanted) => {
    expect(masked(type, text)).toBe(wanted);
  });

  test('columns by their names', () => {
    const text = 'Name,salary,x\n"Ada ""L""",5,\n,,\n';
    const wanted = 'Name,salary,x\n"[masked]",[masked],\n[masked],[masked],\n';
    expect(masked('text/csv', text, partsOf(['/*/name', '**/salary']))).toBe(wanted);
    expect(masked('text/csv', text, partsOf(['/name', '/salary'], 'null'))).toBe(wanted);
  });

  const EMAIL = ['/*/email'];

  test.each([
    // A quote within a cell without quotes is a sign like any other.
    ['name,email\nO""Neil,x@1\nBob,y@2\n', 'name,email\nO""Neil,[masked]\nBob,[masked]\n'],
    ['\r\nname;email\r\na;b\r\n', '\r\nname;email\r\na;[masked]\r\n'],
    ['sep=|\nname,x|email\na|b\n', 'sep=|\nname,x|email\na|[masked]\n'],
    ['"email" , name\na,b\n', '"email" , name\n[masked],b\n'],
  ])('%j has its columns', (text, wanted) => {
    expect(masked('text/csv', text, partsOf(EMAIL))).toBe(wanted);
  });

  test.each(['name,email\rAda,x@1\r', 'name,email\nA, "x,y"\n', 'name,email\nA\rB,x\n'])(
    '%j has other columns for other readers',
    (text) => {
      expect(() => masked('text/csv', text, partsOf(EMAIL))).toThrow(/a record that can be read in two ways/);
      expect(masked('text/csv', text)).toBe(text);
    },
  );

  test('a record without an end is bounded', () => {
    const mask = new BodyMask('text/csv', partsOf());
    expect(() => mask.push(Buffer.from(`a,b\n"${'x'.repeat(2 * 1024 * 1024)}`))).toThrow(/a record of more than/);
  });
});

describe('forms', () => {
  const TYPE = 'application/x-www-form-urlencoded';

  test.each([
    [`a=1&mail=ada%40example.com&b=x+y`, 'a=1&mail=%5Bmasked%3AEMAIL%5D&b=x+y'],
    [`password=hunter2%21&n=4111+1111+1111+1111`, 'password=%5Bmasked%3ASECRET%5D&n=%5Bmasked%3ACREDIT_CARD%5D'],
    [`${MAIL}=1&&=&x`, '%5Bmasked%3AEMAIL%5D=1&&=&x'],
    [`j=%7B%22m%22%3A%22ada%40example.com%22%7D`, 'j=%7B%22m%22%3A%22%5Bmasked%3AEMAIL%5D%22%7D'],
  ])('%s', (text, wanted) => {
    expect(masked(TYPE, text)).toBe(wanted);
  });

  test('fields by their names', () => {
    expect(masked(TYPE, 'user[pin]=1&user.pin=2&pin=3', partsOf(['/user/pin']))).toBe(
      'user[pin]=%5Bmasked%5D&user.pin=%5Bmasked%5D&pin=3',
    );
  });

  test.each(['+email=x', 'a[+email+]=x', 'email%00y=x'])('%s is the field that servers take it for', (text) => {
    expect(masked(TYPE, text, partsOf(['**/email']))).toBe(text.replace('=x', '=%5Bmasked%5D'));
  });
});

describe('several parts', () => {
  const TYPE = 'multipart/form-data; boundary=XX';
  const part = (head: string, body: string): string => `--XX\r\n${head}\r\n\r\n${body}\r\n`;

  test('each by its type', () => {
    const text =
      part('Content-Disposition: form-data; name="pin"', '1234') +
      part('Content-Disposition: form-data; name="password"', 'hunter2!') +
      part(
        `Content-Disposition: form-data; name="f"; filename="${MAIL}.json"\r\nContent-Type: application/json`,
        `{"m":"ada\\u0040example.com"}`,
      ) +
      part(
        'Content-Disposition: form-data; name="g"; filename="g.txt"\r\nContent-Type: text/plain',
        `mail ${MAIL}\r\n--X\r\n`,
      );
    const out = masked(TYPE, `${text}--XX--\r\n`, partsOf());
    expect(out).toContain('name="password"\r\n\r\n[masked:SECRET]\r\n--XX');
    expect(out).toContain('filename="[masked:EMAIL]"');
    expect(out).toContain('{"m":"[masked:EMAIL]"}\r\n--XX');
    expect(out).toContain('mail [masked:EMAIL]\r\n--X\r\n\r\n--XX--\r\n');
    expect(out).toContain('\r\n\r\n1234\r\n');
  });

  test('fields by their names', () => {
    const text = `${part('Content-Disposition: form-data; name=pin', '1234')}--XX--`;
    expect(masked(TYPE, text, partsOf(['/pin']))).toContain('\r\n\r\n[masked]\r\n--XX--');
  });

  test.each([
    ['a picture', `${part('Content-Type: image/png', 'x')}--XX--`, /a part that is of a type that masks cannot read/],
    ['base64 of a mail', `${part('Content-Transfer-Encoding: base64', 'x')}--XX--`, /a part in an encoding/],
    ['no end', part('Content-Type: text/plain', 'x'), /of which the last has no end/],
    ['a part behind the last', `${part('A: b', 'x')}--XX--\r\n${part('A: b', MAIL)}`, /behind its last one/],
    ['a folded head', `${part('A: b\r\n c', 'x')}--XX--`, /a folded header/],
  ])('%s is refused', (_, text, why) => {
    expect(() => masked(TYPE, text)).toThrow(why);
  });

  test('without a boundary', () => {
    expect(() => masked('multipart/mixed', 'x--x')).toThrow(/does not say what parts them/);
  });

  test.each(['boundary=X; boundary=Y', 'boundary=X; boundary*0=Y', 'x1="; boundary=X"; boundary=Y'])(
    'another boundary than %s',
    (said) =>
      expect(() => masked(`multipart/form-data; ${said}`, '--X\r\n\r\nx\r\n--X--')).toThrow(/in two ways what parts/),
  );

  test.each(['name=a; x="\nContent-Disposition: x; name=email', 'name=a\n\n'])('a head that ends in LF: %j', (head) => {
    expect(() => masked('multipart/form-data; boundary=X', field(head))).toThrow(/control characters in its head/);
  });

  const field = (head: string): string => `--X\r\nContent-Disposition: form-data; ${head}\r\n\r\nx@1\r\n--X--\r\n`;

  test.each([
    'name="email"\r\nContent-Type: application/json',
    'name="email"; filename="a.png"\r\nContent-Type: image/png',
    'x="; name=a"; name="email"',
    'name="em\\ail"',
  ])('%s is masked as a field', (head) => {
    expect(masked('multipart/form-data; boundary=X', field(head), partsOf(['/email']))).toBe(
      field(head).replace('x@1', '[masked]'),
    );
  });

  test.each([
    'name="a"; name="email"',
    "name*=utf-8''email",
    'name="a"b"',
    'name=a\r\nContent-Disposition: x; name=email',
    'name=a\r\nContent-Disposition : x; name=email',
    'name*0=em; name*1=ail; name=a',
    'x="\\"; name=email; y="; name=a',
  ])('%s has two names', (head) => {
    expect(() => masked('multipart/form-data; boundary=X', field(head), partsOf(['/email']))).toThrow(
      /read in two ways|the same header twice/,
    );
  });
});

describe('HTML', () => {
  test.each([
    [`<p>mail ${MAIL}</p>`, '<p>mail [masked:EMAIL]</p>'],
    ['<p>ada&#64;example&period;com &amp; x&#x2e;</p>', '<p>[masked:EMAIL] &amp; x&#x2e;</p>'],
    [
      `<a href="mailto:ada%40example.com" title='${MAIL}' id=x>y</a>`,
      `<a href="[masked:EMAIL]" title='[masked:EMAIL]' id=x>y</a>`,
    ],
    [`<!-- ${MAIL} --><!DOCTYPE html><br/>1 < 2 & 3`, '<!-- [masked:EMAIL] --><!DOCTYPE html><br/>1 < 2 & 3'],
    [`<script>let a = "<b>", m = "${MAIL}";</SCRIPT><p>x`, '<script>let a = "<b>", m = "[masked:EMAIL]";</SCRIPT><p>x'],
    [
      '<script type="application/ld+json">{"m":"ada\\u0040example.com"}</script>',
      '<script type="application/ld+json">{"m":"[masked:EMAIL]"}</script>',
    ],
    [
      `<input value="4111 1111 1111 1111" disabled><p title=">${MAIL}">`,
      '<input value="[masked:CREDIT_CARD]" disabled><p title=">[masked:EMAIL]">',
    ],
    [`<p ${MAIL}`, '<p [masked:EMAIL]'],
    [
      `<p>\n  <b>Ordinary</b> text, with "quotes" &copy; 2026 &unknown;\n</p>\n`,
      `<p>\n  <b>Ordinary</b> text, with "quotes" &copy; 2026 &unknown;\n</p>\n`,
    ],
  ])('%s', (text, wanted) => {
    expect(masked('text/html', text)).toBe(wanted);
  });

  test('with another type, or none', () => {
    expect(masked('', '<p>ada&#64;example.com</p>')).toBe('<p>[masked:EMAIL]</p>');
    expect(masked('text/html', '{"m":"ada\\u0040example.com"}')).toBe('{"m":"[masked:EMAIL]"}');
  });
});

describe('XML', () => {
  const TYPE = 'application/xml';

  test.each([
    [
      `<?xml version="1.0"?><r><a>ada&#64;example.com</a><b><![CDATA[x ${MAIL} <y>]]></b></r>`,
      '<?xml version="1.0"?><r><a>[masked:EMAIL]</a><b><![CDATA[x [masked:EMAIL] <y>]]></b></r>',
    ],
    [
      `<r p:password="hunter2!"><password>hunter2!</password><note>hunter2!</note></r>`,
      '<r p:password="[masked:SECRET]"><password>[masked:SECRET]</password><note>hunter2!</note></r>',
    ],
    ['<r>\n  <a x="1 &lt; 2"/>\n</r>\n', '<r>\n  <a x="1 &lt; 2"/>\n</r>\n'],
  ])('%s', (text, wanted) => {
    expect(masked(TYPE, text)).toBe(wanted);
  });

  test('places', () => {
    const text = '<r><u id="7"><n:ssn>1</n:ssn><name kind="x">Ada <b>L</b></name></u><ssn/></r>';
    expect(masked(TYPE, text, partsOf(['**/ssn', '/r/u/name', '/r/u/id']))).toBe(
      '<r><u id="[masked]"><n:ssn>[masked]</n:ssn><name kind="[masked]">[masked]<b>[masked]</b></name></u><ssn/></r>',
    );
  });

  test.each([
    ['<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>', /a document type of its own/],
    ['<!DOCTYPE r SYSTEM "http://x/y"><r/>', /a document type of its own/],
    ['<r><a></r></a>', /is no XML/],
    ['<r>', /has no end/],
    ['<r>< a</r>', /is no XML/],
    ['<a>'.repeat(600), /nested more than 500 deep/],
  ])('%s is refused', (text, why) => {
    expect(() => through(TYPE, Buffer.from(text), partsOf(), [])).toThrow(why);
  });

  test('a piece without an end is bounded', () => {
    const mask = new BodyMask(TYPE, partsOf());
    expect(() => {
      for (let n = 0; n < 100; n++) mask.push(Buffer.from(`<r a="${'x'.repeat(64 * 1024)}`));
    }).toThrow(/a piece of more than/);
  });

  test.each(['email', 'email ', 'email\t\n', 'b="1"email', 'größe="1" email  '])('the attribute %j', (name) => {
    const text = (value: string): string => `<order><customer ${name}= "${value}" c="d"/></order>`;
    expect(masked('text/xml', text('x@1'), partsOf(['/order/customer/email']))).toBe(text('[masked]'));
    expect(masked('text/xml', '<a größe="5"/>', partsOf(['/a/größe']))).toBe('<a größe="[masked]"/>');
  });
});

describe('texts', () => {
  test.each([
    ['text/plain', `a ${MAIL} b\n`, 'a [masked:EMAIL] b\n'],
    ['application/yaml', `password: hunter2!\n`, 'password: [masked:SECRET]\n'],
    ['', `4111 1111 1111 1111\n`, '[masked:CREDIT_CARD]\n'],
    ['text/plain', `[4111 1111 1111 1111] ok\n`, '[[masked:CREDIT_CARD]] ok\n'],
    ['text/plain', `{"password": hunter2!}\n`, '{"password": [masked:SECRET]}\n'],
    ['text/plain', '', ''],
  ])('%s %j', (type, text, wanted) => {
    expect(masked(type, text)).toBe(wanted);
  });

  test('null has no place in a text: the mark stands there', () => {
    expect(masked('text/plain', `a ${MAIL}\n`, partsOf([], 'null'))).toBe('a [masked:EMAIL]\n');
  });
});

describe('what is let through by a pattern', () => {
  test.each([
    ['image/svg+xml', `<svg><text>${MAIL}</text></svg>`],
    ['application/json', `{"a":"${MAIL}"}`],
  ])('is nothing that masks can read, such as %s', (type, text) => {
    const wanted = text.replace(MAIL, '[masked:EMAIL]');
    expect(masked(type, text, partsOf([], 'redact', [[type.replace(/\/.*/, '/*'), 'pass']]))).toBe(wanted);
    expect(masked(type, text, partsOf([], 'redact', [[type, 'pass']]))).toBe(text);
  });
});

test('letters of several bytes are refused wherever they are cut', () => {
  const bytes = Buffer.from(`{"m":"${MAIL}"}`, 'utf16le');
  for (const cut of [1, 2, 3, 4, 5])
    expect(() => through('text/plain', bytes, partsOf(), [cut]), `cut at ${cut}`).toThrow(/UTF-16/);
});

test.each([")]}'\n", 'while(1);'])('JSON behind %j does not pass: a value in it may be escaped', (guard) => {
  const text = `${guard}{"m":"ada\\u0040example.com"}`;
  expect(() => through('application/json', Buffer.from(text), partsOf(), [])).toThrow(/guard against scripts/);
  expect(() => through('application/json', Buffer.from(text), partsOf(), [1, 2, 3])).toThrow(/guard against scripts/);
});

test.each([
  ['text/plain', ')]}\'\n{"m":"ada\\u0040example.com"}', /guard against scripts/],
  ['application/json', 'each({"m":"ada\\u0040example.com"})', /has escapes/],
  ['application/json', '//OK["ada\\x40example.com"]', /has escapes/],
])('what JSON of %s hides in escapes does not pass: %s', (type, text, why) => {
  const bytes = Buffer.from(text);
  for (const cuts of [[], [...bytes.keys()].slice(1)]) expect(() => through(type, bytes, partsOf(), cuts)).toThrow(why);
  expect(through('application/json', Buffer.from('Error \\ such ada@example.com'), partsOf(), [4])).toBe(
    'Error \\ such [masked:EMAIL]',
  );
});

test.each([
  `)]}'{"m":"ada\\u0040example.com"}`,
  'for(;;);["ada\\x40example.com"]',
  '{}&&{"m":"\\u0000ada\\u0040example.com"}',
])('an event has nothing in escapes behind a guard: %s', (data) => {
  const given = through('text/event-stream', Buffer.from(`data: ${data}\n\n`), partsOf(), []);
  expect(given).toBe('data: [masked:EMAIL]\n\n');
});
