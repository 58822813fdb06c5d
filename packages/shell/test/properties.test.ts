import type { Facts } from '@sluice/contract';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyzeShell } from '../src/index.js';

type Shell = 'sh' | 'bash' | 'opaque';
const facts = (text: string, shell: Shell = 'bash'): Facts =>
  analyzeShell({ type: 'exec', id: 1, shell, text, account: 'operator', environment: [], terminal: false });

/** Nothing but reading and what belongs to the shell alone. */
const onlyReads = (text: string, shell: Shell = 'bash'): boolean =>
  facts(text, shell).actions.every(({ effects }) =>
    effects.every((effect) => effect === 'read' || effect === 'session'),
  );

/** One character, written in one of the ways that shells have for it. */
const written = (character: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    character,
    `\\${character}`,
    `'${character}'`,
    `"${character}"`,
    `''${character}`,
    `""${character}`,
    `\\\n${character}`,
    `$'${character}'`,
    `$'\\x${character.charCodeAt(0).toString(16)}'`,
    `$'\\${character.charCodeAt(0).toString(8).padStart(3, '0')}'`,
    `$"${character}"`,
    `{${character},}`,
    `$(printf ${character})`,
    `\`printf ${character}\``,
    `\${x:-${character}}`,
    `[${character}]`,
    `$x${character}`,
  );
const disguised = (text: string): fc.Arbitrary<string> =>
  fc.tuple(...Array.from(text, written)).map((parts) => parts.join(''));

const DANGERS = ['rm', 'dd', 'mv', 'shred', 'truncate', 'chmod', 'sh', 'eval', 'perl', 'curl', 'tee', 'kill', 'source'];
const PLACES: readonly ((command: string) => string)[] = [
  (command) => command,
  (command) => `ls; ${command}`,
  (command) => `ls && ${command} | cat`,
  (command) => `echo $(${command})`,
  (command) => `echo "$(${command})"`,
  (command) => `cat <<E\n$(${command})\nE`,
  (command) => `for i in a; do ${command}; done`,
  (command) => `if ${command}; then ls; fi`,
  (command) => `case $(${command}) in *) ls;; esac`,
  (command) => `env LC_ALL=C nice -n 5 ${command}`,
  (command) => `timeout 5 ${command}`,
  (command) => `find . -exec ${command} {} \\;`,
  (command) => `ls | xargs ${command}`,
  (command) => `x=$(${command})`,
  (command) => `: "\${x:-$(${command})}"`,
  (command) => `(${command}) &`,
  (command) => `{ ${command}; } 2>/dev/null`,
  (command) => `ls 2>"$(${command})"`,
];

describe('however it is written', () => {
  test('a dangerous program is never one that only reads', () => {
    const texts = fc
      .tuple(fc.constantFrom(...DANGERS).chain(disguised), fc.constantFrom(...PLACES))
      .map(([name, place]) => place(`${name} victim`));
    fc.assert(
      fc.property(texts, fc.constantFrom<Shell>('sh', 'bash', 'opaque'), (text, shell) => {
        expect(onlyReads(text, shell)).toBe(false);
      }),
      { numRuns: 5_000 },
    );
  });

  test('a dangerous option is never one that only reads', () => {
    const cases: readonly (readonly [front: string, option: string])[] = [
      ['find .', '-delete'],
      ['sort x', '-ovictim'],
      ['sort x', '--output=victim'],
      ['git diff', '--output=victim'],
      ['sed', '-i'],
      ['tree', '-o'],
      ['date', '-s'],
      ['ss', '-K'],
      ['rg', '--pre=sh'],
      ['dmesg', '-C'],
    ];
    const texts = fc
      .constantFrom(...cases)
      .chain(([front, option]) => disguised(option).map((hidden) => `${front} ${hidden} victim`));
    fc.assert(
      fc.property(texts, fc.constantFrom<Shell>('sh', 'bash'), (text, shell) => {
        expect(onlyReads(text, shell)).toBe(false);
      }),
      { numRuns: 3_000 },
    );
  });

  test('what is written out is seen as it is', () => {
    const plain = (character: string): fc.Arbitrary<string> =>
      fc.constantFrom(character, `\\${character}`, `'${character}'`, `"${character}"`);
    fc.assert(
      fc.property(fc.tuple(...Array.from('rm', plain)), (parts) => {
        for (const shell of ['sh', 'bash'] as const) {
          const [action] = facts(`${parts.join('')} victim`, shell).actions;
          expect(action).toMatchObject({ verb: 'rm', effects: ['destroy'] });
          expect(action?.resources).toContainEqual({ type: 'file', name: 'victim', access: 'destroy' });
        }
      }),
    );
  });
});

