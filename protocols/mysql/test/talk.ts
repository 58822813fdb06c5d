/** A little language for conversations: what arrives, and what each side then has got. */
import { hash } from 'node:crypto';
import {
  type Admission,
  type Answer,
  type Challenge,
  type MaskedPackets,
  type Refusal,
  type ResponseEvent,
  type RowRoom,
  type SqlCommand,
  Unmasked,
  type Waiter,
} from '@sluice/contract';
import { lent } from '@sluice/testkit';
import { MessageRoom, StatementRoom } from '@sluice/wire';
import { CAPABILITY } from '../src/capabilities.js';
import { MySqlConversation } from '../src/conversation.js';
import { LoginExchange } from '../src/login.js';
import { HEADER_BYTES, counted, encoded, framed, payloadLength, uint } from '../src/packets.js';
import { SessionState } from '../src/session-state.js';
import type { KillTarget } from '../src/shared.js';
import { cut } from './stand.js';

export const packet = (code: number, ...parts: (string | Uint8Array)[]): Buffer =>
  framed(Buffer.concat([Buffer.from([code]), ...parts.map((part) => Buffer.from(part as string))]), 0);
export const query = (text: string): Buffer => packet(0x03, text);

/** Payloads of answers. */
export const payload = {
  ok: (status = 2, info = '') =>
    Buffer.concat([Buffer.from([0, 0, 0]), uint(status, 2), uint(0, 2), info ? counted(info) : Buffer.alloc(0)]),
  eof: (status = 2) => Buffer.concat([Buffer.from([0xfe, 0, 0]), uint(status, 2), uint(0, 2)]),
  oldEof: (status = 2) => Buffer.concat([Buffer.from([0xfe]), uint(0, 2), uint(status, 2)]),
  error: (code: number, text: string) =>
    Buffer.concat([Buffer.from([0xff]), uint(code, 2), Buffer.from(`#42000${text}`)]),
  count: (columns: number) => encoded(columns),
  column: (name: string, { type = 0xfd, flags = 0, table = 't' } = {}) =>
    Buffer.concat([
      ...['def', 'shop', table, table, name, name].map(counted),
      uint(12, 1),
      uint(45, 2),
      uint(100, 4),
      uint(type, 1),
      uint(flags, 2),
      Buffer.alloc(3),
    ]),
  row: (...cells: (string | null)[]) =>
    Buffer.concat(cells.map((cell) => (cell === null ? Buffer.from([0xfb]) : counted(cell)))),
  file: (name: string) => Buffer.concat([Buffer.from([0xfb]), Buffer.from(name)]),
};

/** An answer, numbered from 1. */
export const reply = (...payloads: Buffer[]): Buffer => Buffer.concat(payloads.map((one, at) => framed(one, 1 + at)));

export const rows = (columns: readonly string[], ...cells: (string | null)[][]): Buffer[] => [
  payload.count(columns.length),
  ...columns.map((name) => payload.column(name)),
  ...cells.map((one) => payload.row(...one)),
  payload.eof(),
];

export const ALL_CAPABILITIES =
  CAPABILITY.protocol41 |
  CAPABILITY.multiStatements |
  CAPABILITY.multiResults |
  CAPABILITY.deprecateEof |
  CAPABILITY.localFiles |
  CAPABILITY.sessionTrack;

export interface Talk {
  client(...packets: Buffer[]): void;
  replies(...packets: Buffer[]): void;
  /** Answers the gateway's own question about the session. */
  ready(sqlMode?: string, charset?: string): void;
  answer(answer: Answer): void;
  hangUp(side: 'client' | 'upstream'): void;
  /** Payloads that went to a side since the last look, as Latin-1 behind the number of each. */
  upstream(): string[];
  toClient(): string[];
  readonly sent: { client: Buffer[]; upstream: Buffer[] };
  readonly asked: SqlCommand[];
  readonly recorded: ResponseEvent[];
  readonly finished: boolean;
  readonly conversation: MySqlConversation;
}

export interface TalkOptions {
  readonly judge?: (command: SqlCommand, waiter: Waiter) => Answer | undefined;
  readonly message?: number;
  readonly recorded?: number;
  readonly capabilities?: number;
  readonly addsMetadata?: boolean;
  readonly room?: StatementRoom;
  readonly sent?: MessageRoom;
  readonly masks?: MaskedPackets;
  readonly sessionOf?: (thread: number) => KillTarget | undefined;
}

const FOLLOWED =
  'sql_mode,character_set_client,character_set_results,session_track_system_variables,session_track_schema';

/** Number of the connection at the target. */
export const THREAD = 7;

export const allowed: Answer = {
  type: 'allow',
  facts: { actions: [], confidence: 'exact', statements: [{ type: 'none' }] },
};

export const TOKEN = 'sluice_token_of_a_talk';
const sha256 = hash('sha256', hash('sha256', TOKEN, 'buffer'), 'buffer');
const refused: Refusal = { type: 'refusal', reason: { code: 'wrong-proof', user: 'ada', tokens: 8 } };

