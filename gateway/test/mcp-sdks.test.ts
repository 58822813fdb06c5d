/** The official clients of MCP, of both eras, as they come from npm. */
/* oxlint-disable typescript/no-explicit-any -- answers are what is tested, whatever their shape */
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type McpStand, missingForTools, openMcpStand } from './mcp-tools-stand.js';

const missing = missingForTools;
/** Three servers have to start first. */
const START_MS = 180_000;
const ADA = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['user', 'approver'] } as const;
const WHO = { name: 'test', version: '1' };

/** What both have. */
interface SdkClient {
  listTools(): Promise<{ tools: { name: string; outputSchema?: unknown }[] }>;
  callTool(
    params: { name: string; arguments: object },
    ...rest: any[]
  ): Promise<{ structuredContent?: any; isError?: boolean; content: any }>;
  close(): Promise<void>;
}

describe('the official clients of MCP', () => {
  let stand: McpStand;
  let token: string;
  const check = missing === undefined ? test : test.skip;

  beforeAll(async () => {
    if (missing !== undefined) return;
    stand = await openMcpStand();
    token = await stand.token('dev');
  }, START_MS);
  afterAll(() => stand?.stop());

  const headers = (): object => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });
  const CLIENTS: readonly (readonly [
    name: string,
    open: () => Promise<SdkClient>,
    options: (given: object) => unknown[],
  ])[] = [
    [
      '1.32 with a session',
      async () => {
        const client = new Client1(WHO);
        await client.connect(new Transport1(new URL(stand.url), headers()) as never);
        return client as unknown as SdkClient;
      },
      (given) => [undefined, given],
    ],
    [
      '2.4 with a session',
      async () => {
        const client = new Client2(WHO);
        await client.connect(new Transport2(new URL(stand.url), headers()));
        return client as unknown as SdkClient;
      },
      (given) => [given],
    ],
    [
      '2.4 without one',
      async () => {
        const client = new Client2(WHO, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
        await client.connect(new Transport2(new URL(stand.url), headers()));
        return client as unknown as SdkClient;
      },
      (given) => [given],
    ],
  ];

  check.each(CLIENTS)('%s lists, calls, is refused, waits and is told so', async (_, open, options) => {
    const client = await open();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('query');
    expect(tools.every(({ outputSchema }) => outputSchema !== undefined)).toBe(true);
    const call = (name: string, args: object, given: object = {}) =>
      client.callTool({ name, arguments: args }, ...options(given));
    // The client holds what comes against the schema of the tool.
    const people = await call('query', { connection: 'db', sql: 'select id, mail from people order by id' });
    expect(people.structuredContent.results[0].rows).toEqual([
      [1, '[masked]'],
      [2, null],
    ]);
    expect((await call('exec', { connection: 'vm', command: 'echo hi' })).structuredContent.stdout.text).toBe('hi\n');
    expect((await call('request', { connection: 'svc', path: '/a' })).structuredContent.status).toBe(200);
    expect((await call('describe', { connection: 'shop', table: 'people' })).structuredContent.columns).toHaveLength(6);
    expect((await call('explain', { connection: 'db', text: 'drop table people' })).structuredContent.decision).toBe(
      'deny',
    );
    expect((await call('list_connections', {})).structuredContent.connections).toHaveLength(5);
    expect((await call('my_requests', {})).structuredContent.requests).toBeInstanceOf(Array);
    const refused = await call('query', { connection: 'db', sql: 'drop table people' });
    expect(refused.isError).toBe(true);
    expect(refused.content[0].text).toContain('Refused by rule "no-destruction".');
    const told = Promise.withResolvers<string>();
    const held = call(
      'query',
      { connection: 'db', sql: 'select 5 as n /* HOLD */' },
      { onprogress: ({ message }: { message?: string }) => told.resolve(message ?? '') },
    );
    const number = Number(/request (\d+)/.exec(await told.promise)?.[1]);
    await stand.gateway.approvals.decide(number, ADA, 'approve', '');
    expect((await held).structuredContent.results[0].rows).toEqual([[5]]);
    await client.close();
  });

  check('2.4 that can open an address is shown the page of the request, and sends the call again', async () => {
    stand.gateway.approvals.console = 'https://console.example';
    try {
      const client = new Client2(WHO, {
        versionNegotiation: { mode: { pin: '2026-07-28' } },
        capabilities: { elicitation: { url: {} } },
      } as never);
      const shown: string[] = [];
      client.setRequestHandler(
        'elicitation/create' as never,
        (async ({ params }: any) => {
          shown.push(params.url);
          const number = Number(/(\d+)$/.exec(params.url)?.[1]);
          await stand.gateway.approvals.decide(number, ADA, 'approve', '');
          return { action: 'accept' };
        }) as never,
      );
      await client.connect(new Transport2(new URL(stand.url), headers()));
      const args = { connection: 'db', sql: 'select 6 as n /* HOLD: shown */', wait_s: 0 };
      const result: any = await client.callTool({ name: 'query', arguments: args });
      expect(shown).toEqual([expect.stringMatching(/^https:\/\/console\.example\/.*\d+$/)]);
      expect(result.structuredContent.results[0].rows).toEqual([[6]]);
      await client.close();
    } finally {
      stand.gateway.approvals.console = undefined;
    }
  });
});
