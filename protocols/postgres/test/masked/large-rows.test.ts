import { CUTS, lent } from '@sluice/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type CellMask, type CopyFormat, Unmasked } from '@sluice/contract';
import { type ColumnMask, ColumnMasks, LargeRows, POSTGRES_MASKS, RowRoom } from '@sluice/masking';
import { CopyMask } from '../../src/masked/copy.js';
import { CopyDataEditor, DataRowEditor } from '../../src/masked/editor.js';
import { RowMask } from '../../src/masked/rows.js';

const LIMIT = 100;
const WAIT = 60_000;
const STALL = 20_000;
const shared = (rate = 1000): LargeRows => new LargeRows({ bytes: 1500, wait: WAIT, stall: STALL, rate });
const hidden: CellMask = () => Buffer.from('***');
const masks = [undefined, hidden];
const masksIn = (room: RowRoom): ColumnMasks<ColumnMask> =>
  new ColumnMasks<ColumnMask>([undefined, { type: 'null' }], { maker: POSTGRES_MASKS, room, count: () => undefined });

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
const cell = (text: string | null): Buffer =>
  text === null ? int32(-1) : Buffer.concat([int32(text.length), Buffer.from(text)]);
const cells = (...values: (string | null)[]): Buffer =>
  Buffer.concat([Buffer.from([0, values.length]), ...values.map(cell)]);
const message = (tag: string, body: Buffer): Buffer => Buffer.concat([Buffer.from(tag), int32(body.length + 4), body]);
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

interface Masking {
  push(bytes: Buffer): Buffer | Promise<Buffer>;
  sent(all: boolean): void;
}
interface Shape {
  /** A message that is a row; the first one of a stream has a header. */
  readonly of: (values: (string | null)[], first?: boolean) => Buffer;
  readonly mask: (room: RowRoom) => { push(bytes: Buffer): Buffer };
  readonly masking: (room: RowRoom) => Masking;
}

const copy = (format: CopyFormat['format'], row: Shape['of']): Shape => ({
  of: (values, first) => message('d', row(values, first)),
  mask: (room) => new CopyMask({ format }, masks, room),
  masking: (room) => new CopyDataEditor(Object.assign(masksIn(room), { format: { format } }), undefined),
});
const SHAPES: Readonly<Record<string, Shape>> = {
  rows: {
    of: (values) => message('D', cells(...values)),
    mask: (room) => new RowMask(masks, { room }),
    masking: (room) => new DataRowEditor(masksIn(room), undefined),
  },
  'copy in text': copy('text', (values) => Buffer.from(`${values.map((one) => one ?? '\\N').join('\t')}\n`)),
  'copy in csv': copy('csv', (values) => Buffer.from(`${values.join()}\n`)),
  'copy in binary': copy('binary', (values, first) => Buffer.concat([...(first ? [SIGNATURE] : []), cells(...values)])),
};
const each = test.each(Object.entries(SHAPES));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const roomOf = (large: LargeRows, onStalled?: () => void): RowRoom =>
  new RowRoom(large, { limit: LIMIT, ...(onStalled && { onStalled }) });
/** The start of a row whose end has not come. */
const startOf = (row: Buffer): Buffer => row.subarray(0, 90);

async function outcome(made: Buffer | Promise<Buffer>): Promise<string> {
  try {
    return (await made).toString('latin1');
  } catch (error) {
    expect(error).toBeInstanceOf(Unmasked);
    return (error as Error).message;
  }
}
/** Whether it is not settled yet. */
async function isPending(made: Buffer | Promise<Buffer>): Promise<boolean> {
  return (await Promise.race([made, vi.advanceTimersByTimeAsync(0).then(() => 'pending')])) === 'pending';
}

each('%s: what is not masked may be long', (_, { of, mask }) => {
  const long = 'x'.repeat(800);
  const stream = (secret: string): Buffer =>
    Buffer.concat([of([long, secret], true), of(['short', secret]), of([long, secret])]);
  for (const cut of Object.values(CUTS)) {
    const masking = mask(roomOf(shared()));
    const out = cut(stream('secret')).map((piece) => lent(piece, (chunk) => Buffer.from(masking.push(chunk))));
    expect(Buffer.concat(out).toString('latin1')).toBe(stream('***').toString('latin1'));
  }
});

each(
  '%s: nothing passes that is too much, and what was refused takes nothing from others',
  async (_, { of, masking }) => {
    const large = shared();
    const push = (row: Buffer): (() => Promise<string>) => {
      const one = masking(roomOf(large));
      return async () => {
        try {
          void one.push(startOf(row));
          return await outcome(one.push(row.subarray(90)));
        } catch (error) {
          return (error as Error).message;
        }
      };
    };
    expect(await push(of(['x'.repeat(1600), 'secret'], true))()).toMatch(/more than 1500 bytes/);
    for (let time = 0; time < 3; time++)
      expect(await push(of(['x'.repeat(700), 's'.repeat(200)], true))()).toMatch(
        /a mask looks at have more than 100 bytes/,
      );
    const longest = of(['x'.repeat(1400), 'secret'], true);
    expect(await push(longest)()).toBe(of(['x'.repeat(1400), null], true).toString('latin1'));
  },
);

