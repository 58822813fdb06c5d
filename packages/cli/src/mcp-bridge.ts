/**
 * A client of MCP that speaks over its input and output, and a server that is reached by HTTP. Owns: what of the transport is neither's
 * business: the session, streams, and the token of each request. Does not: read what a message is for.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The longest line of a stream, in characters. */
const MAX_LINE_CHARACTERS = 8 * 1024 * 1024;
/** How long a stream that has ended is left alone before it is asked for again, in milliseconds. */
const AGAIN_MS = 1_000;
const UNAUTHORISED = 401;

type Token = (isStale: boolean) => Promise<string>;
type Message = Readonly<Record<string, unknown>>;

export class McpBridge {
  readonly #url: URL;
  readonly #token: Token;
  readonly #write: (line: string) => void;
  readonly #end = new AbortController();
  readonly #open = new Set<Promise<void>>();
  #session: string | undefined;
  #version: string | undefined;
  #listens = false;

  /** `token`: for one request; `write`: takes a message as a line. */
  constructor(url: URL, token: Token, write: (line: string) => void) {
    this.#url = url;
    this.#token = token;
    this.#write = write;
  }

  /** Resolves when the client has ended its side and all that it asked for is answered. */
  async run(input: Readable): Promise<void> {
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => {
      if (line.trim() === '') return;
      const sent = this.#send(line).finally(() => this.#open.delete(sent));
      this.#open.add(sent);
    });
    await once(lines, 'close');
    while (this.#open.size > 0) await Promise.all(this.#open);
    this.#end.abort();
    if (this.#session !== undefined) await this.#request('DELETE', undefined).catch(() => undefined);
  }

  /** Whatever goes wrong is an answer: a client that hears nothing waits for ever. */
  async #send(line: string): Promise<void> {
    const message = parsed(line);
    try {
      const answer = await this.#request('POST', line, message);
      const session = answer.headers.get('mcp-session-id');
      if (session !== null) this.#session = session;
      const text = await this.#pass(answer, message);
      if (!answer.ok && text !== undefined) this.#failed(message, `HTTP ${answer.status}: ${text.slice(0, 500)}`);
      if (message?.['method'] === 'notifications/initialized') void this.#listen();
    } catch (error) {
      this.#failed(message, `The gateway cannot be reached: ${(error as Error).message}`);
    }
  }

  async #request(method: string, body: string | undefined, message?: Message, isStale = false): Promise<Response> {
    const headers: Record<string, string> = {
      Authorization: `Bearer ${await this.#token(isStale)}`,
      Accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(this.#session !== undefined && { 'Mcp-Session-Id': this.#session }),
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    };
    const version = versionOf(message) ?? this.#version;
    if (version !== undefined) headers['Mcp-Protocol-Version'] = version;
    if (versionOf(message) !== undefined) Object.assign(headers, repeated(message));
    const signal = method === 'DELETE' ? AbortSignal.timeout(AGAIN_MS) : this.#end.signal;
    const answer = await fetch(this.#url, { method, headers, signal, ...(body !== undefined && { body }) });
    if (answer.status !== UNAUTHORISED || isStale) return answer;
    await answer.body?.cancel();
    return this.#request(method, body, message, true);
  }

  /** Writes what an answer has of messages. Returns a text that is none. */
  async #pass(answer: Response, message: Message | undefined): Promise<string | undefined> {
    if (/^text\/event-stream\b/i.test(answer.headers.get('content-type') ?? '')) {
      await this.#events(answer, message);
      return undefined;
    }
    const text = await answer.text();
    const said = parsed(text);
    if (said === undefined) return text;
    if (said['jsonrpc'] === undefined && !Array.isArray(said)) return text;
    for (const one of [said].flat()) this.#give(one as Message, message);
    return undefined;
  }

  async #events(answer: Response, message?: Message): Promise<void> {
    let data: string[] = [];
    let rest = '';
    const decoder = new TextDecoder();
    const line = (text: string): void => {
      if (text.startsWith('data:')) data.push(text.slice(text[5] === ' ' ? 6 : 5));
      if (text !== '' || data.length === 0) return;
      const said = parsed(data.join('\n'));
      data = [];
      if (said) for (const one of [said].flat()) this.#give(one as Message, message);
    };
    for await (const chunk of answer.body ?? []) {
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      if (rest.length > MAX_LINE_CHARACTERS) throw new Error('a message is too long');
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      lines.forEach(line);
    }
  }

  #give(said: Message, asked: Message | undefined): void {
    const result = said['result'] as { protocolVersion?: unknown } | undefined;
    if (asked?.['method'] === 'initialize' && typeof result?.protocolVersion === 'string')
      this.#version = result.protocolVersion;
    this.#write(JSON.stringify(said));
  }

  #failed(message: Message | undefined, why: string): void {
    if (message?.['id'] === undefined || message['method'] === undefined) return;
    this.#write(JSON.stringify({ jsonrpc: '2.0', id: message['id'], error: { code: -32000, message: why } }));
  }

  /** What the server says by itself, for as long as the client is there. */
  async #listen(): Promise<void> {
    if (this.#listens) return;
    this.#listens = true;
    while (!this.#end.signal.aborted) {
      const answer = await this.#request('GET', undefined).catch(() => undefined);
      // It has nothing to say.
      if (!answer?.ok) return;
      await this.#events(answer).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
    }
  }
}

function parsed(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Message) : undefined;
  } catch {
    return undefined;
  }
}

interface Params {
  readonly name?: unknown;
  readonly uri?: unknown;
  readonly taskId?: unknown;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** In the era without sessions each message says so itself. */
function versionOf(message: Message | undefined): string | undefined {
  const { _meta: meta } = (message?.['params'] ?? {}) as Params;
  const said = meta?.['io.modelcontextprotocol/protocolVersion'];
  return typeof said === 'string' ? said : undefined;
}

/** Headers that repeat what such a message says. */
function repeated(message: Message | undefined): Record<string, string> {
  const method = message?.['method'];
  const { name, uri, taskId } = (message?.['params'] ?? {}) as Params;
  const about = [name, uri, taskId].find((one) => typeof one === 'string');
  return {
    ...(typeof method === 'string' && { 'Mcp-Method': method }),
    ...(typeof about === 'string' && { 'Mcp-Name': inHeader(about) }),
  };
}

const inHeader = (text: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
