import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import {
  type StreamOpening,
  type Transport,
  type TransportEvents,
  Tunnel,
  type TunnelOptions,
  type TunnelStream,
} from '../src/index.js';

/** One end of a link in memory. Bytes arrive in a later turn, cut by `cut`; `held` keeps them from leaving. */
export class End implements Transport {
  pending = 0;
  readonly sent: Buffer[] = [];
  closedWith: string | undefined;
  held = false;
  peer: End | undefined;
  cut: (bytes: Buffer) => Buffer[] = (bytes) => [bytes];
  #events: TransportEvents | undefined;

  attach(events: TransportEvents): void {
    this.#events = events;
  }

  send(parts: readonly Buffer[]): void {
    for (const part of parts) {
      this.sent.push(part);
      this.pending += part.length;
      if (!this.held) setImmediate(() => this.#leave(part));
    }
  }

  close(reason: string): void {
    this.closedWith = reason;
    setImmediate(() => this.peer?.lose(reason));
  }

  lose(reason: string): void {
    this.#events?.closed(reason);
  }

  receive(bytes: Buffer): void {
    this.#events?.receive(bytes);
  }

  #leave(part: Buffer): void {
    for (const piece of this.cut(part)) this.peer?.receive(piece);
    this.pending -= part.length;
    this.#events?.drained();
  }
}

export interface Pair {
  /** Asks for streams. */
  readonly near: Tunnel;
  readonly far: Tunnel;
  readonly ends: readonly [End, End];
  /** What the far end was asked, in order. */
  readonly asked: StreamOpening[];
}

export function openPair(options: Partial<TunnelOptions> = {}, answer: (opening: StreamOpening) => void = echo): Pair {
  const ends = [new End(), new End()] as const;
  [ends[0].peer, ends[1].peer] = [ends[1], ends[0]];
  const asked: StreamOpening[] = [];
  const far = new Tunnel({
    transport: ends[1],
    peer: 'the near end',
    onOpen: (opening) => {
      asked.push(opening);
      answer(opening);
    },
    ...options,
  });
  return { near: new Tunnel({ transport: ends[0], peer: 'the far end', ...options }), far, ends, asked };
}

/** Sends back what comes, and ends when the other side does. */
export function echo(opening: StreamOpening): void {
  const stream = opening.accept(Buffer.from('yes'));
  stream?.pipe(stream);
}

/** Accepts and keeps the stream, unread. */
export function keep(into: TunnelStream[]): (opening: StreamOpening) => void {
  return (opening) => {
    const stream = opening.accept(Buffer.alloc(0));
    if (stream) into.push(stream);
  };
}

/** Everything up to the end of a stream. */
export async function all(stream: Duplex): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  await once(stream, 'end');
  return Buffer.concat(parts);
}
