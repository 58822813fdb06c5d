/** Shows the gateway's own tools by MCP, as an agent without drivers has them. Does not: keep a client; each call is one request. */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import type { Demo } from '../running-demo.js';
import type { Show } from './step.js';

interface Parts {
  /** Of a person, for whom there is a machine besides. */
  readonly token: string;
  /** Has the request that waits approved, and says which one it was. */
  approve(): Promise<number>;
}

export async function byTools(demo: Demo, { token, approve }: Parts, show: Show): Promise<void> {
  if (!demo.gateway.addresses.has('http'))
    return show({ title: 'Left out: tools by MCP', sent: '/mcp', got: 'nobody listens for HTTP', held: true });
  const agent = demo.tokens.assistant;
  const tools = async (secret: string): Promise<string> => {
    const { tools: found = [] } = await ask(demo, secret, 'tools/list', {});
    return found.map(({ name }) => name).join(', ');
  };
  const query = (sql: string, secret = token): Promise<Result> =>
    ask(demo, secret, 'tools/call', { name: 'query', arguments: { connection: 'shop', sql } });
  const [own, others] = [await tools(agent), await tools(token)];
  show({
    title: 'An agent without drivers has tools by MCP: those that there is something for it',
    sent: 'tools/list',
    got: own,
    held: own.includes('query') && !own.includes('exec') && others.includes('exec'),
  });
  const refused = textOf(await query('drop table customers'));
  show({
    title: '  a query that destroys is refused, and the agent is told by which rule',
    sent: 'query drop table customers',
    got: refused,
    held: refused.includes('Refused by rule "no-destruction".'),
  });
  const masked = textOf(await query('select name, email from customers order by id limit 1', agent));
  show({
    title: '  masks hold for tools, and masked columns are named',
    sent: 'query select name, email from customers order by id limit 1',
    got: masked,
    held: masked.includes('"masked":true') && !masked.includes('@'),
  });
  const refund = 'update payments set amount = amount where id = 2';
  const held = query(refund);
  const number = await approve();
  const first = textOf(await held);
  // Who approves late finds nobody who waits: the same call passes then.
  const done = first.includes('needs an approval') ? textOf(await query(refund)) : first;
  show({
    title: '  a refund waits until Ben approves, and runs then',
    sent: `sluice approvals approve ${number}`,
    got: done,
    held: done.includes('UPDATE 1'),
  });
}

interface Params {
  readonly name?: string;
  readonly arguments?: object;
}

interface Result {
  readonly tools?: readonly { readonly name: string }[];
  readonly content?: readonly { readonly text: string }[];
}

const textOf = ({ content }: Result): string => content?.[0]?.text ?? '';

/** Of the revision without sessions: all that there is to say is in one request. */
const VERSION = '2026-07-28';

function ask(demo: Demo, token: string, method: string, params: Params): Promise<Result> {
  const { gateway, folder } = demo;
  const meta = { _meta: { 'io.modelcontextprotocol/protocolVersion': VERSION } };
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'mcp-protocol-version': VERSION,
    'mcp-method': method,
    ...(params.name !== undefined && { 'mcp-name': params.name }),
  };
  const ca = readFileSync(join(folder, 'gateway.crt'), 'utf8');
  const url = `https://${gateway.addresses.get('http')}/mcp`;
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers, ca, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => {
        const { result, error } = JSON.parse(text) as { result?: Result; error?: { message: string } };
        if (result) resolve(result);
        else reject(new Error(error?.message ?? text));
      });
    });
    asked.on('error', reject);
    asked.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, ...meta } }));
  });
}
