/**
 * Commands of clients: their codes, and which statement those stand for that are no statements. Pure. Does not: judge, or know what
 * is owed to whom.
 */
import type { SqlCommand } from '@sluice/contract';
import { PayloadReader, framed } from './packets.js';
import type { ReplyKind } from './reply.js';

export const COM = {
  quit: 0x01,
  initDb: 0x02,
  query: 0x03,
  fieldList: 0x04,
  refresh: 0x07,
  shutdown: 0x08,
  statistics: 0x09,
  processInfo: 0x0a,
  processKill: 0x0c,
  ping: 0x0e,
  changeUser: 0x11,
  prepare: 0x16,
  execute: 0x17,
  longData: 0x18,
  close: 0x19,
  reset: 0x1a,
  setOption: 0x1b,
  fetch: 0x1c,
  resetConnection: 0x1f,
} as const;

/** COM_QUERY. */
export const queryPacket = (text: string | Uint8Array): Buffer =>
  framed(Buffer.concat([Buffer.from([COM.query]), typeof text === 'string' ? Buffer.from(text) : text]), 0);

/** A command of one byte. */
export const bareCommand = (code: number): Buffer => Buffer.from([1, 0, 0, 0, code]);

export const resetStatement = (id: number): Buffer => {
  const payload = Buffer.alloc(5, COM.reset);
  payload.writeUInt32LE(id, 1);
  return framed(payload, 0);
};

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const literal = (text: string): string => `'${text.replaceAll(/['\\]/g, '$&$&')}'`;

/** The start of a session in a database, before the target has said how it reads statements: all of them read this one alike. */
export const useStatement = (id: number, database: string): SqlCommand => ({
  type: 'sql',
  id,
  phase: 'run',
  dialect: {
    name: 'mysql',
    flavour: 'mysql',
    version: 80_000,
    sqlMode: [],
    ignoreSpace: false,
    database: undefined,
    charset: 'utf8mb4',
  },
  text: `USE ${quoted(database)}`,
});

/** A command that is judged as the statement that it stands for. */
export interface Stands {
  readonly text: string;
  readonly kind: ReplyKind;
}

/** COM_REFRESH, by its bits. Those that are not here are no statement. */
const FLUSHES: readonly (readonly [bit: number, what: string])[] = [
  [1, 'PRIVILEGES'],
  [2, 'LOGS'],
  [4, 'TABLES'],
  [8, 'HOSTS'],
  [16, 'STATUS'],
];

/** @returns undefined where there is no such statement. @throws WireError when the packet is malformed */
export function standsFor(payload: Buffer, decode: (bytes: Buffer) => string): Stands | undefined {
  const fields = new PayloadReader(payload, 1);
  switch (payload[0]) {
    case COM.initDb:
      return { text: `USE ${quoted(decode(fields.rest()))}`, kind: 'simple' };
    case COM.fieldList: {
      const table = decode(fields.terminated());
      const like = decode(fields.rest());
      return {
        text: `SHOW COLUMNS FROM ${quoted(table)}${like === '' ? '' : ` LIKE ${literal(like)}`}`,
        kind: 'fields',
      };
    }
    case COM.statistics:
      return { text: 'SHOW STATUS', kind: 'text' };
    case COM.processInfo:
      return { text: 'SHOW PROCESSLIST', kind: 'query' };
    case COM.processKill:
      return { text: `KILL ${fields.uint(4)}`, kind: 'simple' };
    case COM.shutdown:
      return { text: 'SHUTDOWN', kind: 'simple' };
    case COM.refresh: {
      const bits = fields.uint(1);
      const known = FLUSHES.filter(([bit]) => bits & bit);
      if (known.reduce((sum, [bit]) => sum | bit, 0) !== bits || bits === 0) return undefined;
      return { text: `FLUSH ${known.map(([, what]) => what).join(', ')}`, kind: 'simple' };
    }
    default:
      return undefined;
  }
}

/** A KILL as clients send it for Ctrl+C, and nothing beside it. */
const KILL = /^\s{0,8}KILL\s{1,8}(?:(CONNECTION|QUERY)\s{1,8})?(\d{1,20})\s{0,8};?\s{0,8}$/i;

export interface Kill {
  readonly what: 'query' | 'connection';
  readonly thread: number;
}

/** The session that a text wants to end, where the text is that and nothing else. */
export function readKill(text: string): Kill | undefined {
  if (text.length > 64) return undefined;
  const [, what, thread] = KILL.exec(text) ?? [];
  if (thread === undefined) return undefined;
  return { what: what?.toUpperCase() === 'QUERY' ? 'query' : 'connection', thread: Number(thread) };
}

export const killText = ({ what, thread }: Kill): string => `KILL ${what.toUpperCase()} ${thread}`;
