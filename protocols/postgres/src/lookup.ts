import { type Lookup, QueryError, type Target } from '@sluice/contract';
import { Inbox, Reader, unexpected } from '@sluice/wire';
import { B, F, HEADER, message, readErrorFields } from './messages.js';
import { type Reach, openUpstream } from './upstream.js';

/** Bytes. A message longer than this is not part of what the gateway looks up. */
const MAX_LOOKUP_MESSAGE_BYTES = 64 * 1024 * 1024;

/** No look-up takes as long as this at a target that can be reached; the server's own limits are shorter. */
const MAX_QUERY_MS = 30_000;
/** How long a target may take to close a connection that is not needed any more. */
const MAX_CLOSE_MS = 5_000;

/** @throws UpstreamError when the target cannot be reached or refuses the login */
export async function openLookup(reach: Reach, target: Target): Promise<Lookup> {
  const { stream, major } = await openUpstream(reach, target, new Map());
  const inbox = new Inbox(stream);
  return {
    major,
    query: async (text) => {
      const timer = setTimeout(() => stream.destroy(new Error('the target did not answer in time')), MAX_QUERY_MS);
      try {
        stream.write(message(F.query, text));
        return await readAnswer(inbox);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => {
      inbox.release();
      stream.on('error', () => undefined);
      stream.end(message(F.terminate));
      stream.resume();
      setTimeout(() => stream.destroy(), MAX_CLOSE_MS).unref();
    },
  };
}

async function readAnswer(inbox: Inbox): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  let failure: QueryError | undefined;
  for (;;) {
    const head = await inbox.read(HEADER);
    const size = head.readInt32BE(1) - 4;
    if (size < 0 || size > MAX_LOOKUP_MESSAGE_BYTES) throw unexpected(`the target sent a message of ${size} bytes`);
    const body = await inbox.read(size);
    if (head[0] === B.dataRow) rows.push(cells(new Reader(body)));
    else if (head[0] === B.errorResponse) failure = refusalIn(body);
    else if (head[0] === B.readyForQuery) break;
  }
  if (failure !== undefined) throw failure;
  return rows;
}

function refusalIn(body: Buffer): QueryError {
  const fields = readErrorFields(body);
  return new QueryError(fields.get('C') ?? '', fields.get('M') ?? 'the target reported an error');
}

function cells(body: Reader): (string | null)[] {
  return Array.from({ length: body.int16() & 0xffff }, () => {
    const size = body.int32();
    return size < 0 ? null : body.bytes(size).toString('utf8');
  });
}
