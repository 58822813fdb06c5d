import { builtIn, fixedMask } from '@sluice/masking';
import { describe, expect, test } from 'vitest';
import { CopyMask } from '../../src/masked/copy.js';
import { RowMask } from '../../src/masked/rows.js';

const options = { mode: { type: 'redact' }, key: Buffer.alloc(32, 1), entity: 'COLUMN' } as const;

describe('takes the place of NULL too', () => {
  const text = fixedMask(builtIn(25), 'text', options);
  const number = fixedMask(builtIn(23), 'text', options);
  const row = (...cells: (string | null)[]): Buffer => {
    const parts = cells.map((cell) => {
      const size = Buffer.alloc(4);
      size.writeInt32BE(cell === null ? -1 : cell.length);
      return Buffer.concat([size, Buffer.from(cell ?? '')]);
    });
    const body = Buffer.concat([Buffer.from([0, cells.length]), ...parts]);
    const head = Buffer.from([0x44, 0, 0, 0, 0]);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };

  test.each([
    ['of another size', ['x', '1', 'kept']],
    ['of the same size', ['12345678', null, 'kept']],
    ['NULL', [null, null, 'kept']],
    ['one of each', [null, '7', null]],
  ])('in rows, whatever they held: %s', (_, cells) => {
    const mask = new RowMask([text, number, undefined]);
    const last = cells[2] as string | null;
    const expected = Buffer.concat([row('[masked]', null, last), row('[masked]', null, 'z')]);
    expect(mask.push(Buffer.concat([row(...cells), row(null, '5', 'z')]))).toEqual(expected);
  });

  const copied = (data: string, format: 'text' | 'csv'): string => {
    const head = Buffer.from([0x64, 0, 0, 0, 0]);
    head.writeInt32BE(data.length + 4, 1);
    const out = new CopyMask({ format, ...(format === 'csv' && { null: '' }) }, [text, number]).push(
      Buffer.concat([head, Buffer.from(data)]),
    );
    return out.subarray(5).toString();
  };
  test('in COPY', () => {
    expect(copied('\\N\t5\n', 'text')).toBe('[masked]\t\\N\n');
    expect(copied('x\t\\N\n', 'text')).toBe('[masked]\t\\N\n');
    expect(copied(',5\n', 'csv')).toBe('[masked],\n');
    // Quotes of the value are not kept: they would tell that something in it needs them.
    expect(copied('"a,b",\n', 'csv')).toBe('[masked],\n');
  });
});
