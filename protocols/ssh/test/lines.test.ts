/** What can be read off a terminal, as bash with readline draws it. */
import { describe, expect, test } from 'vitest';
import { ScreenLine } from '../src/lines.js';

/** Types into a screen: `out` is what the target writes, `key` what is typed. */
function play(...steps: ({ out: string } | { key: string } | 'enter' | 'paste')[]): string[] {
  const lines: string[] = [];
  const screen = new ScreenLine((line) => lines.push(line));
  for (const step of steps) {
    if (step === 'enter') lines.push(screen.enter());
    else if (step === 'paste') screen.enterUnseen();
    else if ('out' in step) screen.write(Buffer.from(step.out));
    else screen.typing();
  }
  return lines;
}

describe('a line', () => {
  test('is what was typed behind the prompt', () => {
    expect(play({ out: 'vm$ ' }, { key: 'l' }, { out: 'l' }, { key: 's' }, { out: 's' }, 'enter')).toEqual(['ls']);
  });

  test('has what was corrected', () => {
    const steps = [
      { out: '$ ' },
      { key: 'rn' },
      { out: 'rn' },
      { key: '\x7f' },
      { out: '\b\x1b[K' },
      { key: 'm' },
      { out: 'm x' },
    ];
    expect(play(...steps, 'enter')).toEqual(['rm x']);
  });

  test('that came from the history is seen, because it is shown', () => {
    const recalled = [{ out: '$ ' }, { key: '\x1b[A' }, { out: 'echo one' }, { key: '\x1b[A' }, { out: '\b\b\btwo' }];
    expect(play(...recalled, 'enter')).toEqual(['echo two']);
  });

  test('with colours and a title in its prompt', () => {
    expect(play({ out: '\x1b]0;title\x07\x1b[1;32mvm\x1b[0m$ ' }, { key: 'x' }, { out: 'id' }, 'enter')).toEqual([
      'id',
    ]);
  });

  test.each([
    ['ends with BEL', '\x1b]8;;http://a\x07'],
    ['ends with ST', '\x1b]8;;http://a\x1b\\'],
    ['has another escape in it', '\x1b]8;;a\x1bb\x07'],
    ['has no end', `\x1b]8;;${'x'.repeat(4092)}`],
  ])('behind a command to the terminal that %s', (_, command) => {
    expect(play({ out: `${command}$ ` }, { key: 'x' }, { out: 'id' }, 'enter')).toEqual(['id']);
    expect(play({ key: 'x' }, { out: `${command}id` }, 'enter')).toEqual(['id']);
  });

  test('that was inserted into', () => {
    const steps = [
      { out: '$ ' },
      { key: 'x' },
      { out: 'ls /tmp' },
      { key: '\x1b[D' },
      { out: '\b\b\b\b' },
      { out: '\x1b[4@-la ' },
    ];
    expect(play(...steps, 'enter')).toEqual(['ls -la /tmp']);
  });

  test.each([
    ['in the middle of it', 'abcdef\x1b[5G\x1b[2P', 'abef'],
    ['more than there is', 'abcdef\x1b[5G\x1b[99P', 'ab'],
    ['behind its end', 'abcdef\x1b[2P', 'abcdef'],
    ['nothing, by a blank in front of nothing', 'abcdef\x1b[2@g', 'abcdefg'],
    ['of several bytes', 'äöü😀!\x1b[5G\x1b[P', 'äö😀!'],
  ])('from which characters were removed: %s', (_, out, left) => {
    expect(play({ out: '$ ' }, { key: 'x' }, { out }, 'enter')).toEqual([left]);
  });

  test('of a password is not there', () => {
    expect(play({ out: 'Password: ' }, { key: 's' }, { key: 'e' }, 'enter')).toEqual(['']);
  });

  test('in an editor is none', () => {
    expect(play({ out: '\x1b[?1049h\x1b[Htext' }, { key: 'x' }, { out: 'x' }, 'enter')).toEqual(['']);
    expect(play({ out: '\x1b[?1049h\x1b[?1049l$ ' }, { key: 'x' }, { out: 'id' }, 'enter')).toEqual(['id']);
  });

  test('that was pasted with its Enter is read when its echo is there', () => {
    expect(play({ out: '$ ' }, { key: 'x' }, 'paste', { out: 'whoami\r\nroot\r\n$ ' })).toEqual(['whoami']);
  });
});

test('a stream without line breaks or with endless escapes takes no memory to speak of', () => {
  const screen = new ScreenLine(() => undefined);
  for (const text of [
    'x'.repeat(1_000_000),
    '\x1b[9999999C\x1b[9999999@',
    `\x1b]0;${'x'.repeat(100_000)}`,
    `\x1b[${'1'.repeat(100_000)}`,
  ]) {
    screen.write(Buffer.from(text));
  }
  screen.typing();
  expect(screen.enter().length).toBeLessThanOrEqual(4096);
});

test('a stream that has the line moved over and over is not followed, and the next line is read all the same', () => {
  const screen = new ScreenLine(() => undefined);
  screen.typing();
  screen.write(Buffer.from('a'.repeat(3_000)));
  screen.write(Buffer.from('\x1b[G\x1b[@'.repeat(1_000)));
  // Each would put a blank in front and push the rest on.
  expect(screen.enter().length).toBeGreaterThan(2_500);
  screen.write(Buffer.from(`\r\n${' '.repeat(2_000)}\r\n$ `));
  screen.typing();
  screen.write(Buffer.from('ls'));
  expect(screen.enter()).toBe('ls');
});

test('a line that is longer than what is read says so to those who release it', () => {
  const screen = new ScreenLine(() => undefined);
  screen.typing();
  screen.write(Buffer.from(`rm x ${' '.repeat(5000)}; rm -rf /`));
  const line = screen.enter();
  expect(line).toMatch(/^rm x +# NOT SHOWN: what follows 4096 characters$/);
  screen.write(Buffer.from('\r\n'));
  screen.typing();
  screen.write(Buffer.from('ls'));
  expect(screen.enter()).toBe('ls');
});