each('%s: rows for which there is no room wait for their turn', async (_, { of, masking }) => {
  const large = shared();
  const row = of(['x'.repeat(880), 'secret'], true);
  const wanted = of(['x'.repeat(880), null], true).toString('latin1');
  const [one, two, three] = [masking(roomOf(large)), masking(roomOf(large)), masking(roomOf(large))];
  expect(await outcome(one.push(startOf(row)))).toBe('');
  const second = two.push(startOf(row));
  const small = three.push(startOf(of(['x'.repeat(200), 'secret'], true)));
  expect(await isPending(second)).toBe(true);
  // There would be room for this one, but it came later.
  expect(await isPending(small)).toBe(true);
  expect(await outcome(one.push(row.subarray(90)))).toBe(wanted);
  expect(await isPending(second)).toBe(true);
  one.sent(false);
  expect(await isPending(second)).toBe(true);
  one.sent(true);
  expect(await outcome(second)).toBe('');
  expect(await outcome(small)).toBe('');
  expect(await outcome(two.push(row.subarray(90)))).toBe(wanted);
});

each('%s: a row that has waited too long is refused, and the next one is not', async (_, { of, masking }) => {
  const large = shared();
  const row = of(['x'.repeat(880), 'secret'], true);
  const holder = roomOf(large);
  const one = masking(holder);
  void one.push(startOf(row));
  const refused = outcome(masking(roomOf(large)).push(startOf(row)));
  await vi.advanceTimersByTimeAsync(WAIT / 2);
  const next = masking(roomOf(large)).push(startOf(row));
  await vi.advanceTimersByTimeAsync(WAIT / 2);
  expect(await refused).toMatch(/other long rows took all the room there is for 60 seconds; try again later/);
  expect(await isPending(next)).toBe(true);
  // The session has ended.
  holder.clear();
  expect(await outcome(next)).toBe('');
});

each('%s: who keeps room without moving has to give way, but only when others wait', async (_, { of, masking }) => {
  const large = shared(10);
  const row = of(['x'.repeat(880), 'secret'], true);
  const stalled: string[] = [];
  const start = (name: string): { readonly room: RowRoom; readonly masking: Masking } => {
    const room: RowRoom = roomOf(large, () => {
      stalled.push(name);
      room.clear();
    });
    return { room, masking: masking(room) };
  };
  const one = start('one').masking;
  await one.push(row);
  void one.push(startOf(of(['x'.repeat(880), 'secret'])));
  await vi.advanceTimersByTimeAsync(2 * STALL);
  expect(stalled).toEqual([]);
  const second = start('two').masking.push(startOf(row));
  // It moves, though slowly.
  for (let time = 0; time < 3; time++) {
    one.sent(false);
    await vi.advanceTimersByTimeAsync(STALL / 2);
  }
  expect(stalled).toEqual([]);
  expect(await isPending(second)).toBe(true);
  await vi.advanceTimersByTimeAsync(STALL);
  expect(stalled).toEqual(['one']);
  expect(await outcome(second)).toBe('');
});

each('%s: who takes a row however steadily gives way before others are refused', async (_, { of, masking }) => {
  const large = shared(1);
  const row = of(['x'.repeat(880), 'secret'], true);
  let stalled = 0;
  const room: RowRoom = roomOf(large, () => {
    stalled++;
    room.clear();
  });
  const one = masking(room);
  void one.push(startOf(row));
  void one.push(row.subarray(90));
  const take = async (steps: number): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      one.sent(false);
      await vi.advanceTimersByTimeAsync(STALL / 4);
    }
  };
  // Nobody waits: it may take as long as it likes.
  await take(20);
  expect(stalled).toBe(0);
  const second = masking(roomOf(large)).push(startOf(row));
  await take(5);
  expect(stalled).toBe(0);
  await take(3);
  expect(stalled).toBe(1);
  expect(await outcome(second)).toBe('');
});

each('%s: many sessions of one person do not keep another waiting', async (_, { of, masking }) => {
  const large = shared();
  const row = of(['x'.repeat(680), 'secret'], true);
  const start = (person: string): { readonly room: RowRoom; readonly made: Buffer | Promise<Buffer> } => {
    const room = roomOf(large);
    room.person = person;
    return { room, made: masking(room).push(startOf(row)) };
  };
  const [one, two, three, other] = [start('ada'), start('ada'), start('ada'), start('bob')];
  expect(await isPending(two.made)).toBe(false);
  one.room.clear();
  expect(await isPending(other.made)).toBe(false);
  expect(await isPending(three.made)).toBe(true);
  two.room.clear();
  expect(await outcome(three.made)).toBe('');
});

each('%s: a session gives back what one row took before it waits for the next', async (_, { of, masking }) => {
  const large = shared();
  const long = of(['x'.repeat(880), 'secret'], true);
  const [one, two] = [masking(roomOf(large)), masking(roomOf(large))];
  void one.push(startOf(long));
  // The end of one row, and the start of one that there is no room for as long as the first is there.
  const next = of(['x'.repeat(1300), 'secret']);
  const made = one.push(Buffer.concat([long.subarray(90), startOf(next)]));
  expect(made).toBeInstanceOf(Buffer);
  // The client takes its time for the first one.
  await made;
  await vi.advanceTimersByTimeAsync(2 * WAIT);
  one.sent(true);
  const waiting = one.push(next.subarray(90, 100));
  expect(await outcome(waiting)).toBe('');
  expect(await isPending(two.push(startOf(long)))).toBe(true);
  expect(await outcome(one.push(next.subarray(100)))).toBe(of(['x'.repeat(1300), null]).toString('latin1'));
});
