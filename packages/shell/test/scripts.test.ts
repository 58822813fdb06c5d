import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { analyzeShell } from '../src/index.js';

/**
 * Texts as real shells run them: every program that ran has to be among the actions, unless the text was not taken on at all or
 * something in it is said to be unknown. Programs are two that do nothing but say that they ran, and with what.
 */
const folder = mkdtempSync(join(tmpdir(), 'sluice-scripts-'));
let runs = 0;
beforeAll(() => {
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'home'));
  for (const name of ['ls', 'stat']) {
    const file = join(folder, 'bin', name);
    writeFileSync(file, `#!/bin/sh\necho "${name} $#" >> "$RAN"\n`);
    chmodSync(file, 0o755);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `ls 2`: the program, and how many arguments it had. */
function ran(shell: 'sh' | 'bash', text: string): Set<string> {
  // One for each run: what went to the background may still write to the last one.
  const log = join(folder, `log-${++runs}`);
  spawnSync(`/bin/${shell}`, ['-c', text], {
    cwd: join(folder, 'home'),
    stdio: 'ignore',
    env: { PATH: join(folder, 'bin'), HOME: join(folder, 'home'), RAN: log },
    timeout: 5_000,
  });
  return new Set(existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : []);
}

const TOKENS = [
  'ls',
  'ls',
  'stat',
  'stat',
  ' ls ',
  ' stat ',
  'a',
  'b',
  ' ',
  ' ',
  '\n',
  '\n',
  ';',
  ' & ',
  '&&',
  '||',
  '|',
  '(',
  ')',
  '{ ',
  ';}',
  '$(',
  ')',
  '`',
  '`',
  '"',
  '"',
  "'",
  "'",
  '\\',
  '#',
  ' #',
  '<<E',
  "<<'E'",
  '<<-E',
  '\nE\n',
  '\n\tE\n',
  'E',
  '<',
  '>',
  '>x',
  '<x',
  '2>&1',
  'if ',
  ';then ',
  ';fi',
  'for i in ',
  ';do ',
  ';done',
  'case a in ',
  ' a) ',
  ';; ',
  ' esac',
  'while ',
  'until ',
  '!',
  ' ! ',
  '=',
  'x=',
  '$x',
  '${x:-',
  '}',
  '$((',
  '))',
  '[[ ',
  ' ]]',
  '[ ',
  ' ]',
  '*',
  '?',
  '~',
  '{a,b}',
  "$'",
  '$"',
  '\\\n',
  '\t',
  '&>',
  '<<<',
  '<(',
  'time ',
  'exec ',
  'eval ',
  'command ',
  '-v ',
  'true',
  ':',
  '1',
];
const texts = fc.array(fc.constantFrom(...TOKENS), { minLength: 1, maxLength: 12 }).map((tokens) => tokens.join(''));

/** Texts that this property has found. */
const FOUND: [string][] = [
  ['<<-E` ls '],
  // A quote that is none within double quotes and here-documents, and one that is for bash alone.
  [': "${x:-\'}"; ls; : "\'}"'],
  [": <<E\n${x:-'$(ls)'}\nE"],
  [': "${x:-$\'$(ls)\'}"'],
  ['false && : "${ : \'}"; ls; : "\'; }"'],
  // A backslash that goes away between backquotes, or does not.
  [': "${x:-`: \\" ; ls ; : \\"`}"'],
  [': <<E\n`: \\"\'\\"; ls #\'`\nE'],
  // Ends of here-documents.
  [": $(: <<E)\n: '\nE\nls\n# '"],
  [": $(: <<E\nE); : '\nE\nls\n)\n: '"],
  [": <<-'\tE'\n\tE\nls"],
  [": <<-E\n\t\\\n\tE\n: '\nE\nls\n#'"],
  // Variables that hold something else by then.
  ['x=:; command eval x=ls; command "$x"'],
  ['x=ls; eval \'false && x=:; command "$x"\''],
  ['x=ls /bin/sh -c \'false && x=:; command "$x"\''],
  ['/usr/bin/env x=ls /bin/sh -c \'false && x=:; command "$x"\''],
];

describe.each(['sh', 'bash'] as const)('%s', (shell) => {
  test('runs nothing that is not among the actions of a text that is taken to be known', () => {
    let compared = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const { actions, confidence } = analyzeShell({
          type: 'exec',
          id: 1,
          shell,
          text,
          account: 'a',
          environment: [],
          terminal: false,
        });
        if (confidence === 'opaque' || actions.some(({ effects }) => effects.includes('unknown'))) return;
        const verbs = new Set(actions.map(({ verb }) => verb));
        const programs = [...ran(shell, text)].map((line) => line.split(' ')[0]);
        if (programs.length > 0) compared++;
        for (const program of programs) expect(verbs).toContain(program);
      }),
      { numRuns: Number(process.env['SLUICE_RUNS'] ?? 1_000), examples: FOUND },
    );
    expect(compared).toBeGreaterThan(5);
  });
});
