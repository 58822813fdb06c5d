/** The protocol on a port, in front of a real server, with a gate that does what a test says. */
import { type AddressInfo, type Server, connect, createServer } from 'node:net';
import { hash } from 'node:crypto';
import {
  type Admission,
  type Answer,
  type Challenge,
  type Deny,
  type Facts,
  type Gate,
  type MySqlDialect,
  NEUTRAL_WORDS,
  type Waiter,
  type Refusal,
  type ResponseEvent,
  type SqlCommand,
  type TextRange,
} from '@sluice/contract';
import type { MySqlServer } from '@sluice/testkit';
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise';
import { type MySqlOptions, mysql } from '../src/index.js';
import { decodeResult } from '../src/results.js';

export const TOKEN = 'sluice_token_of_a_test';

const VERIFIERS = {
  sha1: hash('sha1', hash('sha1', TOKEN, 'buffer'), 'buffer'),
  sha256: hash('sha256', hash('sha256', TOKEN, 'buffer'), 'buffer'),
};

export interface MySqlStand {
  readonly port: number;
  readonly asked: SqlCommand[];
  /** The values of each command that had some, as text. */
  readonly bound: (string | null)[][];
  readonly recorded: ResponseEvent[];
  judge: (command: SqlCommand, waiter: Waiter | undefined) => Answer | Promise<Answer>;
  /** What each later login is for; the user's name is its principal. */
  admission: Partial<Admission>;
  /** What the server is sent by all sessions. */
  sent(): string;
  client(options?: ConnectionOptions): Promise<Connection>;
  /** Of the command with this text, what a replay shows. */
  replayed(text: string): ReturnType<typeof decodeResult>;
  stop(): void;
}

export interface StandOptions {
  readonly protocol?: MySqlOptions;
  readonly limits?: Partial<Gate['limits']>;
  readonly target?: Partial<Admission['target']>;
}

export async function openStand(server: MySqlServer, options: StandOptions = {}): Promise<MySqlStand> {
  const protocol = mysql(options.protocol);
  const sent: Buffer[] = [];
  const kill = new AbortController();
  const refusal: Refusal = { type: 'refusal', reason: { code: 'wrong-proof', user: 'anybody', tokens: 8 } };
  const challengeOf = (user: string, connection: string): Challenge => {
    const target = {
      host: server.host,
      user: server.user,
      password: server.password,
      database: server.database,
      tls: 'disable' as const,
      options: {},
      ...options.target,
    };
    const admission = (): Admission => ({
      type: 'admission',
      principal: user,
      connection,
      target,
      ...stand.admission,
    });
    const known = user !== 'nobody';
    const check = async (secret: string): Promise<Admission | Refusal> =>
      known && secret === TOKEN ? admission() : refusal;
    return {
      scram: () => ({ salt: Buffer.alloc(0), iterations: 1, candidates: [], fail: async () => refusal }),
      mysql: () => ({
        candidates: known ? [{ ...VERIFIERS, admit: async () => admission() }] : [],
        fail: async () => refusal,
      }),
      password: check,
      bearer: check,
      offers: () => false,
      publicKey: async () => refusal,
      interactive: async () => refusal,
    };
  };
  const gate = (): Gate => ({
    signal: kill.signal,
    draining: new AbortController().signal,
    words: NEUTRAL_WORDS,
    limits: {
      message: 16 * 1024 * 1024,
      recordedAnswer: 64 * 1024,
      terminal: 0,
      upstreamLogin: 5_000,
      ...options.limits,
    },
    tls: false,
    requireTls: false,
    loopback: true,
    secure: () => Promise.reject(new Error('this gate has no certificate')),
    login: challengeOf,
    hasConnection: (name) => name === 'shop',
    turn: () => Promise.resolve(),
    opened: () => undefined,
    broke: () => undefined,
    dial: async () => {
      const stream = connect({ host: server.host, port: server.port });
      const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
      stream.write = ((chunk: Uint8Array, ...rest: unknown[]) => {
        sent.push(Buffer.from(chunk));
        return write(chunk, ...rest);
      }) as typeof stream.write;
      return stream;
    },
    ask: (command, waiter) => {
      const sql = command as SqlCommand;
      stand.asked.push(sql);
      if (sql.parameters) stand.bound.push(sql.parameters.map(({ value }) => value && Buffer.from(value).toString()));
      return stand.judge(sql, waiter);
    },
    split: (text, dialect) => cut(text, dialect as MySqlDialect),
    record: (event) => void stand.recorded.push({ ...event, data: event.data.map((bytes) => Buffer.from(bytes)) }),
    onCancel: () => true,
    cancel: async () => undefined,
  });
  const serving: Server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    protocol.serve(socket, gate()).catch((error: unknown) => failures.push(error));
  });
  const failures: unknown[] = [];
  await new Promise<void>((done) => serving.listen(0, '127.0.0.1', done));
  const { port } = serving.address() as AddressInfo;
  const opened: Connection[] = [];
  const stand: MySqlStand = {
    port,
    asked: [],
    bound: [],
    recorded: [],
    judge: sensible,
    admission: {},
    sent: () => Buffer.concat(sent).toString('latin1'),
    client: async (own = {}) => {
      const made = await createConnection({ host: '127.0.0.1', port, user: 'ada%shop', password: TOKEN, ...own });
      made.on('error', () => undefined);
      opened.push(made);
      return made;
    },
    replayed: (text) => {
      const id = stand.asked.findLast((one) => one.text === text && one.phase === 'run')?.id;
      const data = stand.recorded.filter((one) => one.command === id).flatMap((one) => [...one.data]);
      return decodeResult(Buffer.concat(data));
    },
    stop: () => {
      for (const one of opened) one.destroy();
      kill.abort({ code: 'shutdown' });
      serving.close();
      if (failures.length > 0) throw failures[0];
    },
  };
  return stand;
}

const facts = (change: Partial<Facts> = {}): Facts => ({
  actions: [],
  confidence: 'exact',
  statements: [{ type: 'none' }],
  ...change,
});
export const allow = (change: Partial<Facts> = {}): Answer => ({ type: 'allow', facts: facts(change) });
/** As a language would say it, of the few statements that tests send. */
export function sensible({ text }: SqlCommand): Answer {
  const verb = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
  const effect = ({ set: 'session', use: 'session', call: 'execute' } as const)[verb];
  return allow({
    actions: [{ statement: 0, depth: 0, verb, effects: effect ? [effect] : ['read'], resources: [], reasons: [] }],
  });
}

export const DENIED: Deny = { type: 'deny', rule: 'no-drop', message: 'Nothing is dropped through the gateway.' };

/** Statements between semicolons, for texts of tests: quotes count, comments do not. */
export function cut(text: string, { sqlMode }: MySqlDialect): TextRange[] {
  const ranges: TextRange[] = [];
  let start = 0;
  let quote = '';
  for (let at = 0; at <= text.length; at++) {
    const one = text[at];
    if (one !== undefined && quote !== '') {
      if (one === '\\' && !sqlMode.includes('NO_BACKSLASH_ESCAPES')) at++;
      else if (one === quote) quote = '';
    } else if (one === "'" || one === '"' || one === '`') quote = one;
    else if (one === ';' || one === undefined) {
      if (text.slice(start, at).trim() !== '') ranges.push({ start, end: at });
      start = at + 1;
    }
  }
  return ranges.length > 0 ? ranges : [{ start: 0, end: text.length }];
}
