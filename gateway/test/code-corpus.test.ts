/**
 * fixtures/guardrails/llm/code.yaml: code that a model writes, held in fences, and what it is found to do. Lives here: how a fence is
 * written. Does not: judge, which gateway/test/judged-answers.test.ts tries through a gateway.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Language, openPool } from '@sluice/analysis';
import { readCode } from '@sluice/judged-answers';
import { MySqlLanguage, WORKER as MYSQL_WORKER } from '@sluice/sql-mysql';
import { PostgresLanguage, WORKER as POSTGRES_WORKER } from '@sluice/sql-postgres';
import { processCpuMs } from '@sluice/testkit/cpu';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';

interface Case {
  readonly fence: string;
  readonly effect: string;
  readonly code: string;
}
interface Corpus {
  readonly does: readonly Readonly<Record<string, string | readonly string[]>>[];
  readonly unsaid: readonly Case[];
  readonly harmless: Readonly<Record<string, readonly string[]>>;
}

const corpus = parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/guardrails/llm/code.yaml'), 'utf8'),
) as Corpus;
const pools = [openPool(POSTGRES_WORKER), openPool(MYSQL_WORKER)] as const;
let languages: ReadonlyMap<string, Language>;
beforeAll(async () => {
  const read: Language[] = [await PostgresLanguage.open(pools[0]), new MySqlLanguage(pools[1])];
  languages = new Map(read.map((one) => [one.name, one]));
});
afterAll(async () => {
  for (const pool of pools) await pool.close();
});

async function effectsOf(fence: string, code: string): Promise<readonly string[]> {
  const text = `It goes like this:\n\n\`\`\`${fence}\n${code}\n\`\`\`\n\nThat is all.`;
  const [block] = await readCode([text], languages, 'dev');
  return block?.effects ?? [];
}

const dangers: readonly Case[] = [
  ...corpus.does.flatMap(({ effect, ...byFence }) =>
    Object.entries(byFence).flatMap(([fence, all]) =>
      [all].flat().map((code) => ({ fence, code, effect: String(effect) })),
    ),
  ),
  ...corpus.unsaid,
];

test('what code does is found', async () => {
  const missed: string[] = [];
  for (const { fence, code, effect } of dangers) {
    const found = await effectsOf(fence, code);
    if (!found.includes(effect)) missed.push(`${fence}: ${code} (${effect}, found: ${found.join(' ')})`);
  }
  console.log(`code: ${dangers.length} that does something, ${missed.length} missed`);
  expect(missed).toEqual([]);
  expect(dangers.length).toBeGreaterThanOrEqual(200);
});

test('what is harmless is found to read at most', async () => {
  const all = Object.entries(corpus.harmless).flatMap(([fence, codes]) => codes.map((code) => ({ fence, code })));
  const stopped: string[] = [];
  for (const { fence, code } of all) {
    const found = (await effectsOf(fence, code)).filter((effect) => effect !== 'read');
    if (found.length > 0) stopped.push(`${fence}: ${code} (${found.join(' ')})`);
  }
  console.log(`code: ${all.length} harmless, ${stopped.length} taken for something else`);
  expect(stopped).toEqual([]);
  expect(all.length).toBeGreaterThanOrEqual(80);
});

test('a long text of marks and blanks is read in linear time', async () => {
  const texts = [
    '```'.repeat(100_000),
    `\`\`\`php\n${'`'.repeat(200_000)}`,
    `\`\`\`py\nopen(${'"w", '.repeat(40_000)}`,
    ' \t>'.repeat(200_000),
  ];
  const started = processCpuMs();
  for (const text of texts) await readCode([text], languages, 'dev');
  expect(processCpuMs() - started).toBeLessThan(5_000);
  // One after the other they are more than is analysed.
  await expect(readCode(texts, languages, 'dev')).rejects.toThrow('more than is analysed');
});
