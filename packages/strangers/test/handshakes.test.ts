import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HandshakeTurns, SPACING_MS } from '../src/handshakes.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const open = (): PassThrough => new PassThrough();
const after = async (milliseconds: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(milliseconds));

function line(): { begun: string[]; ask(address: string, kind?: 'tls' | 'keyExchange', stream?: PassThrough): void } {
  const turns = new HandshakeTurns();
  const begun: string[] = [];
  return {
    begun,
    ask: (address, kind = 'tls', stream = open()) =>
      void turns.turn(address, stream, kind).then(() => void begun.push(address)),
  };
}

test('no more begin in a second than may, and of SSH fewer', async () => {
  for (const [kind, most] of [
    ['tls', 1_000 / SPACING_MS.tls],
    ['keyExchange', 1_000 / SPACING_MS.keyExchange],
  ] as const) {
    const { begun, ask } = line();
    for (let n = 0; n < 1_000; n++) ask(`127.0.${n % 250}.2`, kind);
    await after(1_000);
    expect(begun.length).toBeGreaterThan(most * 0.9);
    expect(begun.length).toBeLessThanOrEqual(most + 1);
  }
});

test('addresses take turns: a hundred handshakes of one delay another by one', async () => {
  const { begun, ask } = line();
  for (let n = 0; n < 100; n++) for (const address of ['127.0.0.2', '127.0.0.3']) ask(address);
  await after(20 * SPACING_MS.tls);
  const turns = begun.filter((address) => address === '127.0.0.2').length;
  expect(Math.abs(begun.length - 2 * turns)).toBeLessThanOrEqual(2);
});

test('an address that comes new is next, behind a thousand others', async () => {
  const { begun, ask } = line();
  for (let n = 0; n < 1_000; n++) ask(`10.0.${n >> 8}.${n & 255}`);
  for (let n = 0; n < 1_000; n++) ask(`10.0.${n >> 8}.${n & 255}`);
  await after(100);
  ask('127.0.0.1');
  await after(2 * SPACING_MS.tls);
  expect(begun).toContain('127.0.0.1');
});

test('who says something goes before the silent ones of the same address', async () => {
  const turns = new HandshakeTurns();
  const begun: string[] = [];
  const ask = (name: string, bytesRead: number): void =>
    void turns.turn('127.0.0.2', Object.assign(open(), { bytesRead }), 'keyExchange').then(() => void begun.push(name));
  for (let n = 0; n < 400; n++) ask('silent', 0);
  ask('talking', 21);
  await after(2 * SPACING_MS.keyExchange);
  expect(begun).toEqual(['silent', 'talking', 'silent']);
});

test('one that is gone takes no turn', async () => {
  const { begun, ask } = line();
  const streams = Array.from({ length: 500 }, open);
  for (const stream of streams) ask('127.0.0.2', 'tls', stream);
  for (const stream of streams) stream.destroy();
  await after(1);
  begun.length = 0;
  ask('127.0.0.3');
  await after(2 * SPACING_MS.tls);
  expect(begun).toEqual(['127.0.0.3']);
});
