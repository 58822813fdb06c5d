/**
 * A connection of the gateway's own to a target of MySQL's protocol, for looking things up. Owns: one question at a time, and its answer
 * in text rows. Does not: the login (upstream.ts), nor what is asked.
 */
import { type Lookup, QueryError, type Target } from '@sluice/contract';
import { Inbox, malformed } from '@sluice/wire';
import { CAPABILITY } from './capabilities.js';
import { COM, bareCommand, queryPacket } from './commands.js';
import { Fields, MAX_PACKET, readPacket } from './packets.js';
import { EOF, ERR, OK, readError } from './replies.js';
import { NO_WISHES, type Reach, openUpstream } from './upstream.js';

/** How long one answer may take, in milliseconds. */
const MAX_QUERY_MS = 30_000;
/** Bytes of one row; definitions of views are the longest. */
const MAX_ROW_BYTES = MAX_PACKET;
/** Bytes of one answer. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** How long a connection may take to close, in milliseconds. */
const MAX_CLOSE_MS = 5_000;

const NULL = 0xfb;

/** @throws UpstreamError when the target cannot be reached or refuses the login */
export async function openLookup(reach: Reach, target: Target): Promise<Lookup> {
  const { stream, server, capabilities } = await openUpstream(reach, target, NO_WISHES);
  const inbox = new Inbox(stream);
  const isDeprecated = (capabilities & CAPABILITY.deprecateEof) !== 0;
  return {
    major: Math.floor(server.version / 10_000),
    query: async (text) => {
      const timer = setTimeout(() => stream.destroy(new Error('the target did not answer in time')), MAX_QUERY_MS);
      try {
        stream.write(queryPacket(text));
        return await readAnswer(inbox, isDeprecated);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => {
      inbox.release();
      stream.on('error', () => undefined);
      stream.end(bareCommand(COM.quit));
      stream.resume();
      setTimeout(() => stream.destroy(), MAX_CLOSE_MS).unref();
    },
  };
}

/** One result, or none. A file that the target asks for, or a second result, is no answer to what is asked here. */
async function readAnswer(inbox: Inbox, isDeprecated: boolean): Promise<(string | null)[][]> {
  const first = await packet(inbox);
  if (first[0] === OK) return [];
  if (first[0] === NULL) throw malformed('the target asks for a file of the gateway');
  const width = new Fields(first).number();
  for (let at = 0; at < width; at++) await packet(inbox);
  if (!isDeprecated) await packet(inbox);
  const rows: (string | null)[][] = [];
  let size = 0;
  for (;;) {
    const payload = await packet(inbox);
    // A row whose first value has 2^24 bytes and more begins like that as well, and is refused by its length.
    if (payload[0] === EOF) return rows;
    size += payload.length;
    if (size > MAX_ANSWER_BYTES) throw malformed('the target sent more than the gateway asked for');
    rows.push(cells(new Fields(payload), width));
  }
}

async function packet(inbox: Inbox): Promise<Buffer> {
  const { payload } = await readPacket(inbox, MAX_ROW_BYTES - 1);
  if (payload[0] !== ERR) return payload;
  const { sqlstate, message } = readError(payload);
  throw new QueryError(sqlstate, message);
}

function cells(fields: Fields, width: number): (string | null)[] {
  return Array.from({ length: width }, () => {
    if (fields.next !== NULL) return fields.counted().toString('utf8');
    fields.bytes(1);
    return null;
  });
}
