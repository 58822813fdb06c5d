/**
 * Language models in a configuration: `llm` of a connection by HTTP. Owns: its settings and their checks. Does not: what a call says
 * (packages/language-models).
 */
import { type ModelSettings, PROVIDERS, type ToolArgument, WordList, toolName } from '@sluice/language-models';
import { z } from 'zod';
import type { ConfigSources } from '../files.js';
import type { Mistake, Path } from '../mistake.js';
import { fileText, name } from '../values.js';
import { list, record } from '../written.js';
import type { PolicyRules } from './protocol.js';

const wordList = (outside: ConfigSources) =>
  fileText(outside).transform((text, context) => {
    try {
      return new WordList(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `the file cannot be used: ${(error as Error).message}` });
      return z.NEVER;
    }
  });

/** Of MariaDB a version that has what people use. */
const DIALECTS = {
  postgres: { dialect: 'postgres' },
  mysql: { dialect: 'mysql' },
  mariadb: { dialect: 'mysql', version: '11.8.2-MariaDB' },
} as const;

/** An argument of a tool that is a command. */
export const toolArgument = z
  .strictObject({
    sql: z.enum(['postgres', 'mysql', 'mariadb']).optional().describe('the argument is a statement of this database'),
    shell: z.enum(['sh', 'bash']).optional().describe('the argument is a command line'),
    argument: z.string().min(1).describe('name of the argument that has it'),
  })
  .transform(({ sql, shell, argument }, context): ToolArgument => {
    if (sql !== undefined && shell === undefined) return { argument, language: { type: 'sql', ...DIALECTS[sql] } };
    if (shell !== undefined && sql === undefined) return { argument, language: { type: 'shell', shell } };
    context.addIssue({ code: 'custom', message: 'an argument is either sql or shell' });
    return z.NEVER;
  });

const price = z.strictObject({
  input: z.number().min(0).describe('of what is said to it'),
  output: z.number().min(0).describe('of what it says'),
});

export function modelSettings(outside: ConfigSources): z.ZodType<ModelSettings | undefined> {
  return z
    .strictObject({
      provider: z.enum(PROVIDERS).describe('whose requests and answers the target speaks'),
      lists: z
        .record(name, wordList(outside))
        .default({})
        .describe('files with words and phrases, one a line, for llm.text.listed("NAME")'),
      tools: z
        .record(z.string().min(1), toolArgument)
        .default({})
        .describe('tools with an argument that is judged as what it is'),
      prices: z
        .record(z.string().min(1), price)
        .default({})
        .describe('of a million tokens, by the name of the model, for budgets'),
    })
    .transform(
      ({ provider, lists, tools, prices }): ModelSettings => ({
        provider,
        lists: new Map(Object.entries(lists)),
        tools: new Map(Object.entries(tools).map(([named, one]) => [toolName(named), one])),
        prices: new Map(Object.entries(prices)),
      }),
    )
    .optional()
    .describe('the target serves language models');
}

const LISTED = /\.listed\(\s*(?:"([^"]*)"|'([^']*)')\s*\)/g;

/** Rules that ask about a list which the connection does not have. */
export function listMistakes(connection: Readonly<Record<string, unknown>>, path: Path, rules: PolicyRules): Mistake[] {
  // Without models there is nothing to ask about.
  if (connection['llm'] === undefined) return [];
  const lists = record(record(connection['llm'])['lists']);
  return list(connection['policies']).flatMap((policy, at) =>
    (typeof policy === 'string' ? list(rules[policy]) : []).flatMap((rule): Mistake[] => {
      const { rule: named, when } = record(rule);
      return [...String(when ?? '').matchAll(LISTED)].flatMap(([, double, single]) => {
        const wanted = double ?? single ?? '';
        if (wanted in lists) return [];
        const message = `rule "${String(named)}" asks about the list "${wanted}", which this connection does not have`;
        return [{ path: [...path, 'policies', at], message, hint: 'Add it to "llm: { lists: ... }".' }];
      });
    }),
  );
}
