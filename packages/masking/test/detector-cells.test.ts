import { expect, test } from 'vitest';
import { builtIn, detectorFor, ENTITIES, type Entity, type Mode, type PgType } from '../src/index.js';

const all = (mode: Mode): ReadonlyMap<Entity, Mode> => new Map(ENTITIES.map((entity) => [entity, mode]));
const key = Buffer.alloc(16, 5);

const hex = (text: string): string => Buffer.from(text).toString('hex');

function run(type: PgType, text: string, modes = all({ type: 'redact' })): string | null | undefined {
  const bytes = Buffer.from(text);
  const mask = detectorFor(type, 'text', { modes, key });
  return mask && (mask(bytes, 0, bytes.length)?.toString() ?? (mask(bytes, 0, bytes.length) as null | undefined));
}

test.each([
  [25, 'write to ada@example.com or +1 212 555 0123', 'write to [masked:EMAIL] or [masked:PHONE]'],
  [25, 'nothing here', undefined],
  [142, '<a mail="ada@example.com"/>', '<a mail="[masked:EMAIL]"/>'],
  [114, '{"a":"\\u0061da\\u0040example.com","n":[4111111111111111,12]}', '{"a":"[masked:EMAIL]","n":[0,12]}'],
  [114, '{"ada@example.com":1}', '{"[masked:EMAIL]":1}'],
  [3802, '{"a": "000-12-3456"}', '{"a": "[masked:US_SSN]"}'],
  [3802, '{"a": "nothing"}', undefined],
  [1009, '{"ada@example.com",plain,NULL}', '{[masked:EMAIL],plain,NULL}'],
  [1009, '{plain}', undefined],
  [20, '4111111111111111', '0'],
  [20, '4111111111111112', undefined],
  [1700, '4111111111111111', '0'],
  [17, `\\x${hex('to ada@example.com')}`, `\\x${hex('to [masked:EMAIL]')}`],
  [17, 'to ada@example.com \\\\ \\303\\251', 'to [masked:EMAIL] \\\\ \\303\\251'],
  [17, `\\x${hex('ada@example.com\0')}`, undefined],
  [17, 'ada@example.com\\000', undefined],
  [17, `\\x${hex('ada@example.com')}ff`, undefined],
  [1001, `{"\\\\x${hex('ada@example.com')}","\\\\x00"}`, `{"\\\\x${hex('[masked:EMAIL]')}","\\\\x00"}`],
  [3614, "'ada@example.com':1", ''],
  [99_999, 'ada@example.com', null],
  [99_999, 'something else', undefined],
])('in type %i, %s becomes %s', (oid, text, masked) => {
  expect(run(builtIn(oid), text)).toBe(masked);
});

test('a value that stays is not written over by the ones behind it', () => {
  expect(run(builtIn(1009), '{ab,longer,c@example.com,ef}')).toBe('{ab,longer,[masked:EMAIL],ef}');
  const fields = [23, 25, 25].map((oid) => builtIn(oid));
  const row: PgType = { oid: 70_000, kind: 'composite', fields };
  expect(run(row, '(7,longer,"c@example.com, or d@example.com")')).toBe(
    '(7,longer,"[masked:EMAIL], or [masked:EMAIL]")',
  );
});

test('columns without texts are not looked at', () => {
  for (const oid of [16, 21, 23, 700, 1082, 1184, 2950, 869, 1007, 2951]) {
    expect(detectorFor(builtIn(oid), 'binary', { modes: all({ type: 'redact' }), key })).toBeUndefined();
  }
});

test('in a column with a limit the text stays within it', () => {
  expect(run(builtIn(1043, 24), 'ada@example.com')).toBe('[masked:EMAIL]');
  expect(run(builtIn(1043, 19), 'to a@example.co')).toBe('[masked]');
  expect(run(builtIn(1042, 12), 'x@y.zip ')).toBe('[masked]');
  expect(run(builtIn(1042, 24), 'x@y.zip             ')).toBe('[masked:EMAIL]      ');
});

test('modes: each finding by its own, and only what is asked for', () => {
  const modes = new Map<Entity, Mode>([
    ['CREDIT_CARD', { type: 'partial' }],
    ['EMAIL', { type: 'hash' }],
  ]);
  expect(run(builtIn(25), '4111 1111 1111 1111, ada@example.com, 123-45-6789', modes)).toMatch(
    /^\*{4} \*{4} \*{4} 1111, tok_[a-z2-7]{20}, 123-45-6789$/,
  );
  expect(run(builtIn(25), 'x ada@example.com', all({ type: 'null' }))).toBeNull();
});

test('what is not asked for hides nothing that is', () => {
  expect(run(builtIn(25), 'password=x/ada@example.com', new Map([['EMAIL', { type: 'redact' }]]))).toBe(
    'password=x/[masked:EMAIL]',
  );
});
