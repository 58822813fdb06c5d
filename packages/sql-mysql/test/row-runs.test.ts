/** Runs of rows against the same rows one by one, whatever they are cut into and whatever stands behind them. */
import { type MySqlColumn, type RewrittenRow, Unmasked } from '@sluice/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowEditor } from '../src/masks/rows.js';

const NAMES = { schema: 's', table: 't', orgTable: 't', name: 'n', orgName: 'n' };
const column = (type: number): MySqlColumn => ({ ...NAMES, charset: 45, length: 0, flags: 0, decimals: 0, type });
const TEXT = column(253);
const always = (text: string): { cell: (() => Buffer) & { always: Buffer }; weight: number } => {
  const value = Buffer.from(text);
  return { cell: Object.assign(() => value, { always: value }), weight: 1 };
};

type Editor = NonNullable<ReturnType<typeof rowEditor>>;
const editorOf = (
  masks: readonly (ReturnType<typeof always> | undefined)[],
  count: (cells: number) => unknown = () => undefined,
) => rowEditor({ columns: masks.map(() => TEXT), masks, format: 'text', count }) as Editor;

function cellBytes(size: number | undefined): Buffer {
  if (size === undefined) return Buffer.from([0xfb]);
  const value = Buffer.alloc(size, 0x61 + (size % 26));
  if (size < 0xfb) return Buffer.concat([Buffer.from([size]), value]);
  const head = Buffer.alloc(size < 0x1_0000 ? 3 : 4);
  head[0] = size < 0x1_0000 ? 0xfc : 0xfd;
  head.writeUIntLE(size, 1, head.length - 1);
  return Buffer.concat([head, value]);
}

function packet(payload: Buffer, sequence: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence & 0xff;
  return Buffer.concat([header, payload]);
}

/** A row by itself, and whether it is one. */
function alone(editor: Editor, payload: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  const into: RewrittenRow = {
    keep: (from, start, stop) => void parts.push(Buffer.from(from.subarray(start, stop))),
    put: (value) => void parts.push(Buffer.from(value)),
    putByte: (value) => void parts.push(Buffer.from([value])),
    patch: () => undefined,
  };
  try {
    return editor.rewrite(payload, 0, payload.length, into) ? Buffer.concat(parts) : payload;
  } catch (failure) {
    if (failure instanceof Unmasked) return undefined;
    throw failure;
  }
}

const sizes = fc.option(
  fc.oneof({ arbitrary: fc.nat(400), weight: 8 }, fc.constantFrom(250, 251), fc.constantFrom(65_535, 65_536)),
  {
    nil: undefined,
    freq: 8,
  },
);
const rows = fc.array(fc.array(sizes, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 12 });
/** What is put in place of a byte somewhere, so that lengths are wrong. */
const damage = fc.option(fc.record({ at: fc.nat(2000), byte: fc.nat(255) }), { nil: undefined });

test('a run gives what single rows give, stops before what is none, and its rows are numbered on', () => {
  fc.assert(
    fc.property(
      fc.record({ rows, cut: fc.nat(4000), room: fc.nat(3000), sequence: fc.nat(255), damage, mask: fc.nat(7) }),
      ({ rows: made, cut, room, sequence, damage: damaged, mask }) => {
        const masks = [0, 1, 2].map((at) => ((mask >> at) & 1 ? always(`[${'x'.repeat(at * 10)}]`) : undefined));
        if (mask === 0) return;
        const payloads = made.map((cells) => Buffer.concat(cells.map(cellBytes)));
        const all = Buffer.concat(payloads.map((one, at) => packet(one, at)));
        if (damaged && damaged.at < all.length) all[damaged.at] = damaged.byte;
        const bytes = all.subarray(0, Math.max(0, all.length - (cut % 3 === 0 ? cut : 0)));
        const editor = editorOf(masks);
        const before = Buffer.from(bytes);
        const out = Buffer.alloc(all.length + room, 0xee);
        const run = editor.runs?.(bytes, 0, out, 5, sequence);
        if (!run) throw new Error('no runs');
        expect(bytes.equals(before)).toBe(true);
        const expected: Buffer[] = [];
        let at = 0;
        for (let row = 0; row < run.rows; row++) {
          const end = at + 4 + bytes.readUIntLE(at, 3);
          expect(end).toBeLessThanOrEqual(bytes.length);
          const one = alone(editor, bytes.subarray(at + 4, end));
          if (!one) throw new Error('a row passed that is none');
          expected.push(packet(one, sequence + row));
          at = end;
        }
        expect(run.at).toBe(at);
        expect(out.subarray(5, run.to).equals(Buffer.concat(expected))).toBe(true);
        expect(out.subarray(0, 5).equals(Buffer.alloc(5, 0xee))).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test('a run takes all that is there, counts cells that have another value, and NULL is none', () => {
  let cells = 0;
  const editor = editorOf([undefined, always('[masked]')], (more) => (cells += more));
  const all = Buffer.concat(
    [7, undefined, 300].map((size, at) => packet(Buffer.concat([cellBytes(3), cellBytes(size)]), at)),
  );
  const out = Buffer.alloc(1000);
  const run = editor.runs?.(all, 0, out, 0, 254);
  expect(run).toMatchObject({ at: all.length, rows: 3, masked: 2 });
  expect(cells).toBe(2);
  expect([3, 4 + 13 + 3, 4 + 13 + 4 + 5 + 3].map((at) => out[at])).toEqual([254, 255, 0]);
});

test('the end of rows, and an error, are none', () => {
  const editor = editorOf([always('[masked]')]);
  for (const first of [0xfe, 0xff]) {
    const all = Buffer.concat([packet(cellBytes(3), 0), packet(Buffer.from([first, 0, 0, 2, 0]), 1)]);
    expect(editor.runs?.(all, 0, Buffer.alloc(100), 0, 0)).toMatchObject({ rows: 1, at: 8 });
  }
});

test.each([
  ['a mask that has to be asked', [TEXT], [{ cell: () => Buffer.from('x'), weight: 1 }], 'text'],
  [
    'one that stands in place of NULL',
    [TEXT],
    [always('x')].map(({ cell }) => ({
      cell: Object.assign(() => cell(), { always: cell.always, replacesNull: true as const }),
      weight: 1,
    })),
    'text',
  ],
  ['a value that has to fit its type', [column(1)], [always('300')], 'text'],
  ['binary rows', [TEXT], [always('x')], 'binary'],
] as const)('%s has no runs', (_, columns, masks, format) => {
  expect(rowEditor({ columns, masks, format, count: () => undefined })?.runs).toBeUndefined();
});
