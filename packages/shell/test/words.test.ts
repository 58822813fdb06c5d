import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { type Command, parse } from 'unbash';
import { afterAll, describe, expect, test } from 'vitest';
import { valuesOf } from '../src/words.js';

/** Words as real shells read them: what is said to be known has to be what the program gets. */
const folder = mkdtempSync(join(tmpdir(), 'sluice-words-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The arguments that a program gets, undefined where the shell refuses the text. */
function got(shell: string, words: string): string[] | undefined {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { HOME: '~', LC_ALL: 'C.UTF-8' },
    };
    return execFileSync(shell, ['-c', `printf '%s\\0' x ${words}`], options)
      .split('\0')
      .slice(1, -1);
  } catch {
    return undefined;
  }
}

/** What is said of them: undefined where something is only known when it runs. */
function said(words: string): string[] | undefined {
  // Such a text is not taken on at all.
  if (/\S\\\n/.test(words)) return undefined;
  const script = parse(`printf x ${words}`);
  if (script.errors && script.errors.length > 0) return undefined;
  const [statement, more] = script.commands;
  const command = statement?.command as Command | undefined;
  if (more || command?.type !== 'Command' || command.redirects.length > 0) return undefined;
  const values = command.args.slice(1).flatMap((one) => (one.type === 'Word' ? valuesOf(one, new Map()) : []));
  return values.length === command.args.length - 1 || words.includes('{')
    ? values.every(({ known, glob }) => known && !glob)
      ? values.map(({ text }) => text)
      : undefined
    : undefined;
}

const PIECES = [
  'a',
  'b',
  'rm',
  '-f',
  '/',
  '.',
  '"',
  '"',
  "'",
  "'",
  '\\',
  '$',
  '$x',
  '`',
  ' ',
  '  ',
  '\t',
  '\n',
  '\\\n',
  '#',
  '~',
  '=',
  '{',
  '}',
  ',',
  '..',
  '1',
  '*',
  '?',
  '[',
  ']',
  '!',
  '^',
  '%',
  '@',
  ':',
  '-',
  'é',
  '\u00a0',
  '|',
  '&',
  ';',
  '(',
  ')',
  '<',
  '>',
  "$'",
  "\\'",
  '\\"',
  '\\x41',
  '\\n',
  '\\0',
  "$'\\101'",
  "'a b'",
  '"a b"',
  '"\\$"',
  '{a,b}',
  '{1..3}',
  '\\\\',
];
const words = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 9 }).map((pieces) => pieces.join(''));

describe('words', () => {
  test('what is known of a word is what bash makes of it', () => {
    let compared = 0;
    fc.assert(
      fc.property(words, (text) => {
        // What runs something is for other tests: here it must not. Numbers of the shell stand as 0.
        fc.pre(!/[|&;<>()`]|\$[$#?]/.test(text));
        const known = said(text);
        const real = known && got('/bin/bash', text);
        if (known === undefined || real === undefined) return;
        compared++;
        expect(known).toEqual(real);
      }),
      { numRuns: 1_000 },
    );
    expect(compared).toBeGreaterThan(150);
  });

  test('and what sh makes of it, where both read it alike', () => {
    let compared = 0;
    fc.assert(
      fc.property(words, (text) => {
        fc.pre(!/[|&;<>()`]|\$[$#?]/.test(text) && !/\$['"[]|\{.*[,.].*\}/s.test(text));
        const known = said(text);
        const real = known && got('/bin/sh', text);
        if (known === undefined || real === undefined) return;
        // The printf of dash is asked for bytes, and gives them; only the words are looked at.
        compared++;
        expect(known).toEqual(real);
      }),
      { numRuns: 600 },
    );
    expect(compared).toBeGreaterThan(80);
  });
});
