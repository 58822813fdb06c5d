/** What reading a terminal costs, in work and not in time: twice the output is twice the work, whatever it says. */
import { countWork, growth } from '@sluice/testkit/work';
import { expect, test } from 'vitest';
import { FirstExchange } from '../src/first-exchange.js';
import { ScreenLine } from '../src/lines.js';

/** Beyond what may be saved up for a line that is edited. */
const SIZE = 48 * 1024;

const OUTPUTS = [
  'x',
  '\n',
  '\r',
  '\b',
  'x\n',
  '\x1b',
  '\x1b[',
  '\x1b]',
  '\x1b]0;a\x07',
  '\x1b]0;a\x1b\\',
  '\x1b[1',
  '\x1b[4096C',
  '\x1b[4096Cx',
  '\x1b[4096C\x1b[@',
  'x\x1b[D\x1b[4096@',
  '\r\x1b[P',
  '\x1b[4096P',
  'x\r\x1b[99@',
  '\x1b[4096X',
  '\x1b[4096L',
  '\x1b[4096M',
  'x\x1b[4096b',
  '\x1b[K',
  '\x1b[H',
  '\x1b(',
  'é',
];

test.each(OUTPUTS)('%j', (piece) => {
  const read = (size: number): void => {
    const screen = new ScreenLine(() => undefined);
    const bytes = Buffer.from(piece.repeat(size / piece.length));
    for (let at = 0; at < bytes.length; at += 1000) {
      screen.typing();
      screen.write(bytes.subarray(at, at + 1000));
      if (at % 2000 === 0) screen.enterUnseen();
      else screen.enter();
    }
  };
  expect(growth(SIZE, read)).toBeLessThan(2.3);
  expect(countWork(() => read(SIZE)) / SIZE).toBeLessThan(60);
});

test.each([1, 7, 64, 4_096])('the first packets of a client, in pieces of %i bytes', (piece) => {
  const packet = Buffer.alloc(16, 20);
  packet.writeUInt32BE(12);
  const read = (size: number): void => {
    const bytes = Buffer.concat([
      Buffer.from('SSH-2.0-x\r\n'),
      Buffer.from(packet.toString('latin1').repeat(size / 16), 'latin1'),
    ]);
    let seen = 0;
    const first = new FirstExchange(
      (part) => (seen += part.length),
      () => Promise.resolve(),
      (error) => {
        throw error;
      },
    );
    for (let at = 0; at < bytes.length; at += piece) first.receive(bytes.subarray(at, at + piece));
    expect(seen).toBe(bytes.length);
  };
  expect(growth(8_192, read)).toBeLessThan(2.2);
});
