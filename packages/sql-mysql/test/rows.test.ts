/** Rows as they stand in packets: every layout, NULL, lengths of each size, and rows that are none. */
import { type MySqlColumn, type RewrittenRow, Unmasked } from '@sluice/contract';
import { expect, test } from 'vitest';
import { rowEditor } from '../src/masks/rows.js';

const NAMES = { schema: 's', table: 't', orgTable: 't', name: 'n', orgName: 'n' };
const column = (type: number): MySqlColumn => ({ ...NAMES, charset: 45, length: 0, flags: 0, decimals: 0, type });
const TEXT = column(253);
const hidden = (): Buffer => Buffer.from('x');
const nothing = (): null => null;

type Mask = (() => Buffer | null) | undefined;
const masked = (columns: MySqlColumn[], masks: Mask[], format: 'text' | 'binary', row: Buffer): Buffer => {
  const weighed = masks.map((cell) => cell && { cell, weight: 1 });
  return rewritten(rowEditor({ columns, masks: weighed, format, count: () => undefined }), row);
};

/** What comes of a row that lies between others, whose bytes could be taken for more of it. */
function rewritten(editor: ReturnType<typeof rowEditor>, row: Buffer): Buffer {
  if (!editor) throw new Error('no mask');
  const around = Buffer.alloc(9, 0xfb);
  const bytes = Buffer.concat([around, row, around]);
  const end = around.length + row.length;
  const parts: Buffer[] = [];
  const into: RewrittenRow = {
    keep: (from, start, stop) => void parts.push(Buffer.from(from.subarray(start, stop))),
    put: (value) => void parts.push(Buffer.from(value)),
    putByte: (value) => void parts.push(Buffer.from([value])),
    patch: (at, value) => void parts[0]?.writeUInt8(value, at),
  };
  const isAnew = editor.rewrite(bytes, around.length, end, into);
  expect(Buffer.concat([bytes.subarray(0, around.length), bytes.subarray(end)])).toEqual(
    Buffer.concat([around, around]),
  );
  return isAnew ? Buffer.concat(parts) : Buffer.from(bytes.subarray(around.length, end));
}

function counted(size: number): Buffer {
  if (size < 0xfb) return Buffer.from([size]);
  const head = Buffer.alloc(size < 0x1_0000 ? 3 : 4);
  head[0] = size < 0x1_0000 ? 0xfc : 0xfd;
  head.writeUIntLE(size, 1, head.length - 1);
  return head;
}

test.each([0, 1, 250, 251, 65_535, 65_536])('a value of %i bytes beside a masked one', (size) => {
  const long = Buffer.concat([counted(size), Buffer.alloc(size, 0x61)]);
  const row = Buffer.concat([long, Buffer.from('\u0006secret'), long]);
  const expected = Buffer.concat([long, Buffer.from('\u0001x'), long]);
  expect(masked([TEXT, TEXT, TEXT], [undefined, hidden, undefined], 'text', row)).toEqual(expected);
});

test('NULL stays NULL, and a mask can make one', () => {
  const row = Buffer.concat([Buffer.from([0xfb]), Buffer.from('\u0001a')]);
  expect(masked([TEXT, TEXT], [hidden, nothing], 'text', row)).toEqual(Buffer.from([0xfb, 0xfb]));
});

test('binary rows: fixed values are taken out for NULL, and bits of the others stay', () => {
  // An INT, a DATE, a text and a NULL; the bitmap begins with two bits that are not used.
  const row = Buffer.from([0, 0b0010_0000, 42, 0, 0, 0, 4, 0xb9, 7, 3, 4, 1, 0x61]);
  const made = masked([column(3), column(10), TEXT, TEXT], [nothing, undefined, hidden, hidden], 'binary', row);
  expect(made).toEqual(Buffer.from([0, 0b0010_0100, 4, 0xb9, 7, 3, 4, 1, 0x78]));
});

test('a mask that is no value of the type is NULL', () => {
  const text = (): Buffer => Buffer.from('300');
  expect(masked([column(1)], [text], 'binary', Buffer.from([0, 0, 7]))).toEqual(Buffer.from([0, 0b100]));
  expect(masked([column(2)], [text], 'binary', Buffer.from([0, 0, 7, 0]))).toEqual(Buffer.from([0, 0, 44, 1]));
});

