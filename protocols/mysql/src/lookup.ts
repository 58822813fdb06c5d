/** Connections of the gateway's own, for looking things up at a target. Owns: asking and reading one answer after the other. */
import { type Lookup, QueryError, type Target } from '@sluice/contract';
import { Inbox, unexpected } from '@sluice/wire';
import { COM, bareCommand, queryPacket } from './commands.js';
import { MAX_PACKET, readPacket } from './packets.js';
import { readError } from './replies.js';
import { Reply } from './reply.js';
import { textRow } from './results.js';
import { MAX_CLOSE_MS, NO_WISHES, type Reach, openUpstream } from './upstream.js';

/** No look-up takes as long as this at a target that can be reached; the server's own limits are shorter. */
const MAX_QUERY_MS = 30_000;
/** Of one answer, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** @throws UpstreamError when the target cannot be reached or refuses the login */
export async function openLookup(reach: Reach, target: Target): Promise<Lookup> {
  const { stream, server } = await openUpstream(reach, target, NO_WISHES);
  const inbox = new Inbox(stream);
  const ask = async (text: string): Promise<(string | null)[][]> => {
    const timer = setTimeout(() => stream.destroy(new Error('the target did not answer in time')), MAX_QUERY_MS);
    try {
      stream.write(queryPacket(text));
      return await readAnswer(inbox);
    } finally {
      clearTimeout(timer);
    }
  };
  let before: Promise<unknown> = Promise.resolve();
  return {
    major: Math.floor(server.version / 10_000),
    query: (text) => {
      // Answers carry no name: each belongs to the question whose turn it is.
      const answer = before.then(() => ask(text));
      before = answer.catch(() => undefined);
      return answer;
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

async function readAnswer(inbox: Inbox): Promise<(string | null)[][]> {
  const reply = new Reply('query', false);
  const rows: (string | null)[][] = [];
  for (let left = MAX_ANSWER_BYTES; ; ) {
    // A row that is longer than one packet is not part of what the gateway looks up.
    const { payload } = await readPacket(inbox, MAX_PACKET - 1);
    left -= payload.length;
    if (left < 0) throw unexpected('the target sent more than a look-up can need');
    if (reply.isRow(payload[0] ?? 0, payload.length)) {
      rows.push(textRow(payload));
      continue;
    }
    const part = reply.take(payload);
    if (part.type === 'error') {
      const { sqlstate, message } = readError(payload);
      throw new QueryError(sqlstate, message);
    }
    if (part.type === 'file') throw unexpected('the target asked for a file');
    if (part.ends) return rows;
  }
}
