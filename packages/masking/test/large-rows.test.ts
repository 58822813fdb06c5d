import { CUTS, lent } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { type CellMask, type CopyFormat, LargeRows, RowMask, Unmaskable, copyRows } from '../src/index.js';

const LIMIT = 100;
const shared = (): LargeRows => new LargeRows({ row: 1000, together: 1500 });
const hidden: CellMask = () => Buffer.from('***');
const masks = [undefined, hidden];

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
const cell = (text: string): Buffer => Buffer.concat([int32(text.length), Buffer.from(text)]);
const row = (...cells: string[]): Buffer => {
  const body = Buffer.concat([Buffer.from([0, cells.length]), ...cells.map(cell)]);
  return Buffer.concat([Buffer.from('D'), int32(body.length + 4), body]);
};
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

interface Shape {
  readonly of: (...cells: string[]) => Buffer;
  /** What comes before the first row. */
  readonly head?: Buffer;
  readonly make: (large: LargeRows) => { push(bytes: Buffer): Buffer[] };
}

const copy = (format: CopyFormat['format'], of: Shape['of'], head?: Buffer): Shape => ({
  of,
  ...(head && { head }),
  make: (large) => {
    const rows = copyRows({ format }, masks, LIMIT, large);
    let header = (row: Buffer): number => {
      header = () => 0;
      return rows.headerOf(row);
    };
    return { push: (bytes) => rows.cut(bytes).map((one) => rows.mask(one, header(one))) };
  },
});
const SHAPES: Readonly<Record<string, Shape>> = {
  rows: {
    of: row,
    make: (large) => {
      const mask = new RowMask(masks, { limit: LIMIT, large });
      return { push: (bytes) => [mask.push(bytes)] };
    },
  },
  'copy in text': copy('text', (...cells) => Buffer.from(`${cells.join('\t')}\n`)),
  'copy in csv': copy('csv', (...cells) => Buffer.from(`${cells.join()}\n`)),
  'copy in binary': copy(
    'binary',
    (...cells) => Buffer.concat([Buffer.from([0, cells.length]), ...cells.map(cell)]),
    SIGNATURE,
  ),
};

const failure = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(Unmaskable);
    return (error as Error).message;
  }
  return 'passed';
};

test.each(Object.entries(SHAPES))('%s: what is not masked may be long', (_, { of, head, make }) => {
  const long = 'x'.repeat(800);
  const rows = [of(long, 'secret'), of('short', 'secret'), of(long, 'secret')];
  const stream = Buffer.concat([...(head ? [head] : []), ...rows]);
  const wanted = Buffer.concat([...(head ? [head] : []), of(long, '***'), of('short', '***'), of(long, '***')]);
  for (const cut of Object.values(CUTS)) {
    const mask = make(shared());
    const out = cut(stream).flatMap((piece) =>
      lent(piece, (chunk) => mask.push(chunk).map((bytes) => Buffer.from(bytes))),
    );
    expect(Buffer.concat(out).toString('latin1')).toBe(wanted.toString('latin1'));
  }
});

test.each(Object.entries(SHAPES))('%s: nothing passes that is too much', (_, { of, head, make }) => {
  const push = (large: LargeRows, ...rows: Buffer[]): string => {
    const mask = make(large);
    return failure(() => mask.push(Buffer.concat([...(head ? [head] : []), ...rows])));
  };
  expect(push(shared(), of('x'.repeat(1100), 'secret'))).toMatch(/more than 1000 bytes/);
  expect(push(shared(), of('x'.repeat(700), 's'.repeat(200)))).toMatch(/a mask looks at have more than 100 bytes/);
  expect(push(shared(), of('x', 's'.repeat(90)))).toBe('passed');
  // What was refused takes nothing from others.
  const large = shared();
  for (let time = 0; time < 3; time++) expect(push(large, of('x'.repeat(700), 's'.repeat(200)))).toMatch(/looks at/);
});

test.each(Object.entries(SHAPES))('%s: long rows share their memory', (_, { of, head, make }) => {
  const large = shared();
  const start = (): { push(bytes: Buffer): Buffer[] } => {
    const mask = make(large);
    if (head) mask.push(head);
    return mask;
  };
  const [one, two] = [start(), start()];
  const long = of('x'.repeat(880), 'secret');
  expect(failure(() => one.push(long))).toBe('passed');
  expect(failure(() => two.push(long))).toMatch(/try again later/);
  // Whoever is asked for more has delivered what there was.
  expect(failure(() => one.push(of('x', 'y')))).toBe('passed');
  expect(failure(() => start().push(long))).toBe('passed');
});
