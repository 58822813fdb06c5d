/** Questions of the gateway's own to a target, on a connection of their own. Owns their time. Does not own the login (`upstream.ts`). */
import { type Lookup, QueryError, type Target } from '@sluice/contract';
import { Inbox, unexpected } from '@sluice/wire';
import { serialize } from 'pg-protocol';
import { DatabaseError, ReadyForQueryMessage } from 'pg-protocol/dist/messages.js';
import { B } from './messages.js';
import { ManyMessages, parsed, textsOf } from './target-messages.js';
import { type Reach, openUpstream } from './upstream.js';

/** Bytes. A message longer than this is not part of what the gateway looks up. */
const MAX_LOOKUP_MESSAGE_BYTES = 64 * 1024 * 1024;
/** Of one answer, in bytes: a catalog of a million columns has less. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/** No look-up takes as long as this at a target that can be reached; the server's own limits are shorter. */
const MAX_QUERY_MS = 30_000;
/** How long a target may take to close a connection that is not needed any more. */
const MAX_CLOSE_MS = 5_000;

/** @throws UpstreamError when the target cannot be reached or refuses the login */
export async function openLookup(reach: Reach, target: Target): Promise<Lookup> {
  const { stream, major } = await openUpstream(reach, target, new Map());
  const inbox = new Inbox(stream);
  const messages = new ManyMessages(inbox, MAX_LOOKUP_MESSAGE_BYTES);
  return {
    major,
    query: async (text) => {
      const timer = setTimeout(() => stream.destroy(new Error('the target did not answer in time')), MAX_QUERY_MS);
      try {
        stream.write(serialize.query(text));
        return await readAnswer(messages);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => {
      inbox.release();
      stream.on('error', () => undefined);
      stream.end(serialize.end());
      stream.resume();
      setTimeout(() => stream.destroy(), MAX_CLOSE_MS).unref();
    },
  };
}

async function readAnswer(messages: ManyMessages): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  let failure: QueryError | undefined;
  for (let left = MAX_ANSWER_BYTES; ; ) {
    await messages.arrived();
    for (let next = messages.take(); next; next = messages.take()) {
      left -= next.whole.length;
      if (left < 0) throw unexpected('the target sent more than a look-up can need');
      if (next.tag === B.dataRow) {
        rows.push(textsOf(next.body));
        continue;
      }
      const message = parsed(next);
      if (message instanceof DatabaseError) failure = new QueryError(message.code ?? '', message.message);
      else if (message instanceof ReadyForQueryMessage) {
        if (failure !== undefined) throw failure;
        return rows;
      }
    }
  }
}