/** The token proves to be `ada`. */
function challengeOf(user: string): Challenge {
  const target = { host: 'localhost', user: 'app', tls: 'disable' as const, options: {} };
  const admission: Admission = { type: 'admission', principal: user, connection: 'shop', target };
  const candidates =
    user === 'ada'
      ? [{ sha1: Buffer.alloc(20), sha256, admit: (): Promise<Admission> => Promise.resolve(admission) }]
      : [];
  const fail = (): Promise<Refusal> => Promise.resolve(refused);
  return {
    scram: () => ({ salt: Buffer.alloc(0), iterations: 1, candidates: [], fail }),
    mysql: () => ({ candidates, fail }),
    password: fail,
    bearer: fail,
    offers: () => false,
    publicKey: fail,
    interactive: fail,
  };
}

/** A room of so many bytes, and how many are held. */
export function roomOf(limit: number): RowRoom & { readonly sizes: number[] } {
  const sizes: number[] = [];
  const nothing = (): void => undefined;
  return {
    limit,
    sizes,
    held: 0,
    wait: undefined,
    isMasking: false,
    admit: (bytes) => {
      if (bytes > limit) throw Unmasked.because('a row is too long');
      sizes.push(bytes);
    },
    arrived: () => sizes.push(0),
    left: nothing,
    moved: nothing,
    clear: nothing,
    look: nothing,
  };
}

export function talk(options: TalkOptions = {}): Talk {
  const { judge = () => allowed, capabilities = ALL_CAPABILITIES } = options;
  const sent: Talk['sent'] = { client: [], upstream: [] };
  const seen = { client: 0, upstream: 0 };
  const asked: SqlCommand[] = [];
  const recorded: ResponseEvent[] = [];
  let finished = false;
  const conversation = new MySqlConversation({
    wires: {
      send: (to, bytes) => void sent[to].push(Buffer.from(bytes)),
      flushed: () => Promise.resolve(),
      finish: () => {
        finished = true;
      },
      wake: () => undefined,
    },
    port: {
      ask: (command, waiter) => {
        asked.push(command);
        return judge(command, waiter);
      },
      split: cut,
      record: (event) => void recorded.push({ ...event, data: event.data.map((bytes) => Buffer.from(bytes)) }),
      cancel: () => Promise.resolve(),
      sessionOf: options.sessionOf ?? (() => undefined),
      again: ({ user, database }) => ({
        user,
        database,
        connection: 'shop',
        nonce: Buffer.alloc(20, 1),
        exchange: new LoginExchange(challengeOf(user), 'open'),
      }),
      later: (promise, take) => void promise.then((value) => conversation.later(() => take(value))),
    },
    session: new SessionState(
      { flavour: 'mariadb', version: 101_100 },
      false,
      (capabilities & CAPABILITY.sessionTrack) !== 0,
    ),
    masks: options.masks,
    thread: THREAD,
    database: undefined,
    limits: { message: options.message ?? 1024 * 1024, recordedAnswer: options.recorded ?? 64 * 1024 },
    capabilities,
    addsMetadata: options.addsMetadata ?? false,
    commands: 0,
    room: options.room ?? new StatementRoom('dev'),
    sent: options.sent ?? new MessageRoom('dev', 64 * 1024 * 1024),
  });
  const look = (side: 'client' | 'upstream'): string[] => {
    const bytes = Buffer.concat(sent[side]).subarray(seen[side]);
    seen[side] += bytes.length;
    return payloadsOf(bytes).map(({ sequence, body }) => `${sequence} ${body.toString('latin1')}`);
  };
  const said: Talk = {
    client: (...packets) => lent(Buffer.concat(packets), (chunk) => conversation.receive('client', chunk)),
    replies: (...packets) => lent(Buffer.concat(packets), (chunk) => conversation.receive('upstream', chunk)),
    ready: (sqlMode = '', charset = 'utf8mb4') => {
      const [asks] = look('upstream');
      if (!asks?.includes('@@sql_mode')) throw new Error(`the gateway asked ${asks}`);
      const deprecated = (capabilities & CAPABILITY.deprecateEof) !== 0;
      const names = ['a', 'b', 'c', 'd', 'e', 'f'];
      const own = [payload.row(FOLLOWED, '1', sqlMode, charset, 'shop', String(THREAD))];
      said.replies(
        reply(
          payload.count(names.length),
          ...names.map((name) => payload.column(name)),
          ...(deprecated ? [] : [payload.oldEof()]),
          ...own,
          deprecated ? payload.eof() : payload.oldEof(),
        ),
      );
    },
    answer: (answer) => conversation.answered(answer),
    hangUp: (side) => conversation.ended(side),
    upstream: () => look('upstream'),
    toClient: () => look('client'),
    sent,
    asked,
    recorded,
    get finished() {
      return finished;
    },
    conversation,
  };
  return said;
}

/** A session that has been asked about. */
export function begun(options: TalkOptions = {}): Talk {
  const made = talk(options);
  made.client(packet(0x0e));
  made.ready();
  made.replies(reply(payload.ok()));
  made.upstream();
  made.toClient();
  return made;
}

export function payloadsOf(bytes: Buffer): { sequence: number; body: Buffer }[] {
  const found = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const next = at + HEADER_BYTES + payloadLength(bytes, at);
    found.push({ sequence: bytes[at + 3] as number, body: bytes.subarray(at + HEADER_BYTES, next) });
    at = next;
  }
  return found;
}
