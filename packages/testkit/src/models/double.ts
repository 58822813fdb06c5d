/**
 * A double of language models, for tests and the demo: it says what it is told to, in the shapes of three providers. Owns: which request gets
 * which answer. Does not: think.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messagesAnswer, messagesEvents } from './anthropic.js';
import { FilesDouble } from './files.js';
import { contentsAnswer, contentsPieces } from './gemini.js';
import { type DoubleEvent, chatAnswer, chatEvents, responsesAnswer, responsesEvents } from './openai.js';
import { type Cut, type Script, inTokens } from './scripts.js';

/** A request as the double has it. */
export interface Heard {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What it says to whatever is asked. */
export type Says = (asked: Readonly<Record<string, unknown>>) => Script;

const ECHO: Says = () => ({ text: 'I am a double of a language model.' });

export class ModelDouble {
  readonly #server: Server;
  readonly heard: Heard[] = [];
  says: Says = ECHO;
  cut: Cut = inTokens;
  /** Given as it is to whatever is asked, as JSON. */
  raw: string | undefined;
  /** Between two events, in milliseconds. */
  pauseMs = 0;
  /** An event of a stream waits for this. */
  before: (event: object) => Promise<void> | undefined = () => undefined;
  /** What it keeps, as OpenAI does. */
  readonly kept = new FilesDouble((path, asked) => this.#said(path, asked));

  private constructor() {
    this.#server = createServer((request, response) => this.#request(request, response));
  }

  static async start(port = 0): Promise<ModelDouble> {
    const double = new ModelDouble();
    await new Promise<void>((resolve) => double.#server.listen(port, '127.0.0.1', resolve));
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const bytes = Buffer.concat(pieces);
      const body = bytes.toString();
      this.heard.push({ path: request.url ?? '', headers: request.headers, body });
      if (this.kept.answer(request, bytes, response)) return;
      void this.#answer(request.url ?? '', JSON.parse(body === '' ? '{}' : body) as Asked, response);
    });
  }

  /** To a call that nobody waits for. */
  #said(path: string, asked: Asked): object {
    const { model = 'double', n = 1 } = asked;
    const scripts = Array.from({ length: n }, () => this.says(asked));
    if (path.endsWith('/embeddings')) return embeddings(model);
    if (path.endsWith('/responses')) return responsesAnswer(model, scripts[0] ?? {});
    return chatAnswer(model, scripts, this.cut, asked.logprobs === true);
  }

  async #answer(path: string, asked: Asked, response: ServerResponse): Promise<void> {
    const { model = 'double', stream = false, n = 1, logprobs = false } = asked;
    const scripts = Array.from({ length: n }, () => this.says(asked));
    const [script = {}] = scripts;
    if (this.raw !== undefined) {
      response.setHeader('Content-Type', 'application/json');
      return void response.end(this.raw);
    }
    if (path.endsWith('/chat/completions')) {
      const events = stream ? chatEvents(model, scripts, this.cut, logprobs) : [];
      // The last one says what was used, where somebody asks.
      const sent = asked.stream_options?.include_usage === true ? events : events.slice(0, -1);
      if (stream) return this.#stream(response, sent, '[DONE]');
      return whole(response, chatAnswer(model, scripts, this.cut, logprobs));
    }
    if (path.endsWith('/responses')) {
      if (stream) return this.#stream(response, responsesEvents(model, script, this.cut));
      return whole(response, responsesAnswer(model, script));
    }
    if (path.endsWith('/messages')) {
      if (stream) return this.#stream(response, messagesEvents(model, script, this.cut));
      return whole(response, messagesAnswer(model, script));
    }
    if (path.endsWith('/embeddings')) return whole(response, embeddings(model));
    const [, named = '', verb, query = ''] = /\/models\/([^:/]+):(\w+)(?:\?(.*))?$/.exec(path) ?? [];
    const candidates = asked.generationConfig?.candidateCount ?? 1;
    const several = Array.from({ length: candidates }, (_, at) => scripts[at] ?? this.says(asked));
    if (verb === 'generateContent') return whole(response, contentsAnswer(named, several));
    if (verb === 'streamGenerateContent') {
      const pieces = contentsPieces(named, several, this.cut);
      if (query.includes('alt=sse'))
        return this.#stream(
          response,
          pieces.map((piece): DoubleEvent => ['', piece]),
        );
      return this.#list(response, pieces);
    }
    if (verb === 'countTokens') return whole(response, { totalTokens: 7 });
    if (verb === 'batchEmbedContents' || verb === 'embedContent')
      return whole(response, { embeddings: [{ values: [0.1] }] });
    response.statusCode = 404;
    whole(response, {
      error: { message: 'The double has nothing there.', type: 'not_found_error', param: null, code: null },
    });
  }

  async #list(response: ServerResponse, pieces: readonly object[]): Promise<void> {
    response.setHeader('Content-Type', 'application/json; charset=UTF-8');
    for (const [at, piece] of pieces.entries()) {
      response.write(`${at === 0 ? '[' : ',\r\n'}${JSON.stringify(piece, undefined, 2)}`);
      if (this.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
    response.end('\n]\n');
  }

  async #stream(response: ServerResponse, events: readonly DoubleEvent[], last?: string): Promise<void> {
    response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
    for (const [name, data] of events) {
      await this.before(data);
      response.write(`${name === '' ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
      if (this.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
    response.end(last === undefined ? undefined : `data: ${last}\n\n`);
  }
}

const embeddings = (model: string): object => ({
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2] }],
  model,
});

interface Asked {
  readonly generationConfig?: { readonly candidateCount?: number };
  readonly model?: string;
  readonly stream?: boolean;
  readonly n?: number;
  readonly logprobs?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly [name: string]: unknown;
}

function whole(response: ServerResponse, answer: object): void {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(answer));
}