test.each([
  ['text', [5, 0x61]],
  ['text', [0xfe, 1]],
  ['text', [0xff, 0x61]],
  ['text', [1, 0x61, 1, 0x61]],
  ['text', [0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 0x61]],
  ['binary', [0]],
  ['binary', [1, 0, 1, 0x61]],
  ['binary', [0, 0, 9, 0x61]],
] as const)('a %s row that is none does not pass: %j', (format, bytes) => {
  expect(() => masked([TEXT], [hidden], format, Buffer.from(bytes))).toThrow(Unmasked);
});

test('what masks look at in one row is bounded, and what they do not look at is not', () => {
  const long = Buffer.concat([counted(700_000), Buffer.alloc(700_000, 0x61)]);
  const row = Buffer.concat([long, long]);
  const editor = (weight: number): ReturnType<typeof rowEditor> =>
    rowEditor({
      columns: [TEXT, TEXT],
      masks: [
        { cell: hidden, weight },
        { cell: hidden, weight },
      ],
      format: 'text',
      count: () => undefined,
    });
  expect(() => rewritten(editor(1), row)).toThrow(/1 MiB/);
  expect(rewritten(editor(0), row)).toEqual(Buffer.from('\u0001x\u0001x'));
  const hashed = Buffer.concat([counted(70_000), Buffer.alloc(70_000), counted(0)]);
  expect(() => rewritten(editor(16), hashed)).toThrow(/1 MiB/);
});

test('whether a value became NULL because its mask does not fit is known', () => {
  const editor = rowEditor({
    columns: [column(1)],
    masks: [{ cell: () => Buffer.from('300'), weight: 1 }],
    format: 'text',
    count: () => undefined,
  });
  expect(editor?.unreadable).toBe(false);
  expect(rewritten(editor, Buffer.from('\u00017'))).toEqual(Buffer.from([0xfb]));
  expect(editor?.unreadable).toBe(true);
});

test('what is computed has one answer, NULL or not', () => {
  const cell = Object.assign(() => Buffer.from('[masked]'), { replacesNull: true as const });
  const columns = [TEXT, TEXT, TEXT];
  const masks = [undefined, { cell, weight: 0 }, undefined];
  const made = (format: 'text' | 'binary', row: Buffer): Buffer =>
    rewritten(rowEditor({ columns, masks, format, count: () => undefined }), row);
  const text = Buffer.from('\u0001a\u0008[masked]\u0001b');
  expect(made('text', Buffer.from([1, 97, 0xfb, 1, 98]))).toEqual(text);
  expect(made('text', Buffer.from('\u0001a\u0001x\u0001b'))).toEqual(text);
  // The third bit behind the two that are not used is that of the second column.
  const binary = Buffer.concat([Buffer.from([0, 0]), text]);
  expect(made('binary', Buffer.from([0, 0b1000, 1, 97, 1, 98]))).toEqual(binary);
  expect(made('binary', Buffer.from([0, 0, 1, 97, 1, 120, 1, 98]))).toEqual(binary);
});

test('a mask that keeps the size edits where the value lies, and a value that it does not know is made anew', () => {
  const cell = Object.assign(() => Buffer.from('[masked]'), {
    edit: (bytes: Buffer, start: number, end: number): boolean => {
      if (bytes[start] !== 0x61) return false;
      bytes.fill(0x2a, start, end);
      return true;
    },
  });
  let cells = 0;
  const made = (format: 'text' | 'binary', row: Buffer): Buffer =>
    rewritten(
      rowEditor({
        columns: [TEXT, TEXT, TEXT],
        masks: [undefined, { cell, weight: 1 }, { cell, weight: 1 }],
        format,
        count: (more) => (cells += more),
      }),
      row,
    );
  const head = Buffer.from([0, 0]);
  for (const [row, expected] of [
    ['\u0001x\u0003abc\u0002ab', '\u0001x\u0003***\u0002**'],
    ['\u0001x\u0003abc\u0001y', '\u0001x\u0003***\u0008[masked]'],
    ['\u0001x\u0001y\u0002ab', '\u0001x\u0008[masked]\u0002**'],
  ] as const) {
    expect(made('text', Buffer.from(row))).toEqual(Buffer.from(expected));
    expect(made('binary', Buffer.concat([head, Buffer.from(row)]))).toEqual(
      Buffer.concat([head, Buffer.from(expected)]),
    );
  }
  expect(cells).toBe(12);
});
