/** Rows with much to look at are masked in another thread: what comes out is the same, and others go on meanwhile. */
import { type CopyFormat, Unmasked } from '@sluice/contract';
import {
  type ColumnMask,
  ColumnMasks,
  ENTITIES,
  MAX_INLINE_BYTES,
  MAX_INLINE_CELLS,
  POSTGRES_MASKS,
  RowRoom,
  builtIn,
  cellMaskOf,
} from '@sluice/masking';
import { countWork } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import { CopyMask } from '../../src/masked/copy.js';
import { CopyDataEditor, DataRowEditor } from '../../src/masked/editor.js';
import { RowMask } from '../../src/masked/rows.js';

type Masks = ColumnMasks<ColumnMask>;
const masksOf = (
  columns: readonly (ColumnMask | undefined)[],
  { room = new RowRoom(), count = () => undefined }: { room?: RowRoom; count?: (cells: number) => void } = {},
): Masks => new ColumnMasks(columns, { maker: POSTGRES_MASKS, room, count });
const copying = (format: CopyFormat, masks: Masks): CopyDataEditor =>
  new CopyDataEditor(Object.assign(masks, { format }), undefined);

const detecting = (format: 'text' | 'binary', oid = 25): ColumnMask => ({
  type: 'detect',
  of: builtIn(oid),
  format,
  options: { modes: new Map(ENTITIES.map((entity) => [entity, { type: 'hash' }])), key: Buffer.alloc(32, 7) },
});

function row(...cells: string[]): Buffer {
  const parts = cells.map((text) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(text.length);
    return Buffer.concat([size, Buffer.from(text)]);
  });
  const body = Buffer.concat([Buffer.from([0, cells.length]), ...parts]);
  const head = Buffer.from('D0000');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

test.each([0, 1, 60_000])(
  'it is known whether there were values that a mask cannot read: %i of them',
  async (count) => {
    const dates: ColumnMask = {
      type: 'column',
      of: builtIn(1082),
      format: 'text',
      options: { mode: { type: 'redact' }, key: Buffer.alloc(32, 7), entity: '' },
    };
    const masks = masksOf([dates]);
    const masking = new DataRowEditor(masks, undefined);
    const made = masking.push(
      Buffer.concat([row('1815-12-10'), ...Array.from({ length: count }, () => row('10.12.1815'))]),
    );
    expect(made instanceof Promise).toBe(count > 1);
    await made;
    expect(masks.unreadable).toBe(count > 0);
  },
);

describe('rows', () => {
  const columns = [undefined, detecting('text'), detecting('text', 114), detecting('text', 1009)];
  const long = 'mail ada@example.com now '.repeat(MAX_INLINE_BYTES / 20);
  const rows = [
    row('1', 'ada@example.com', '{"a":"ada@example.com"}', '{ada@example.com}'),
    row('2', long, '{}', '{}'),
    row('3', '', `{"a":"${long}"}`, '{}'),
    row('4', '', '{}', `{"${long}"}`),
    row('5', 'ada@example.com', '{}', '{}'),
  ];

  test('come out as they do in this thread, in their order, however they are cut', async () => {
    const wanted = new RowMask(columns.map(cellMaskOf)).push(Buffer.concat(rows));
    expect(wanted.includes('ada@example.com')).toBe(false);
    for (const size of [1000, 64 * 1024, Number.MAX_SAFE_INTEGER]) {
      let cells = 0;
      let late = 0;
      const masking = new DataRowEditor(masksOf(columns, { count: (more) => (cells += more) }), undefined);
      const stream = Buffer.concat(rows);
      const out: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size) {
        const made = masking.push(Buffer.from(stream.subarray(at, at + size)));
        if (made instanceof Promise) late++;
        out.push(Buffer.from(await made));
      }
      expect(Buffer.concat(out).equals(wanted)).toBe(true);
      expect(cells).toBe(7);
      expect(late).toBe(size > stream.length ? 1 : 3);
    }
  });

  test('the event loop turns while they are looked at', async () => {
    let turns = 0;
    const made = new DataRowEditor(masksOf(columns), undefined).push(rows[1] as Buffer);
    expect(made).toBeInstanceOf(Promise);
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    await made;
    clearImmediate(next);
    expect(turns).toBeGreaterThan(1);
  });

  test('what is not looked at takes no thread, however long it is', () => {
    expect(new DataRowEditor(masksOf(columns), undefined).push(row(long, 'x', '{}', '{}'))).toBeInstanceOf(Buffer);
  });

  test('very many small values take a thread too', async () => {
    const many = Buffer.concat(Array.from({ length: MAX_INLINE_CELLS / 3 + 1 }, () => row('1', 'x', '{}', '{}')));
    const made = new DataRowEditor(masksOf(columns), undefined).push(many);
    expect(made).toBeInstanceOf(Promise);
    expect((await made).equals(many)).toBe(true);
  });

  test.each([
    ['an array', builtIn(1009), `{${'x,'.repeat(MAX_INLINE_CELLS)}x}`],
    ['a document', builtIn(3802), `[${'1, '.repeat(MAX_INLINE_CELLS)}1]`],
  ] as const)('so do many small parts of %s that each get a hash', async (_, of, value) => {
    const options = { mode: { type: 'hash' }, key: Buffer.alloc(32, 7), entity: 'A' } as const;
    const masked: ColumnMask = { type: 'column', of, format: 'text', options };
    const made = new DataRowEditor(masksOf([masked]), undefined).push(row(value));
    expect(made).toBeInstanceOf(Promise);
    expect((await made).equals(new RowMask([cellMaskOf(masked)]).push(row(value)))).toBe(true);
  });

  test('what is refused here is refused there', async () => {
    const other = new DataRowEditor(masksOf([detecting('text')]), undefined);
    expect(() => other.push(Buffer.concat([row(long), row('1', '2')]))).toThrow(Unmasked);
    const room = new RowRoom(undefined, { limit: MAX_INLINE_BYTES });
    const small = new DataRowEditor(masksOf([detecting('text')], { room }), undefined);
    expect(() => small.push(row(long))).toThrow(/more than/);
  });
});

