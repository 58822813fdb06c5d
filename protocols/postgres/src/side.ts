import type { Target } from '@sluice/contract';
import { Inbox, Reader, unexpected } from '@sluice/wire';
import { B, F, HEADER, message, readErrorFields } from './messages.js';
import { type Reach, openUpstream } from './upstream.js';

/** A connection of the gateway's own, for looking things up. One query at a time. */
export interface Side {
  readonly major: number;
  /** Runs a text as a simple query; all values come as text. Rejects with the server's message when it fails. */
  query(text: string): Promise<readonly (readonly (string | null)[])[]>;
  close(): void;
}

/** Bytes. A message longer than this is not part of what the gateway looks up. */
const LONGEST = 64 * 1024 * 1024;

/** @throws UpstreamError when the target cannot be reached or refuses the login */
export async function openSide(reach: Reach, target: Target): Promise<Side> {
  const { stream, major } = await openUpstream(reach, target, new Map());
  const inbox = new Inbox(stream);
  return {
    major,
    query: async (text) => {
      stream.write(message(F.query, text));
      return readAnswer(inbox);
    },
    close: () => {
      inbox.release();
      stream.on('error', () => undefined);
      stream.end(message(F.terminate));
      stream.resume();
    },
  };
}

async function readAnswer(inbox: Inbox): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  let failure: string | undefined;
  for (;;) {
    const head = await inbox.read(HEADER);
    const size = head.readInt32BE(1) - 4;
    if (size < 0 || size > LONGEST) throw unexpected(`the target sent a message of ${size} bytes`);
    const body = await inbox.read(size);
    if (head[0] === B.dataRow) rows.push(cells(new Reader(body)));
    else if (head[0] === B.errorResponse) failure = readErrorFields(body).get('M') ?? 'the target reported an error';
    else if (head[0] === B.readyForQuery) break;
  }
  if (failure !== undefined) throw new Error(failure);
  return rows;
}

function cells(body: Reader): (string | null)[] {
  return Array.from({ length: body.int16() & 0xffff }, () => {
    const size = body.int32();
    return size < 0 ? null : body.bytes(size).toString('utf8');
  });
}
