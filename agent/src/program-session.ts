/**
 * One running server of MCP and its client: messages by HTTP on one side, lines on the other. Owns: which stream each line goes to, what is
 * under way, and when nobody uses it any more. Does not: read requests, or say whose it is (program-server.ts).
 */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { jsonOf } from '@sluice/http-requests';
import {
  type Id,
  INTERNAL_ERROR,
  type Message,
  MessageError,
  type Messages,
  errorText,
  objectIn,
  readMessages,
} from '@sluice/mcp';
import { Program } from './program.js';
import type { ProgramLine } from './programs.js';

/** Requests of its client that have no answer yet. */
const MAX_PENDING = 256;
/** What a program says before anybody listens: messages, and bytes of them. */
const MAX_QUEUED = 64;
/** Lines that are nothing for its client: whoever writes more of them keeps the agent from others. */
const MAX_UNHEARD = 10_000;
const MAX_QUEUED_BYTES = 1024 * 1024;

export interface SessionTimes {
  /** A session is ended that nobody has asked anything for so long, and one whose client has stopped to listen. Milliseconds. */
  readonly idleMs: number;
  readonly leftMs: number;
}

/** A request by HTTP whose answers go into one stream. */
interface Exchange {
  /** Undefined: its client has gone. Answers are dropped, and their ids are not free before they came. */
  response: ServerResponse | undefined;
  readonly ids: Map<string, Id>;
  readonly tokens: ReadonlySet<string>;
}

export class ProgramSession {
  readonly id = randomUUID();
  readonly owner: string;
  readonly line: ProgramLine;
  readonly #program: Program;
  readonly #times: SessionTimes;
  readonly #log: (message: string) => void;
  readonly #exchanges = new Set<Exchange>();
  /** By ids as JSON. */
  readonly #pending = new Map<string, Exchange>();
  #listener: ServerResponse | undefined;
  readonly #queued: string[] = [];
  #queuedBytes = 0;
  /** Streams whose readers are behind: until they are not, nothing more is read of the program. */
  readonly #stalled = new Set<ServerResponse>();
  #idle: NodeJS.Timeout | undefined;
  #saidNoJson = false;
  #unheard = 0;
  /** When it was used last, in milliseconds since 1970. */
  used = Date.now();

