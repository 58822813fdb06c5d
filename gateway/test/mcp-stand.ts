import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ServerOptions } from '@modelcontextprotocol/sdk/server/index.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';

/** A gateway in front of a server of MCP, which is made anew for each session. */
export interface McpStand extends HttpStand {
  /** Of the gateway, and of the server itself. */
  readonly address: URL;
  readonly direct: URL;
  /** Headers and bodies of requests that have reached the server. */
  readonly came: { readonly headers: IncomingMessage['headers']; readonly body: string }[];
  /** A client that has initialised. */
  client(options?: ClientOptions): Promise<Client>;
}

export interface ClientOptions {
  readonly token?: string;
  readonly direct?: boolean;
  readonly capabilities?: ConstructorParameters<typeof Client>[1];
  readonly prepare?: (client: Client) => void;
}

export interface McpStandOptions extends Omit<HttpStandOptions, 'connection' | 'serve'> {
  /** Of each new server; its capabilities besides, too. */
  readonly options?: () => ServerOptions;
  /** Puts tools and the rest into a new server. */
  readonly build: (server: McpServer) => void;
  /** Members of `mcp`. */
  readonly mcp?: string;
  readonly connection?: string;
  /** The server names no session, and answers each request by itself. */
  readonly sessionless?: boolean;
  /** Answers in JSON instead of events. */
  readonly json?: boolean;
  readonly path?: string;
}

export async function openMcpStand(options: McpStandOptions): Promise<McpStand> {
  const { build, path = '/mcp', sessionless = false, json = false } = options;
  const came: McpStand['came'] = [];
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const newTransport = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      ...(!sessionless && { sessionIdGenerator: () => randomUUID() }),
      enableJsonResponse: json,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    const server = new McpServer(
      { name: 'tools', version: '1.0.0' },
      { capabilities: { logging: {} }, ...options.options?.() },
    );
    build(server);
    await server.connect(transport as Transport);
    return transport;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    came.push({ headers: request.headers, body: body.toString() });
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    const transport = known ?? (await newTransport());
    await transport.handleRequest(request, response, body.length === 0 ? undefined : JSON.parse(body.toString()));
  };
  let target = 0;
  const stand = await openHttpStand({
    ...options,
    target: (port) => {
      target = port;
      return `{ url: "http://127.0.0.1:${port}${path}" }`;
    },
    connection: `mcp: { ${options.mcp ?? ''} }\n    ${options.connection ?? ''}`,
    serve: (request, response, body) => void serve(request, response, body),
  });
  const address = new URL(stand.url);
  const direct = new URL(`http://127.0.0.1:${target}${path}`);
  return {
    ...stand,
    address,
    direct,
    came,
    client: async ({ token = stand.token, direct: isDirect = false, capabilities, prepare } = {}) => {
      const client = new Client({ name: 'test', version: '1.0.0' }, capabilities);
      prepare?.(client);
      const requestInit = { headers: { Authorization: `Bearer ${token}` } };
      const transport = new StreamableHTTPClientTransport(isDirect ? direct : address, isDirect ? {} : { requestInit });
      await client.connect(transport as Transport);
      return client;
    },
  };
}

export interface RpcAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of JSON, or of each event. */
  readonly messages: readonly Record<string, unknown>[];
}

/** A message by hand, as no SDK would send it. */
export async function rpc(
  url: URL,
  token: string,
  body: string | object,
  headers: Readonly<Record<string, string>> = {},
): Promise<RpcAnswer> {
  const answer = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...headers,
    },
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, messages: messagesIn(text) };
}

function messagesIn(text: string): Record<string, unknown>[] {
  const lines = text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [line.slice(6)] : []));
  const all = lines.length > 0 ? lines : text.trim() === '' ? [] : [text];
  return all.flatMap<Record<string, unknown>>((one) => JSON.parse(one));
}
