import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SafeTerminal } from '../src/terminal.js';

const shown = (...pieces: readonly (string | Buffer)[]): string => {
  const terminal = new SafeTerminal();
  return Buffer.concat(pieces.map((piece) => terminal.push(Buffer.from(piece)))).toString();
};

describe('what reaches the terminal of somebody who looks', () => {
  test.each([
    ['text', 'größe 😀\r\n\tx\b'],
    ['colours', '\u001b[1;31mred\u001b[0m\u001b[38:2:1:2:3m'],
    ['moves', '\u001b[2J\u001b[H\u001b[10;20Hx\u001b[3A\u001b[K\u001b7\u001b8\u001bM'],
    ['the other screen and the cursor', '\u001b[?1049h\u001b[?25l\u001b[?25h\u001b[?1049l'],
    ['line drawing', '\u001b(0lqk\u001b(B'],
    ['boxes, quotes and dashes', '┌─┐ “x” – … €'],
    ['text from right to left', 'שלום'],
  ])('passes: %s', (_, text) => {
    expect(shown(text)).toBe(text);
  });

  test.each([
    ['the clipboard', '\u001b]52;c;cm0gLXJmIH4=\u0007'],
    ['a title', '\u001b]0;title\u001b\\'],
    ['where it is', '\u001b[6n'],
    ['what it is', '\u001b[c\u001b[>c\u001b[=c\u001bZ'],
    ['its title back', '\u001b[21t'],
    ['its settings', '\u001bP$qm\u001b\\'],
    ['the mouse', '\u001b[?1000h\u001b[?1006h'],
    ['paste in brackets', '\u001b[?2004h'],
    ['the printer', '\u001b[5i'],
    ['an order turned around', '\u202e\u2066\u2069\u202a'],
    ['one-byte sequences', '\u009b6n'.slice(0, 1)],
    ['bells and shifts', '\u0007\u000e\u000f\u0000\u007f'],
    ['a message of its own', '\u001b_x\u001b\\\u001b^y\u001b\\\u001bXz\u001b\\'],
  ])('does not pass: %s', (_, text) => {
    expect(shown(`a${text}b`)).toBe('ab');
  });

  test('half a character hides no sequence behind it', () => {
    for (const half of [[0xe2], [0xe2, 0x80], [0xc2]]) {
      const bytes = Buffer.concat([Buffer.from(half), Buffer.from('\u001b[6n\u001b]52;c;AA\u0007b')]);
      expect(shown(bytes)).not.toContain('\u001b');
    }
  });

  test('however it is cut', () => {
    const parts = [
      'text',
      '\u001b[6n',
      '\u001b]52;c;AAAA\u0007',
      '\u001b[31m',
      '\u001b',
      '\u009b',
      'é',
      '─',
      '\u202e',
      '[',
      'c',
      '\u001b[?25',
      'h',
      '\u001bP',
      '\u001b\\',
      '\n',
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...parts), { maxLength: 15 }),
        fc.array(fc.nat(100), { maxLength: 6 }),
        (texts, places) => {
          const all = Buffer.from(texts.join(''));
          const at = [...new Set(places.map((place) => place % (all.length + 1)))].sort((a, b) => a - b);
          const pieces = [0, ...at].map((from, n) => all.subarray(from, at[n] ?? all.length));
          expect(shown(...pieces)).toBe(shown(all));
          expect(shown(all)).not.toMatch(/\u001b\[[\d;>=?]*[cnt]|\u001b\]|\u009b/);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