  constructor(
    line: ProgramLine,
    owner: string,
    times: SessionTimes,
    log: (message: string) => void,
    ended: (session: ProgramSession) => void,
  ) {
    this.line = line;
    this.owner = owner;
    this.#times = times;
    this.#log = log;
    this.#program = new Program(line, {
      onLine: (text) => this.#said(text),
      onEnd: (why) => {
        log(`program ${line.name} ${why}`);
        this.#over(why);
        ended(this);
      },
      log,
    });
    this.#touch(times.idleMs);
  }

  get running(): boolean {
    return this.#program.running;
  }

  /** Somebody waits for something that it says. */
  get isBusy(): boolean {
    return this.#listener !== undefined || [...this.#exchanges].some(({ response }) => response !== undefined);
  }

  /** Passes messages on. Returns why not: a status, and a phrase of which the request is the subject. */
  post({ messages }: Messages, response: ServerResponse, headers: Readonly<Record<string, string>>): Fault | undefined {
    this.#touch(this.#times.idleMs);
    const asked = messages.flatMap((one) => (one.type === 'request' ? [one] : []));
    const ids = new Map(asked.map(({ id }) => [jsonOf(id), id]));
    if (ids.size < asked.length || [...ids.keys()].some((key) => this.#pending.has(key)))
      return { status: 400, why: 'has an id of which the answer is still under way' };
    if (this.#pending.size + ids.size > MAX_PENDING)
      return { status: 503, why: `comes while ${MAX_PENDING} others have no answer yet` };
    const exchange: Exchange = { response: undefined, ids, tokens: new Set(messages.flatMap(tokenOf)) };
    if (ids.size > 0) {
      this.#exchanges.add(exchange);
      for (const key of ids.keys()) this.#pending.set(key, exchange);
      this.#open(response, headers);
      exchange.response = response;
      response.once('close', () => void (exchange.response = undefined));
    } else response.writeHead(202, headers).end();
    for (const { json } of messages)
      if (!this.#program.say(jsonOf(json))) {
        this.#program.end('does not read what it is sent');
        break;
      }
    return undefined;
  }

  /** A stream for what the program says by itself. The last one has it: whoever comes back after a break is that. */
  listen(response: ServerResponse): void {
    this.#touch(this.#times.idleMs);
    this.#listener?.end();
    this.#listener = response;
    this.#open(response, { 'Mcp-Session-Id': this.id });
    response.once('close', () => {
      if (this.#listener !== response) return;
      this.#listener = undefined;
      this.#touch(this.#times.leftMs);
    });
    this.#queuedBytes = 0;
    for (const text of this.#queued.splice(0)) this.#write(response, text);
  }

  /** `why`: a phrase of which the program is the subject. */
  end(why: string): void {
    this.#program.end(why);
  }

  kill(): void {
    this.#program.kill();
  }

  #touch(ms: number): void {
    this.used = Date.now();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.isBusy) this.#touch(this.#times.idleMs);
      else this.end('was ended: nobody uses it any more');
    }, ms).unref();
  }

  #open(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', ...headers });
    response.flushHeaders();
    response.on('error', () => undefined);
    response.once('close', () => this.#caughtUp(response));
  }

  #said(text: string): void {
    if (text.trim() === '') return;
    let messages: readonly Message[];
    try {
      ({ messages } = readMessages(text));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      // Programs that print something else there are not rare; it is nothing for a client.
      if (!this.#saidNoJson)
        this.#log(`program ${this.line.name} has written a line that ${error.message}; it is left out`);
      this.#saidNoJson = true;
      return this.#drop();
    }
    for (const message of messages) this.#message(message);
  }

  #message(message: Message): void {
    const text = jsonOf(message.json);
    if (message.type === 'result' || message.type === 'error') {
      const key = message.id ? jsonOf(message.id) : '';
      const exchange = this.#pending.get(key);
      return exchange ? this.#answer(exchange, key, text) : this.#drop();
    }
    const [token] = message.method === PROGRESS ? tokenOf(message) : [];
    const own = token === undefined ? undefined : [...this.#exchanges].find(({ tokens }) => tokens.has(token));
    if (own) return own.response ? this.#write(own.response, text) : this.#drop();
    const open = [...this.#exchanges].flatMap(({ response }) => response ?? []);
    // Which of several calls it belongs to nobody can say, and what is masked in one may stand open in another.
    const place = this.#listener ?? (open.length === 1 ? open[0] : undefined);
    if (place) return this.#write(place, text);
    const isKept = open.length === 0 && this.#queued.length < MAX_QUEUED;
    if (isKept && this.#queuedBytes + text.length <= MAX_QUEUED_BYTES) {
      this.#queuedBytes += text.length;
      return void this.#queued.push(text);
    }
    if (message.type === 'request') this.#program.say(nowhere(message.id));
    this.#drop();
  }

  /** A line that is for nobody. */
  #drop(): void {
    this.#unheard++;
    if (this.#unheard === MAX_UNHEARD) this.end(`has written ${MAX_UNHEARD} lines that are for nobody`);
  }

  #answer(exchange: Exchange, key: string, text: string): void {
    this.#pending.delete(key);
    exchange.ids.delete(key);
    if (exchange.response) this.#write(exchange.response, text);
    if (exchange.ids.size > 0) return;
    this.#exchanges.delete(exchange);
    exchange.response?.end();
    this.#touch(this.#times.idleMs);
  }

  #write(response: ServerResponse, text: string): void {
    if (response.write(`event: message\ndata: ${text}\n\n`) || this.#stalled.has(response)) return;
    this.#stalled.add(response);
    this.#program.pause();
    response.once('drain', () => this.#caughtUp(response));
  }

  #caughtUp(response: ServerResponse): void {
    if (this.#stalled.delete(response) && this.#stalled.size === 0) this.#program.resume();
  }

  /** Nothing more will come. */
  #over(why: string): void {
    clearTimeout(this.#idle);
    for (const [key, exchange] of this.#pending) {
      const id = exchange.ids.get(key);
      this.#answer(
        exchange,
        key,
        errorText(id, INTERNAL_ERROR, `The server of this session ${why}. Initialize a new one.`),
      );
    }
    clearTimeout(this.#idle);
    this.#listener?.end();
  }
}

/** `why`: a phrase of which the request is the subject. */
export interface Fault {
  readonly status: number;
  readonly why: string;
}

const PROGRESS = 'notifications/progress';

/** The token that a request asks for progress by, or that progress is of, as JSON. */
function tokenOf(message: Message): string[] {
  if (message.type !== 'request' && message.type !== 'notification') return [];
  const { method, params } = message;
  const place = method === PROGRESS ? params : params && objectIn(params.members, '_meta');
  const token = place?.members.get('progressToken');
  return token ? [jsonOf(token)] : [];
}

const nowhere = (id: Id): string =>
  errorText(id, INTERNAL_ERROR, 'The client of this session listens to nothing by which it could be asked.');
