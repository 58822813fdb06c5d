/** The bytes of a client before its keys are there: all of them go on in order, and the packet that costs waits for its turn. */
import { expect, test } from 'vitest';
import { FirstExchange } from '../src/first-exchange.js';

const packet = (type: number, size: number): Buffer => {
  const bytes = Buffer.alloc(4 + size, type);
  bytes.writeUInt32BE(size);
  bytes[4] = 4;
  return bytes;
};
const IDENT = Buffer.from('SSH-2.0-client\r\n');
const BEFORE = Buffer.concat([IDENT, packet(20, 1_500), packet(2, 12)]);
const COSTLY = packet(30, 44);
const BEHIND = Buffer.concat([packet(21, 12), Buffer.from('encrypted')]);
const ALL = Buffer.concat([BEFORE, COSTLY, BEHIND]);

function exchange(): { first: FirstExchange; seen(): Buffer; turns: (() => void)[]; errors: Error[] } {
  const parts: Buffer[] = [];
  const turns: (() => void)[] = [];
  const errors: Error[] = [];
  const first = new FirstExchange(
    // Memory of the caller is another's when the call is over.
    (bytes) => parts.push(Buffer.from(bytes)),
    () => new Promise((resolve) => turns.push(resolve)),
    (error) => errors.push(error),
  );
  return { first, turns, errors, seen: () => Buffer.concat(parts) };
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test.each([1, 2, 5, 6, 7, 16, 1_000, ALL.length])('in pieces of %i bytes', async (size) => {
  const { first, turns, seen } = exchange();
  for (let at = 0; at < ALL.length; at += size) {
    const piece = Buffer.from(ALL.subarray(at, at + size));
    first.receive(piece);
    piece.fill(0);
  }
  expect(seen()).toEqual(BEFORE);
  expect([first.waiting, turns.length]).toEqual([true, 1]);
  turns[0]?.();
  await settled();
  expect(seen()).toEqual(ALL);
  first.receive(packet(30, 44));
  expect([first.over, turns.length, seen().length]).toEqual([true, 1, ALL.length + COSTLY.length]);
});

test('no turn is taken before all of the packet is there, so that many cannot take theirs and then finish at one moment', () => {
  const { first, turns } = exchange();
  first.receive(ALL.subarray(0, BEFORE.length + COSTLY.length - 1));
  expect(turns).toHaveLength(0);
  first.receive(COSTLY.subarray(-1));
  expect(turns).toHaveLength(1);
});

test('a wrong guess of the client has its turn, and so has what is computed after it', async () => {
  const { first, turns, seen } = exchange();
  // Of mlkem768x25519, which is not offered; NEWKEYS before it is thrown away as well.
  const guess = Buffer.concat([packet(21, 12), packet(30, 1_228)]);
  const all = Buffer.concat([BEFORE, guess, COSTLY, BEHIND]);
  first.receive(all);
  expect([turns.length, seen()]).toEqual([1, Buffer.concat([BEFORE, packet(21, 12)])]);
  turns[0]?.();
  await settled();
  expect([turns.length, seen(), first.over]).toEqual([2, Buffer.concat([BEFORE, guess]), false]);
  turns[1]?.();
  await settled();
  expect([turns.length, seen(), first.over]).toEqual([2, all, true]);
});

test('what is wrong behind a packet that has waited is told', async () => {
  const { first, turns, errors } = exchange();
  first.receive(Buffer.concat([BEFORE, COSTLY, Buffer.from([0, 1, 0, 0, 4, 20])]));
  turns[0]?.();
  await settled();
  expect(errors).toHaveLength(1);
});

test.each([
  ['another line first', Buffer.from('x\nSSH-2.0-client\r\n')],
  ['a packet with a line in it first', Buffer.from('\0\0\x04\0\x04\x02\nSSH-2.0-client\r\n')],
  ['a packet that is larger than any', Buffer.concat([IDENT, Buffer.from([0, 1, 0, 0, 4, 20])])],
  ['a packet that is smaller than any', Buffer.concat([IDENT, Buffer.from([0, 0, 0, 1, 4, 20])])],
  ['a value that is longer than of any group', Buffer.concat([IDENT, Buffer.from([0, 0, 8, 0, 4, 30])])],
])('it ends with %s', (_, bytes) => {
  const { first } = exchange();
  expect(() => first.receive(bytes)).toThrow();
});
