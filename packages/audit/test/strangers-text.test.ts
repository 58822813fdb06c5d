import { afterEach, expect, test, vi } from 'vitest';
import { operatorLog } from '../src/operator-log.js';
import { FailureWindow, MAX_SUMS, MAX_WRITTEN, MAX_WRITTEN_PER_ADDRESS, WINDOW_MS } from '../src/failures.js';
import { MAX_NAME_BYTES, nameOnRecord } from '../src/text.js';

const bytesOnRecord = (name: string): number => Buffer.byteLength(JSON.stringify(nameOnRecord(name)));

test.each([
  ['control characters, of which JSON makes six bytes each', '\u0001'.repeat(8_500)],
  ['quotes, of which JSON makes two', '"\\'.repeat(5_000)],
  ['characters of four bytes', '😀'.repeat(3_000)],
  ['halves of characters', '\ud83d'.repeat(3_000)],
  ['marks of direction', '\u202e'.repeat(3_000)],
])('a name of %s is 255 bytes on record', (_, name) => {
  expect(Buffer.byteLength(nameOnRecord(name))).toBeLessThanOrEqual(MAX_NAME_BYTES);
  expect(bytesOnRecord(name)).toBeLessThanOrEqual(2 * MAX_NAME_BYTES + 2);
});

test('a name is cut between characters, and says so; one that fits stays as it is', () => {
  expect(nameOnRecord('ä'.repeat(200))).toBe(`${'ä'.repeat(126)}…`);
  expect(nameOnRecord('x'.repeat(255))).toBe('x'.repeat(255));
  expect(nameOnRecord('gh:repo:acme/shop:ref:refs/heads/main')).toBe('gh:repo:acme/shop:ref:refs/heads/main');
  expect(nameOnRecord('señor 東京 😀')).toBe('señor 東京 😀');
});

const SECRET = 'k2'.repeat(20);
test.each([
  ['a token', `sluice_abcdefghij_${SECRET}`, 'sluice_abcdefghij_[hidden]'],
  ['a part of one', `x sluice_abcdefghij_${SECRET.slice(0, 9)}`, 'x sluice_abcdefghij_[hidden]'],
  ['the token of an agent', 'agent_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4', 'agent_[hidden]'],
  ['a JSON Web Token', `eyJhbGciOiJSUzI1NiJ9eyJhbG.${'e30'.repeat(3000)}.c2ln`, /^\[token hidden\]…$/],
])('%s in the place of a name is not on record', (_, name, kept) => {
  expect(nameOnRecord(name)).toMatch(kept);
  expect(nameOnRecord(name)).not.toContain(SECRET.slice(0, 9));
});

afterEach(() => void vi.useRealTimers());

test('failures beyond a rate are summed, per address and in all, when the window ends', () => {
  vi.useFakeTimers();
  const sums: string[] = [];
  const window = new FailureWindow((address, more) => sums.push(`${more} from ${address}`));
  const written = (address: string, count: number): number =>
    Array.from({ length: count }, () => window.admits(address)).filter(Boolean).length;
  expect(written('10.0.0.5', 1_214)).toBe(MAX_WRITTEN_PER_ADDRESS);
  let all = MAX_WRITTEN_PER_ADDRESS;
  for (let n = 0; n < 40; n++) all += written(`10.0.1.${n}`, 11 + n);
  expect(all).toBe(MAX_WRITTEN);
  vi.advanceTimersByTime(WINDOW_MS);
  expect(sums).toHaveLength(MAX_SUMS + 1);
  expect(sums[0]).toBe('1204 from 10.0.0.5');
  expect(sums.at(-1)).toMatch(/^\d+ from other addresses$/);
  const total = sums.reduce((sum, text) => sum + Number.parseInt(text), 0);
  expect(total).toBe(1_214 + 40 * 11 + (39 * 40) / 2 - MAX_WRITTEN);
  expect(written('10.0.0.5', 1)).toBe(1);
  vi.advanceTimersByTime(WINDOW_MS);
  expect(sums).toHaveLength(MAX_SUMS + 1);
});

test('addresses without number are not told apart for ever', () => {
  const sums: [string, number][] = [];
  const window = new FailureWindow((address, more) => sums.push([address, more]));
  for (let n = 0; n < 50_000; n++) window.admits(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  window.close();
  expect(sums).toHaveLength(MAX_SUMS + 1);
  expect(sums.reduce((total, [, more]) => total + more, 0)).toBe(50_000 - MAX_WRITTEN);
});

test('a name cannot write a line, or a detail, of its own into the log for people', () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
  const user = 'x\n06:40:00  administration  actor=operator \u202e\u200b\u009b2J client=10.0.0.1 "quoted"';
  operatorLog(true, 'info').warn({ user, client: '127.0.0.2:1' }, 'login refused');
  write.mockRestore();
  expect(lines).toHaveLength(1);
  expect(lines[0]?.slice(8)).toBe(
    '  warning login refused  user="x\\n06:40:00  administration  actor=operator \\u{202e}\\u{200b}\\x9b2J client=10.0.0.1 \\"quoted\\""  client=127.0.0.2:1\n',
  );
});
