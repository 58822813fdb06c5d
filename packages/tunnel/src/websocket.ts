/** A WebSocket as the transport of a tunnel. Owns: messages, masks and closing. */
import { WebSocket } from 'ws';
import { MAX_PAYLOAD_BYTES } from './frame.js';
import type { Transport, TransportEvents } from './transport.js';

/** Parts shorter than this are joined: a message costs more than copying them. Bytes. */
const JOINED_PART_BYTES = 4096;
/** Time that a peer has for its half of the closing handshake, in milliseconds. */
const CLOSING_MS = 1_000;

/** No compression (secrets and what others choose must not share it), and no message that a frame could not be. */
export const WEBSOCKET_LIMITS = { perMessageDeflate: false, maxPayload: 2 * MAX_PAYLOAD_BYTES } as const;

/**
 * A client has to mask what it sends, so that a script cannot make a proxy between see a request (RFC 6455 section 10.3).
 * Here everything is inside TLS, or on loopback, and no script chooses the frames; so the key is zero, which is a valid key,
 * and masking costs nothing.
 */
export const withoutMask = (mask: Buffer): void => void mask.fill(0);

/**
 * A WebSocket that is open, as the transport of a tunnel. Text messages end it.
 *
 * @param early binary messages that were read from it already
 */
export function webSocketTransport(socket: WebSocket, early: readonly Buffer[] = []): Transport {
  let pending = 0;
  let events: TransportEvents | undefined;

  const send = (bytes: Buffer): void => {
    pending += bytes.length;
    socket.send(bytes, SEND, () => {
      pending -= bytes.length;
      events?.drained();
    });
  };

  return {
    get pending() {
      return pending;
    },
    send(parts) {
      if (socket.readyState !== WebSocket.OPEN) return;
      let small: Buffer[] = [];
      const flush = (): void => {
        if (small.length > 0) send(small.length === 1 ? (small[0] as Buffer) : Buffer.concat(small));
        small = [];
      };
      for (const part of parts) {
        if (part.length < JOINED_PART_BYTES) small.push(part);
        else {
          flush();
          send(part);
        }
      }
      flush();
    },
    close(reason) {
      socket.close(CLOSE_POLICY_VIOLATION, closingWords(reason));
      setTimeout(() => socket.terminate(), CLOSING_MS).unref();
    },
    attach(given) {
      events = given;
      queueMicrotask(() => early.forEach((bytes) => given.receive(bytes)));
      let error: Error | undefined;
      socket.on('message', (data, isBinary) => {
        if (isBinary) given.receive(data as Buffer);
        else socket.close(CLOSE_POLICY_VIOLATION, 'a text message in the middle of a tunnel');
      });
      socket.on('error', (cause) => {
        error = cause;
      });
      socket.on('close', (code, reason) => {
        given.closed(reason.length > 0 ? reason.toString() : (error?.message ?? `the link broke (code ${code})`));
      });
    },
  };
}

const SEND = { binary: true, compress: false } as const;
/** 1008 of RFC 6455 section 7.4.1; the words say which policy. */
const CLOSE_POLICY_VIOLATION = 1008;

/** At most 123 bytes (RFC 6455 section 5.5), cut between characters. */
function closingWords(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}
