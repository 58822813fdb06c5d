/** Values within commands: a shell that runs them is given the value, and a quote in one ends nothing. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { inCommand } from '../src/answers/in-commands.js';

const SHELL = { type: 'shell', shell: 'bash' } as const;
const POSTGRES = { type: 'sql', dialect: 'postgres' } as const;
const MYSQL = { type: 'sql', dialect: 'mysql' } as const;

const VALUES = [
  'ada@example.com',
  "o'brien",
  '"',
  'a b',
  '$HOME `id` $(id)',
  '\\',
  "\\'",
  'x;id',
  '~',
  '!!',
  'ü\n',
  '-x',
  '* ?',
];

const written = (value: string, text: string, language: Parameters<typeof inCommand>[3]): string | undefined => {
  const made = inCommand(value, text, text.indexOf('TOKEN'), language);
  return made === undefined ? undefined : text.replace('TOKEN', () => made);
};

describe('in a command line', () => {
  const PLACES = [
    'printf %s TOKEN',
    'printf %s --TOKEN',
    "printf %s 'TOKEN'",
    'printf %s "TOKEN"',
    'printf %s "a"\'TOKEN\'',
  ];

  test.each(PLACES)('%s is given the value by bash', (place) => {
    for (const value of VALUES) {
      const command = written(value, place, SHELL) as string;
      const wanted = execFileSync('bash', ['-c', place.replace('TOKEN', 'VALUE')])
        .toString()
        .replace('VALUE', () => value);
      expect(execFileSync('bash', ['-c', command]).toString(), command).toBe(wanted);
    }
  });

  test.each([
    'sh -c "echo \'TOKEN\'"',
    'sh -c \'echo "TOKEN"\'',
    'echo $(echo TOKEN)',
    'cat <<x\nTOKEN',
    '# TOKEN',
    "echo $'TOKEN'",
    "sh -c 'echo TOKEN'",
    "bash -lc 'TOKEN'",
    'python3 -c "print(TOKEN)"',
    'eval TOKEN',
    "ssh db 'echo TOKEN'",
    "find . -exec sh {} 'TOKEN' ';'",
    'a \\TOKEN',
  ])('in %s only what is plain everywhere is written', (place) => {
    expect(written('a b', place, SHELL)).toBeUndefined();
    expect(written('ada@example.com', place, SHELL)).toBe(place.replace('TOKEN', 'ada@example.com'));
  });
});

describe('in a statement', () => {
  test.each([
    ["select 'TOKEN'", POSTGRES, "select 'o''brien'"],
    ["select 'it''s TOKEN'", POSTGRES, "select 'it''s o''brien'"],
    ["select 'a' || 'TOKEN'", POSTGRES, "select 'a' || 'o''brien'"],
    ["select '\\', 'TOKEN'", POSTGRES, undefined],
    ["select /* ' */ 'TOKEN'", POSTGRES, undefined],
    ["-- it's\nselect 'TOKEN'", POSTGRES, "-- it's\nselect 'o''brien'"],
    ["-- 'TOKEN'", POSTGRES, undefined],
    ["select e'TOKEN'", POSTGRES, undefined],
    ["select e'\\'', 'TOKEN'", POSTGRES, "select e'\\'', 'o''brien'"],
    ['select $$TOKEN$$', POSTGRES, undefined],
    ['select "TOKEN"', POSTGRES, undefined],
    ['select TOKEN', POSTGRES, undefined],
    ["select '\\'TOKEN'", MYSQL, undefined],
    ["select 'a', 'TOKEN' # it's", MYSQL, "select 'a', 'o''brien' # it's"],
    ["# it's\nselect 'TOKEN'", MYSQL, undefined],
    ['select "TOKEN"', MYSQL, undefined],
    ['select `TOKEN`', MYSQL, undefined],
    // What no blank follows is no comment of MySQL.
    ["select 1--'\n'TOKEN", MYSQL, undefined],
    // Behind a carriage return a comment of PostgreSQL is over.
    ["-- \r' \n'TOKEN", POSTGRES, undefined],
    ["select `\\`, 'TOKEN'", MYSQL, "select `\\`, 'o''brien'"],
  ] as const)('%s', (text, language, wanted) => {
    expect(written("o'brien", text, language)).toBe(wanted);
    expect(written('\\', text, language)).toBeUndefined();
  });

  test('what no language reads as anything else is written everywhere', () => {
    for (const text of ['select "TOKEN"', '-- TOKEN', 'select TOKEN'])
      for (const value of ['ada@example.com', '+491701234567', 'a-b'])
        expect(written(value, text, POSTGRES)).toContain(value);
    for (const value of ['a--b', '-a', 'a b', "a'b", 'a;b', ''])
      expect(written(value, 'select TOKEN', POSTGRES)).toBeUndefined();
  });
});
