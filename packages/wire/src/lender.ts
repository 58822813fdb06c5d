/** Sockets that lend what they read, into memory that is used again. Owns: that memory. */
import { type Socket, type IpcSocketConnectOpts, type TcpSocketConnectOpts, connect } from 'node:net';

/**
 * What becomes of a chunk's memory after the call: it is free at once, or by the time the stream is resumed (which the
 * receiver has paused), or somebody keeps it.
 */
export type Loan = 'free' | 'paused' | 'kept';

/**
 * A stream that can lend what it reads, and then reads into the same memory again. Nothing is allocated for a read,
 * which is what keeps the garbage collector out of bulk results.
 */
export interface Lender {
  /** From now on chunks come by `receive` and no longer by 'data'; what was read before comes first. */
  lend(receive: (chunk: Buffer) => Loan): void;
}

export const isLender = (stream: object): stream is Lender => 'lend' in stream;

/**
 * Bytes. An idle session keeps the smallest one, into which most answers fit; behind a read that fills one the next comes into one of the next size,
 * as long as that pays.
 */
const BUFFER_BYTES = [2 * 1024, 16 * 1024, 256 * 1024] as const;
/** Of each size but the smallest, those that nobody reads into at the moment. */
const spares: readonly Buffer[][] = BUFFER_BYTES.map(() => []);
const MAX_SPARE_BUFFERS = 4;

/**
 * Connects like `net.connect`, with a socket that can lend its reads (`onread` of `net.Socket`). Until `lend` is called
 * it is an ordinary stream.
 */
export function connectLender(options: TcpSocketConnectOpts | IpcSocketConnectOpts): Socket & Lender {
  let small: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES[0]);
  /** The size of `larger`, by its place in `BUFFER_BYTES`; 0: there is none. */
  let place = 0;
  let larger: Buffer | undefined;
  let receive: ((chunk: Buffer) => Loan) | undefined;

  const next = (size: number, loan: Loan): void => {
    if (loan === 'paused') return;
    if (loan === 'kept') {
      if (larger) larger = undefined;
      else small = Buffer.allocUnsafeSlow(BUFFER_BYTES[0]);
    }
    // As large as the last read would have filled.
    let wanted = 0;
    while (wanted < BUFFER_BYTES.length - 1 && size >= (BUFFER_BYTES[wanted] as number)) wanted++;
    if (wanted !== place && larger) {
      const others = spares[place] as Buffer[];
      if (others.length < MAX_SPARE_BUFFERS) others.push(larger);
      larger = undefined;
    }
    place = wanted;
    if (wanted > 0) larger ??= spares[wanted]?.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES[wanted] as number);
  };
  const socket: Socket = connect({
    ...options,
    onread: {
      buffer: () => larger ?? small,
      callback: (size): boolean => {
        const chunk = (larger ?? small).subarray(0, size);
        if (!receive) return socket.push(Buffer.from(chunk));
        next(size, receive(chunk));
        return true;
      },
    },
  });
  return Object.assign(socket, {
    lend(to: (chunk: Buffer) => Loan): void {
      receive = to;
      socket.on('data', to);
    },
  });
}
