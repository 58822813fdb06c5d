/**
 * `sluice policy test`: cases of a file against the rules of a configuration. Owns: the format of the cases. Does not: judge
 * (packages/guardrails).
 */
import type { Language } from '@sluice/analysis';
import { analyzeShell } from '@sluice/shell';
import { dialectOf, loadPostgres } from '@sluice/sql-postgres';
import { CliError, print, printJson, readInput } from '@sluice/cli';
import { type Config, type ConnectionConfig, isPackaged } from '@sluice/config';
import type { Facts, Principal } from '@sluice/contract';
import { type PolicyContext, type PolicyDecision, compilePolicy } from '@sluice/guardrails';
import { PLAIN_READING, requestWritten } from '@sluice/http-requests';
import { seenRequest } from '@sluice/language-models';
import { type McpSettings, toolFrom } from '@sluice/mcp';
import { seenMcp } from '@sluice/mcp-calls';
import { parse } from 'yaml';
import { z } from 'zod';

const Cases = z.strictObject({
  cases: z.array(
    z.strictObject({
      name: z.string().optional(),
      connection: z.string(),
      principal: z.string().optional(),
      /** A statement; or a command line, for the shell that is named. */
      sql: z.string().optional(),
      command: z.string().optional(),
      shell: z.enum(['sh', 'bash', 'opaque']).default('bash'),
      account: z.string().default(''),
      /** A request by HTTP. */
      request: z
        .strictObject({
          method: z.string().optional(),
          path: z.string().startsWith('/'),
          host: z.string().optional(),
          headers: z.array(z.string()).optional(),
          body: z.string().optional(),
        })
        .optional(),
      /** A call of a tool of a server of MCP. */
      call: z
        .strictObject({
          tool: z.string().min(1),
          arguments: z.record(z.string(), z.unknown()).default({}),
          /** What the server says of the tool: readOnlyHint, destructiveHint, openWorldHint. */
          annotations: z.record(z.string(), z.boolean()).optional(),
        })
        .optional(),
      parameters: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
      /** When, for rules that ask for the time: with its zone, as 2026-11-30T07:30:00Z. */
      now: z.iso.datetime({ offset: true }).optional(),
      major: z.number().int().min(15).max(18).default(18),
      expect: z.enum(['allow', 'deny', 'hold']),
      rule: z.string().optional(),
    }),
  ),
});

type PolicyCase = z.output<typeof Cases>['cases'][number];

const NOBODY: Principal = { name: 'nobody', kind: 'person', groups: [], roles: ['user'] };

function parsed(file: string): unknown {
  const text = readInput(file);
  try {
    return parse(text);
  } catch (error) {
    throw new CliError(`${file} is no YAML: ${(error as Error).message}`);
  }
}

/** Runs policy cases. Returns the exit status: 0 when every case holds. */
export async function testPolicy(file: string, config: Config, output: 'table' | 'json'): Promise<number> {
  const read = Cases.safeParse(parsed(file));
  if (!read.success) throw new CliError(`${file} cannot be used:\n${z.prettifyError(read.error)}`);
  const results = [];
  for (const one of read.data.cases) {
    const connection = config.connections.get(one.connection);
    if (!connection) throw new CliError(`${file}: there is no connection "${one.connection}".`);
    if (isPackaged(connection.protocol)) {
      const reason = `commands of "${one.connection}" are read by the package ${connection.protocol} alone`;
      throw new CliError(`${file}: ${reason}, so no case can be about them.`);
    }
    const principal = one.principal === undefined ? NOBODY : config.principals.get(one.principal);
    if (!principal) throw new CliError(`${file}: there is no principal "${one.principal}".`);
    const policy = compilePolicy(connection.rules, {
      trustedFunctions: connection.trustedFunctions,
      annotate: connection.annotate === true,
    });
    if ([one.sql, one.command, one.request, one.call].filter((what) => what !== undefined).length !== 1)
      throw new CliError(`${file}: a case has one of "sql", "command", "request" and "call".`);
    if (one.call && !connection.http?.mcp)
      throw new CliError(`${file}: "${one.connection}" is no server of MCP, so no call of a tool can be about it.`);
    if (one.request && !connection.http)
      throw new CliError(`${file}: "${one.connection}" is no connection by HTTP, so no request can be about it.`);
    const { facts, text, ...asked } = await readCase(one, connection);
    const now = one.now === undefined ? undefined : new Date(one.now);
    const { decision } = policy.judge(facts, text, { principal, connection, now, ...asked });
    const rules = decision.type === 'deny' ? [decision.rule] : holdersOf(decision);
    const held = decision.type === one.expect && (one.rule === undefined || rules.includes(one.rule));
    results.push({
      name: one.name ?? text,
      held,
      expected: one.rule ? `${one.expect} by ${one.rule}` : one.expect,
      got: rules.length > 0 ? `${decision.type} by ${rules.join(', ')}` : 'allow',
    });
  }
  const failed = results.filter((result) => !result.held);
  if (output === 'json') printJson(results);
  else
    for (const { name, held, expected, got } of results)
      print(held ? `ok    ${name}` : `FAIL  ${name}: expected ${expected}, got ${got}`);
  if (output === 'table') print(`${results.length - failed.length} held, ${failed.length} did not`);
  return failed.length === 0 ? 0 : 1;
}

interface ReadCase extends Pick<PolicyContext, 'command' | 'request' | 'found' | 'model' | 'tool'> {
  readonly facts: Facts;
  readonly text: string;
}

const NEWEST_MAJOR = 18;
/** PostgreSQL alone: statements of others need the threads of a gateway. */
const POSTGRES: Language = {
  name: dialectOf(NEWEST_MAJOR).name,
  analyze: async ({ text }) => (await loadPostgres(NEWEST_MAJOR)).analyze(text),
};
const LANGUAGES: ReadonlyMap<string, Language> = new Map([[POSTGRES.name, POSTGRES]]);

async function readCall(
  { tool, arguments: args, annotations }: NonNullable<PolicyCase['call']>,
  server: string,
  settings: McpSettings,
): Promise<ReadCase> {
  const params = { name: tool, arguments: args };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const described = toolFrom(JSON.stringify({ name: tool, ...(annotations && { annotations }) }));
  const read = requestWritten({ path: '/', body }, PLAIN_READING);
  const seen = await seenMcp(read, { settings, languages: LANGUAGES }, server, NOBODY.name, () => described);
  return { ...seen, command: { type: 'request' } };
}

async function readCase(one: PolicyCase, { http, name }: ConnectionConfig): Promise<ReadCase> {
  if (one.call && http?.mcp) return readCall(one.call, name, http.mcp);
  if (one.request) {
    const read = requestWritten(one.request, http?.reading ?? PLAIN_READING);
    return { ...seenRequest(http?.models, read), text: read.text, command: { type: 'request' } };
  }
  if (one.sql !== undefined) {
    const values = one.parameters?.map((value) => ({
      type: 0,
      format: 'text' as const,
      value: value === null ? null : Buffer.from(String(value)),
    }));
    const postgres = await loadPostgres(one.major);
    return { facts: postgres.analyze(one.sql, values ? { parameters: values } : {}), text: one.sql };
  }
  const { shell, account, command: text = '' } = one;
  const facts = analyzeShell({ type: 'exec', id: 1, shell, text, account, environment: [], terminal: false });
  return { facts, text, command: { type: 'exec', account, terminal: false } };
}

const holdersOf = (decision: PolicyDecision): string[] =>
  decision.type === 'hold' ? decision.holds.map(({ rule }) => rule) : [];
