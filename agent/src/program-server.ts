/**
 * Servers of MCP that speak over their input and output, as one by HTTP: what comes by a stream of the tunnel is read as HTTP, and each session
 * has a program of its own. Owns: which sessions there are, whose each is, and how many. Does not: choose command lines (programs.ts).
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type Id,
  INVALID_REQUEST,
  MessageError,
  type Messages,
  beginsSession,
  errorText,
  readMessages,
} from '@sluice/mcp';
import { MAX_LINE_BYTES } from './program.js';
import { type Fault, ProgramSession, type SessionTimes } from './program-session.js';
import type { ProgramLine } from './programs.js';

export interface ProgramLimits extends SessionTimes {
  /** Programs that run at once, of all and of one principal. */
  readonly most: number;
  readonly mostOfOne: number;
}

const LIMITS: ProgramLimits = { most: 64, mostOfOne: 8, idleMs: 5 * 60_000, leftMs: 30_000 };
/** As SDKs of MCP answer for a session that is not there. */
const SESSION_UNKNOWN = -32001;
/** How long all of them may take to end, in milliseconds. */
const STOP_MS = 5_000;

/** A stream of the tunnel, and whom it is for. */
interface Visitor {
  readonly line: ProgramLine;
  readonly owner: string;
  /** For requests without a session, as long as the stream lasts. */
  unnamed: ProgramSession | undefined;
}

export class ProgramServer {
  readonly #server: Server;
  readonly #limits: ProgramLimits;
  readonly #log: (message: string) => void;
  readonly #visitors = new WeakMap<object, Visitor>();
  /** Each that runs, or ends. */
  readonly #sessions = new Map<string, ProgramSession>();
  #isStopped = false;
  #emptied: (() => void) | undefined;

  constructor(log: (message: string) => void, limits: Partial<ProgramLimits> = {}) {
    this.#log = log;
    this.#limits = { ...LIMITS, ...limits };
    // How long a connection lies idle is for the gateway to say.
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => void this.#request(request, response));
    process.once('exit', this.#kill);
  }

  /** Programs that have not ended yet. */
  get running(): number {
    return this.#sessions.size;
  }

  /** `owner`: whom the gateway has logged in, by a name that stays the same. */
  accept(stream: Duplex, line: ProgramLine, owner: string): void {
    const visitor: Visitor = { line, owner, unnamed: undefined };
    this.#visitors.set(stream, visitor);
    stream.on('error', () => undefined);
    stream.once('close', () => visitor.unnamed?.end('was ended: its client has gone'));
    this.#server.emit('connection', stream);
  }

  /** Ends all of them. Resolves when they have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    process.off('exit', this.#kill);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    for (const session of this.#sessions.values()) session.end('was ended: the agent was stopped');
    if (this.#sessions.size === 0) resolve();
    const late = setTimeout(() => {
      this.#kill();
      resolve();
    }, STOP_MS);
    await promise;
    clearTimeout(late);
  }

  readonly #kill = (): void => {
    for (const session of this.#sessions.values()) session.kill();
  };

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visitor = this.#visitors.get(request.socket);
    if (!visitor) return void response.writeHead(404).end();
    const id = request.headers['mcp-session-id'];
    const session = typeof id === 'string' ? this.#find(id, visitor) : undefined;
    if (id !== undefined && !session)
      return refuse(response, { status: 404, why: 'is of no session that is there' }, SESSION_UNKNOWN);
    if (request.method === 'GET') {
      if (!session) return refuse(response, { status: 405, why: 'listens without a session' });
      return session.listen(response);
    }
    if (request.method === 'DELETE') {
      if (!session) return refuse(response, { status: 405, why: 'ends no session' });
      session.end('was ended by its client');
      return void response.writeHead(200).end();
    }
    if (request.method !== 'POST') return refuse(response, { status: 405, why: 'is none of MCP' });
    try {
      const text = await bodyOf(request);
      if (text === undefined) return refuse(response, { status: 413, why: `is longer than ${MAX_LINE_BYTES} bytes` });
      this.#messages(readMessages(text), session, visitor, response);
    } catch (error) {
      if (!(error instanceof MessageError)) return void response.destroy();
      refuse(response, { status: 400, why: error.message }, error.code, error.id);
    }
  }

  #messages(messages: Messages, known: ProgramSession | undefined, visitor: Visitor, response: ServerResponse): void {
    const isFirst = beginsSession(messages);
    if (isFirst && known) return refuse(response, { status: 400, why: 'initializes a session that there is already' });
    const session = known ?? (visitor.unnamed?.running === true ? visitor.unnamed : this.#begin(visitor));
    if ('status' in session) return refuse(response, session);
    // From now on it has a name, and does not hang on this stream.
    if (isFirst) visitor.unnamed = undefined;
    else if (!known) visitor.unnamed = session;
    const headers: Record<string, string> = isFirst ? { 'Mcp-Session-Id': session.id } : {};
    const fault = session.post(messages, response, headers);
    if (fault) refuse(response, fault);
  }

  #find(id: string, { owner, line }: Visitor): ProgramSession | undefined {
    const found = this.#sessions.get(id);
    return found?.owner === owner && found.line.name === line.name && found.running ? found : undefined;
  }

  #begin({ line, owner }: Visitor): ProgramSession | Fault {
    if (this.#isStopped) return { status: 503, why: 'comes too late: the agent is being stopped' };
    const all = [...this.#sessions.values()];
    const own = all.filter((one) => one.owner === owner);
    const { most, mostOfOne } = this.#limits;
    const crowd = own.length >= mostOfOne ? own : all.length >= most ? largestOf(all) : undefined;
    if (crowd) {
      const [spare] = crowd.filter(({ isBusy, running }) => running && !isBusy).sort((a, b) => a.used - b.used);
      spare?.end('was ended: another session needs its place');
      const why = own.length >= mostOfOne ? `you have ${mostOfOne} of them` : `there are ${most} of them`;
      // What ends still runs for a while.
      if (!spare || own.length >= 2 * mostOfOne || all.length >= most + mostOfOne)
        return { status: 503, why: `wants another program, and ${why}: try again later` };
    }
    const session = new ProgramSession(line, owner, this.#limits, this.#log, (one) => {
      this.#sessions.delete(one.id);
      if (this.#sessions.size === 0) this.#emptied?.();
    });
    this.#sessions.set(session.id, session);
    this.#log(`program ${line.name} was started, the ${this.#sessions.size}. that runs`);
    return session;
  }
}

/** Those of whoever has the most. */
function largestOf(all: readonly ProgramSession[]): readonly ProgramSession[] {
  const byOwner = Map.groupBy(all, ({ owner }) => owner);
  return [...byOwner.values()].sort((a, b) => b.length - a.length)[0] ?? [];
}

/** Undefined: it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_LINE_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refuse(response: ServerResponse, { status, why }: Fault, code = INVALID_REQUEST, id?: Id): void {
  const body = errorText(id, code, `This request to a program of the agent ${why}.`);
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
}
