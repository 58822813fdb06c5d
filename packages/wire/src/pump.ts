/** Runs a conversation over its two streams. Owns: when each side is read, and when a client is written to. Does not: know what passes. */
import type { Duplex } from 'node:stream';
import { LARGE_WRITE_BYTES } from './arena.js';
import type { Conversation, Side, Wires } from './conversation.js';
import { type Loan, isLender } from './lender.js';
import { Rest } from './rest.js';
import { atTurnEnd } from './turn.js';

/** How long a peer may take to accept the last bytes before it is cut off, in milliseconds. */
const LINGER_MS = 5_000;
/**
 * Bytes for a client that wait for the end of the turn: one that is awake by then, because others were written to, costs a fraction of one that
 * has to be woken. More is worth a write of its own.
 */
const MAX_LATE_BYTES = 4 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Runs a conversation over its two streams until it is finished or both are gone.
 *
 * Reading is the only thing that waits (pgbouncer's rule): a side is read while the conversation wants its bytes and
 * nobody they could end up at is full. Client bytes can come back as a refusal, so they wait for both sides; target bytes
 * only ever reach the client. The asymmetry matters: a full target must not stop us from reading it, or a client that
 * pipelines and a busy server wait for each other for ever.
 */
export function pump(client: Duplex, upstream: Duplex, converse: (wires: Wires) => Conversation): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const ends: Readonly<Record<Side, End>> = {
    client: endOf('client', client, () => updateReading()),
    upstream: endOf('upstream', upstream, () => updateReading()),
  };
  const both = [ends.client, ends.upstream] as const;
  /** The client's bytes lie in memory that is read into again. */
  const lent = isLender(client);
  let finishing = false;
  /** Bytes of the chunk that is being received still wait in a stream, and reading goes on all the same. */
  let kept = false;
  /** The memory of that chunk. */
  let received: ArrayBufferLike | undefined;

  /** What goes to the client while a chunk is taken: it leaves in one write. */
  let gathered: Uint8Array[] | undefined;

  const write = (to: End, pieces: readonly Uint8Array[]): void => {
    const { stream } = to;
    if (to.gone || stream.destroyed || stream.writableEnded) return;
    if (!writeAll(stream, pieces)) to.full = true;
    else if (stream.writableLength > 0) {
      // While much waits in a stream, reading waits too; for less, it goes on in other memory. Nobody reads again into
      // what goes to the target, unless the client lends: the arena is for clients.
      if (to.side === 'upstream' && !lent) return;
      if (bytesOf(pieces) < LARGE_WRITE_BYTES) kept ||= pieces.some(({ buffer }) => buffer === received);
      else {
        to.full = true;
        whenWritten(to);
      }
    }
  };
  /** What goes to the client at the end of the turn. What is sent there before goes behind it. */
  let late: Uint8Array[] = [];
  let lateBytes = 0;

  const sendLate = (): void => {
    if (late.length === 0) return;
    const pieces = late;
    late = [];
    lateBytes = 0;
    write(ends.client, pieces);
  };
  const sendGathered = (): void => {
    const pieces = gathered;
    gathered = undefined;
    if (!pieces || pieces.length === 0) return;
    const size = bytesOf(pieces);
    if (lateBytes + size > MAX_LATE_BYTES) {
      sendLate();
      return write(ends.client, pieces);
    }
    if (late.length === 0) atTurnEnd(endTurn);
    lateBytes += size;
    // The memory of the chunk is read into again.
    for (const piece of pieces) late.push(piece.buffer === received ? Buffer.from(piece) : piece);
  };
  const endTurn = (): void => {
    sendLate();
    if (ends.client.full) updateReading();
  };

  const wires: Wires = {
    send(to, bytes) {
      if (to === 'upstream') {
        write(ends.upstream, [bytes]);
        return;
      }
      if (gathered) {
        gathered.push(bytes);
        return;
      }
      sendLate();
      write(ends.client, [bytes]);
    },
    flushed(to) {
      sendGathered();
      sendLate();
      const { stream, gone } = ends[to];
      const { promise: left, resolve: done } = Promise.withResolvers<void>();
      if (gone || stream.destroyed || stream.writableEnded) done();
      else stream.write(NOTHING, () => done());
      return left;
    },
    finish() {
      if (finishing) return;
      finishing = true;
      sendGathered();
      sendLate();
      for (const { stream, gone } of both) if (!gone) stream.end();
      linger = setTimeout(() => both.forEach(({ stream }) => stream.destroy()), LINGER_MS);
      linger.unref();
      updateReading();
    },
    wake: () => updateReading(),
  };
  /** A stream that has room says nothing when it has written what it had; an empty write behind that does. */
  const whenWritten = (to: End): void => {
    const { stream } = to;
    stream.write(NOTHING, () => {
      if (stream.writableLength > 0 && !stream.writableEnded) whenWritten(to);
      else emptied(to);
    });
  };
  const emptied = (end: End): void => {
    end.full = false;
    updateReading();
  };
  let linger: NodeJS.Timeout | undefined;
  const conversation = converse(wires);

  const updateReading = (): void => {
    const { client: front, upstream: back } = ends;
    if (front.gone && back.gone) {
      clearTimeout(linger);
      for (const { rest } of both) rest.end();
      return resolve();
    }
    flow(back, !front.full && conversation.wants('upstream'), front.full);
    flow(front, !front.full && !back.full && conversation.wants('client'), back.full);
  };

  const flow = (end: End, wanted: boolean, otherIsFull: boolean): void => {
    // While finishing, what still arrives is read and dropped: a socket with unread bytes answers its close with a reset.
    // Not into memory that holds the last bytes for the other side.
    const read = (wanted && !end.rest.isDue) || (finishing && !otherIsFull);
    if (end.gone || read !== end.paused) return;
    end.paused = !read;
    if (read) end.stream.resume();
    else end.stream.pause();
  };

  const attach = (end: End): void => {
    const { side, stream, rest } = end;
    const receive = (chunk: Buffer): Loan => {
      if (finishing) return 'free';
      kept = false;
      received = chunk.buffer;
      gathered = [];
      try {
        conversation.receive(side, chunk);
      } finally {
        sendGathered();
      }
      rest.read(chunk.length);
      updateReading();
      return kept ? 'kept' : end.paused ? 'paused' : 'free';
    };
    if (isLender(stream)) stream.lend(receive);
    else stream.on('data', receive);
    stream.on('drain', () => emptied(end));
    stream.on('finish', () => emptied(end));
    let over = false;
    const leave = (error?: Error): void => {
      if (over) return;
      over = true;
      if (!finishing) conversation.ended(side, error);
      updateReading();
    };
    stream.on('error', leave);
    stream.on('end', () => leave());
    stream.on('close', () => {
      end.gone = true;
      end.full = false;
      leave();
      updateReading();
    });
    if (stream.destroyed) queueMicrotask(() => stream.emit('close'));
    stream.pause();
  };

  for (const end of both) attach(end);
  updateReading();
  return promise;
}

/** One of the two streams. Looked at several times for each chunk: its fields are read by no name that is computed. */
interface End {
  readonly side: Side;
  readonly stream: Duplex;
  readonly rest: Rest;
  /** It takes no more at the moment. */
  full: boolean;
  /** It is not being read. */
  paused: boolean;
  gone: boolean;
}

const endOf = (side: Side, stream: Duplex, rested: () => void): End => ({
  side,
  stream,
  rest: new Rest(rested),
  full: false,
  paused: true,
  gone: false,
});

const bytesOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** In one write, however many pieces there are. False: the stream wants no more until it has drained. */
function writeAll(stream: Duplex, pieces: readonly Uint8Array[]): boolean {
  if (pieces.length === 1) return stream.write(pieces[0]);
  let room = true;
  stream.cork();
  for (const piece of pieces) room = stream.write(piece);
  stream.uncork();
  return room;
}
