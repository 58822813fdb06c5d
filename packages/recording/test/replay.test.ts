/** What records say of a session, in the layouts that they have had. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal, type ReplayEntry, commandHeader, responseHeader, timeline } from '../src/index.js';
import { emptyFolder } from './folder.js';

const BODY = Buffer.from('{"a":1}');
const HEAD = Buffer.from('HTTP/1.1 200 OK\r\n\r\n');
const ANSWER = Buffer.from('fine');
const COMMAND = { type: 'request', id: 1 } as Parameters<typeof commandHeader>[1];
const JUDGED = '"text":"POST /x","confidence":"exact","actions":[],"matched":[],"decision":"allow"';
const END = { type: 'end', command: 1, outcome: 'ok', summary: '200 OK', rows: 0, bytes: 4, data: [] } as const;

function entriesOf(records: readonly (readonly [header: string, ...payload: Buffer[]])[]): ReplayEntry[] {
  const folder = emptyFolder();
  const journal = new Journal({ folder });
  for (const [header, ...payload] of records) journal.append(header, payload);
  journal.close();
  return timeline(folder, 's');
}

test('texts of any kind are on record as JSON has them', () => {
  const units = fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0, max: 0xffff }));
  const text = fc.array(units, { maxLength: 80 }).map((all) => String.fromCharCode(...all));
  fc.assert(
    fc.property(text, (summary) => {
      const { type: _, command: id, data: __, rows, bytes, outcome } = END;
      const expected = { k: 'end', t: 7, s: 's', id, outcome, summary, rows, bytes };
      expect(responseHeader('s', { ...END, summary }, 7)).toBe(JSON.stringify(expected));
    }),
    { numRuns: 300 },
  );
});

test('parts of a command and of an end read as those that are records of their own', () => {
  const part = (stream: 'request' | 'head' | 'out', data: Buffer): readonly [string, Buffer] => [
    responseHeader('s', { type: 'part', command: 1, stream, data: [data] }, 7),
    data,
  ];
  const each = entriesOf([
    [commandHeader('s', COMMAND, JUDGED, 'full', 5)],
    [responseHeader('s', { type: 'part', command: 1, stream: 'request', data: [BODY] }, 5), BODY],
    part('head', HEAD),
    part('out', ANSWER),
    [responseHeader('s', END, 7)],
  ]);
  const parts = [
    { stream: 'head', data: HEAD },
    { stream: 'out', data: ANSWER },
  ] as const;
  const together = entriesOf([
    [commandHeader('s', COMMAND, JUDGED, 'full', 5, [{ stream: 'request', data: BODY }]), BODY],
    [responseHeader('s', { ...END, parts }, 7), HEAD, ANSWER],
  ]);
  expect(together).toEqual(each);
  expect(together.map(({ type }) => type)).toEqual(['command', 'output', 'output', 'output', 'response']);
  expect(together[0]).not.toHaveProperty('parts');
});

test.each([
  ['longer than the payload', '[["out",9000]]', ['fine', '']],
  ['of no length', '[["out",-1]]', ['fine']],
  ['no list', '"out"', ['fine']],
])('parts that are %s take nothing of the answer away, and break nothing', (_what, parts, expected) => {
  const header = responseHeader('s', END, 7).replace('"outcome"', `"parts":${parts},"outcome"`);
  const data = entriesOf([[header, ANSWER]]).flatMap((entry) => ('data' in entry ? [entry.data.toString()] : []));
  expect(data).toEqual(expected);
});

test('a bound value is on record as it was, whatever is in it', () => {
  const one = (value: Buffer): unknown => {
    const command = {
      type: 'sql',
      id: 1,
      phase: 'run',
      text: '',
      parameters: [
        { type: 0, format: 'text', value },
        { type: 0, format: 'text', value: null },
      ],
    };
    const header = commandHeader('s', command as unknown as Parameters<typeof commandHeader>[1], JUDGED, 'full', 5);
    return (JSON.parse(header) as { parameters: unknown[] }).parameters;
  };
  for (let byte = 0; byte < 256; byte++) {
    const value = Buffer.from([0x61, byte, 0x62]);
    const isText = byte < 0x80;
    expect(one(value), `byte ${byte}`).toEqual([isText ? value.toString() : { hex: value.toString('hex') }, null]);
  }
  for (const text of ['', '7', '-9007199254740993', '31 signs of ASCII in a long text', `${'x'.repeat(32)}y`, 'Zoë'])
    expect(one(Buffer.from(text))).toEqual([text, null]);
});