describe('whatever it is', () => {
  const TOKENS = [
    'ls',
    'rm',
    'cat',
    'x',
    '$x',
    '${',
    '}',
    '$(',
    ')',
    '`',
    '"',
    "'",
    '\\',
    ' ',
    '\n',
    ';',
    '|',
    '&',
    '<',
    '>',
    '<<E',
    '<<<',
    '(',
    '((',
    '))',
    '[[',
    ']]',
    '[',
    ']',
    '{',
    'if',
    'then',
    'fi',
    'for',
    'in',
    'do',
    'done',
    'case',
    'esac',
    '=',
    '+=',
    '*',
    '?',
    '~',
    '#',
    '!',
    '-',
    '--',
    'E\n',
    '\0',
    '\r',
    '\t',
    '\u00a0',
    '\ufffd',
    '😀',
    'ﾠ',
    'ｒｍ',
    '\u202e',
    '$((',
    '1',
    '@(',
    '!(',
    '2>&1',
    '&>',
    ';;',
    'function',
    'coproc',
    'time',
    'eval',
    'sh -c',
    'xargs',
    'find . -exec',
    '\\;',
  ];

  test('it gives facts with reasons, and does not throw', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...TOKENS), { maxLength: 40 }),
        fc.constantFrom('', ' '),
        fc.constantFrom<Shell>('sh', 'bash'),
        (tokens, space, shell) => {
          const { actions, statements, confidence } = facts(tokens.join(space), shell);
          expect(actions.length).toBeGreaterThan(0);
          expect(statements.length).toBeGreaterThan(0);
          for (const { effects, reasons, verb } of actions) {
            expect(effects.length).toBeGreaterThan(0);
            expect(verb).not.toBe('');
            expect(!effects.includes('unknown') || reasons.length > 0).toBe(true);
            expect(confidence === 'opaque' ? effects.includes('unknown') : true).toBe(true);
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  const HUGE: Readonly<Record<string, string>> = {
    'a megabyte of one line': `ls ${'x'.repeat(1 << 20)}`,
    'a megabyte of commands': 'ls;'.repeat(350_000),
    '100,000 parentheses': '('.repeat(100_000) + 'ls' + ')'.repeat(100_000),
    '100,000 substitutions': '$('.repeat(100_000),
    '10,000 substitutions that end': `echo ${'$(echo '.repeat(10_000)}x${')'.repeat(10_000)}`,
    '20,000 backticks': '`'.repeat(20_001),
    'many words': `ls ${'a '.repeat(30_000)}`,
    'many options': `xargs ${'-0 '.repeat(20_000)}`,
    'many assignments': 'a=1 '.repeat(15_000),
    'a long chain': `ls${' && ls'.repeat(9_000)}`,
    'a long pipeline': `ls${' | cat'.repeat(9_000)}`,
    'many braces': `ls ${'{a,b}'.repeat(10_000)}`,
    'many globs': `cat ${'*'.repeat(60_000)}`,
    'a long glob': `cat ${'*a'.repeat(30_000)}`,
    'a long script for sed': `sed -n '${'s/a/b/;'.repeat(9_000)}e'`,
    'a script for sed that nearly fits': `sed '${'1,2'.repeat(300)}${'s/[a]/[b]/'.repeat(60)}'`,
    'a long line for kubectl': `kubectl ${'-n a '.repeat(12_000)}get!`,
    'a long line for systemctl': `systemctl ${'-a '.repeat(20_000)}status ${'-a x '.repeat(100)}!`,
    'ps with much': `ps ${'-e '.repeat(20_000)}!`,
    'nested tests': `[[ ${'( '.repeat(39)}a${' )'.repeat(39)} ]]`,
    'many here-documents': `cat ${'<<E '.repeat(3_000)}\n${'E\n'.repeat(3_000)}`,
    'else-ifs': `if ls; then ls; ${'elif ls; then ls; '.repeat(3_000)}fi`,
    'functions in functions': `${'f() { '.repeat(39)}ls${'; }'.repeat(39)}`,
    negations: `${'! '.repeat(30_000)}ls`,
    'long arithmetic': `echo $((${'1+'.repeat(30_000)}1))`,
    'quotes without end': '"'.repeat(60_001),
  };

  // The time limit of the test itself is the bound: nothing here may take minutes.
  test.each(Object.entries(HUGE))('%s', (_, text) => {
    for (const shell of ['sh', 'bash'] as const) {
      for (const part of [text, text.slice(0, 16_000), text.slice(-16_000)])
        expect(facts(part, shell).actions.length).toBeGreaterThan(0);
    }
  });
});