describe('COPY data', () => {
  const MAIL = 'mail ada@example.com, "now" \\ '.repeat(MAX_INLINE_BYTES / 20);
  const int32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const message = (data: Buffer): Buffer => Buffer.concat([Buffer.from('d'), int32(data.length + 4), data]);
  const VALUES = [
    ['1', 'ada@example.com'],
    ['2', MAIL],
    ['3', ''],
    ['4', 'ada@example.com'],
  ];
  const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), int32(0), int32(3), Buffer.from('ext')]);
  const binary = (cells: readonly string[]): Buffer =>
    Buffer.concat([
      Buffer.from([0, cells.length]),
      ...cells.flatMap((text) => [int32(text.length), Buffer.from(text)]),
    ]);
  /** In each format the messages of a server, and the ones to come out. */
  const SHAPES = {
    text: {
      format: { format: 'text', header: true },
      head: (row: Buffer) => [Buffer.from('id\tmail ada@example.com\n'), row],
      row: (cells: readonly string[]) =>
        Buffer.from(`${cells.map((cell) => cell.replaceAll('\\', '\\\\')).join('\t')}\n`),
      end: [],
    },
    csv: {
      format: { format: 'csv', header: true, forceQuote: [false, true] },
      head: (row: Buffer) => [Buffer.from('id,mail ada@example.com\n'), row],
      row: ([id, mail = '']: readonly string[]) => Buffer.from(`${id},"${mail.replaceAll('"', '""')}"\n`),
      end: [],
    },
    binary: {
      format: { format: 'binary' },
      head: (row: Buffer) => [Buffer.concat([HEADER, row])],
      row: binary,
      end: [Buffer.from([0xff, 0xff])],
    },
  } as const;
  const streamOf = ({ head, row, end }: (typeof SHAPES)['text' | 'csv' | 'binary'], values: string[][]): Buffer => {
    const [first = Buffer.alloc(0), ...rest] = values.map(row);
    return Buffer.concat([...head(first), ...rest, ...end].map(message));
  };

  describe.each(Object.entries(SHAPES))('in %s', (name, shape) => {
    const columns = [undefined, detecting(name === 'binary' ? 'binary' : 'text')];
    const hashed = (text: string): string => {
      const mask = cellMaskOf(detecting('text'));
      const bytes = Buffer.from(text);
      return mask?.(bytes, 0, bytes.length)?.toString() ?? text;
    };
    const wanted = streamOf(
      shape,
      VALUES.map(([id = '', mail = '']) => [id, hashed(mail)]),
    );

    test('comes out right however it is cut', async () => {
      const stream = streamOf(shape, VALUES);
      for (const size of [1000, 64 * 1024, Number.MAX_SAFE_INTEGER]) {
        let cells = 0;
        let late = 0;
        const masking = copying(shape.format, masksOf(columns, { count: (more) => (cells += more) }));
        const out: Buffer[] = [];
        for (let at = 0; at < stream.length; at += size) {
          const made = masking.push(Buffer.from(stream.subarray(at, at + size)));
          if (made instanceof Promise) late++;
          out.push(Buffer.from(await made));
        }
        masking.end();
        expect(Buffer.concat(out).equals(wanted)).toBe(true);
        expect([cells, late]).toEqual([3, 1]);
      }
    });

    test('a value that detectors look at for long is not masked in this thread', async () => {
      const stream = streamOf(shape, [['1', 'a@b.cc '.repeat(MAX_INLINE_BYTES / 6)]]);
      const inline = countWork(() => new CopyMask(shape.format, columns.map(cellMaskOf)).push(stream));
      let made: unknown;
      const here = countWork(() => {
        made = copying(shape.format, masksOf(columns)).push(stream);
      });
      expect(made).toBeInstanceOf(Promise);
      expect(here).toBeLessThan(inline / 10);
      await made;
    });

    test('so are very many small values', async () => {
      const values = Array.from({ length: MAX_INLINE_CELLS + 1 }, (_, n) => [`${n % 7}`, 'x']);
      const masking = copying(shape.format, masksOf(columns));
      const made = masking.push(streamOf(shape, values));
      expect(made).toBeInstanceOf(Promise);
      expect((await made).equals(streamOf(shape, values))).toBe(true);
      expect(masking.push(Buffer.alloc(0))).toBeInstanceOf(Buffer);
    });
  });

  test('what is refused here is refused there', async () => {
    const masking = copying(
      { format: 'text' },
      masksOf([detecting('text')], { room: new RowRoom(undefined, { limit: MAX_INLINE_BYTES }) }),
    );
    await expect(masking.push(message(Buffer.from(`${MAIL}\n`)))).rejects.toThrow(/a mask looks at have more than/);
    const columns = [detecting('text'), undefined];
    const other = copying({ format: 'text' }, masksOf(columns));
    await expect(other.push(message(Buffer.from(`${MAIL}\n`)))).rejects.toThrow(/other columns/);
  });
});
