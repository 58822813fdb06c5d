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

/** Bytes. An idle session keeps the small one; after a read that fills it come large ones, as long as they pay. */
const SMALL_BUFFER_BYTES = 16 * 1024;
const LARGE_BUFFER_BYTES = 256 * 1024;
const spares: Buffer[] = [];
const MAX_SPARE_BUFFERS = 4;

/**
 * Connects like `net.connect`, with a socket that can lend its reads (`onread` of `net.Socket`). Until `lend` is called
 * it is an ordinary stream.
 */
export function connectLender(options: TcpSocketConnectOpts | IpcSocketConnectOpts): Socket & Lender {
  let small: Buffer = Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES);
  let large: Buffer | undefined;
  let receive: ((chunk: Buffer) => Loan) | undefined;

  const next = (size: number, loan: Loan): void => {
    if (loan === 'paused') return;
    if (loan === 'kept') {
      if (large) large = undefined;
      else small = Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES);
    }
    if (size >= SMALL_BUFFER_BYTES) large ??= spares.pop() ?? Buffer.allocUnsafeSlow(LARGE_BUFFER_BYTES);
    else if (large) {
      if (spares.length < MAX_SPARE_BUFFERS) spares.push(large);
      large = undefined;
    }
  };
  const socket: Socket = connect({
    ...options,
    onread: {
      buffer: () => large ?? small,
      callback: (size): boolean => {
        const chunk = (large ?? small).subarray(0, size);
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
