/** One end of a channel. Owns: windows, order and bounds. Does not: what it is for (session-channel.ts, forwarding.ts). */
import { type SshField, SshFields, pack } from '@sluice/keys';
import { SendQueue } from './send-queue.js';
import { M, STDERR } from './messages.js';
import type { Transport } from './transport.js';

/** What a peer may send before more is granted, in bytes: OpenSSH's own window. */
export const WINDOW_BYTES = 2 * 1024 * 1024;
/** The data of one packet that a peer may send us, in bytes. ssh2 takes packets of 35 000. */
export const MAX_PACKET_DATA_BYTES = 32 * 1024;
const MAX_WINDOW_BYTES = 2 ** 32 - 1;
/** Requests of ours that a peer has not answered. */
const MAX_UNANSWERED = 64;

/** What the connection protocol needs of the connection under it, which a `Transport` is. */
export type MessageTransport = Pick<Transport, 'send' | 'data' | 'disconnect' | 'hold' | 'full' | 'over' | 'reading'>;

/** What a channel needs of the connection that it is in. */
export interface ChannelConnection {
  readonly transport: MessageTransport;
  /** The channel is over: its number is free. */
  forget(channel: Channel): void;
  /** The peer has broken the protocol: `what` it sent. */
  broken(what: string): void;
}

/** What the owner of a channel hears of its peer. */
export interface ChannelEvents {
  /** `type` 0: data; else extended data of that type. Valid during the call only. Give `consumed` what was dealt with. */
  data(bytes: Buffer, type: number): void;
  eof(): void;
  /** `details` are the bytes behind the fields that all requests have. */
  request(name: string, wantReply: boolean, details: Buffer): void;
  /** Bytes of `write` have left, by type. */
  sent?(bytes: number): void;
  /** Nothing more comes from the peer, on this channel or altogether. Called once. */
  closed(): void;
}

/** One end of a channel (RFC 4254 section 5): between the gateway and one of its two peers. */
export class Channel {
  readonly local: number;
  events: ChannelEvents;
  readonly #mux: ChannelConnection;
  #remote: number;
  #sendWindow: number;
  #sendPacket: number;
  #receiveWindow = WINDOW_BYTES;
  #consumed = 0;
  readonly #queue = new SendQueue();
  #peerEof = false;
  #eofSent = false;
  #closeSent = false;
  #closing = false;
  #gone = false;
  #awaiting: ((success: boolean) => void)[] = [];

  constructor(mux: ChannelConnection, local: number, peer: Peer, events: ChannelEvents) {
    this.#mux = mux;
    this.local = local;
    this.#remote = peer.channel;
    this.#sendWindow = peer.window;
    this.#sendPacket = Math.min(peer.packet, MAX_PACKET_DATA_BYTES);
    this.events = events;
  }

  /** Bytes that wait to be sent. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Nothing more can be written. */
  get closed(): boolean {
    return this.#gone || this.#closing;
  }

  /** Keeps what cannot be sent now. Whoever calls does not call more than its own peer has window for. */
  write(bytes: Buffer, type = 0): void {
    if (this.closed || this.#eofSent || bytes.length === 0) return;
    let from = 0;
    if (this.#queue.empty) {
      for (let room = this.#room(); from < bytes.length && room > 0; room = this.#room()) {
        const end = Math.min(bytes.length, from + room);
        this.#send(bytes.subarray(from, end), type);
        from = end;
      }
    }
    if (from < bytes.length) this.#queue.add(from === 0 ? bytes : bytes.subarray(from), type);
  }

  /** Behind all that was written. */
  eof(): void {
    this.#inOrder(() => {
      if (this.#eofSent || this.#closeSent) return;
      this.#eofSent = true;
      this.#mux.transport.send(M.eof, this.#remote);
    });
  }

  /** Behind all that was written: what a program's end says. */
  later(name: string, details: Uint8Array): void {
    this.#inOrder(() => this.#request(name, false, details));
  }

  /** At once, whatever waits: a signal, a change of the window's size. */
  request(name: string, details: Uint8Array, answered?: (success: boolean) => void): void {
    if (this.closed) return answered?.(false);
    if (answered && this.#awaiting.length >= MAX_UNANSWERED) return answered(false);
    if (answered) this.#awaiting.push(answered);
    this.#request(name, answered !== undefined, details);
  }

  reply(success: boolean): void {
    if (!this.#closeSent) this.#mux.transport.send(success ? M.channelSuccess : M.channelFailure, this.#remote);
  }

  /** Behind all that was written, unless `now`. */
  close(now = false): void {
    if (this.#closing && !now) return;
    this.#closing = true;
    if (now) for (const act of this.#queue.dropBytes()) act();
    this.#inOrder(() => {
      if (this.#closeSent) return;
      this.#closeSent = true;
      this.#mux.transport.send(M.close, this.#remote);
      if (this.#gone) this.#mux.forget(this);
    });
  }

  /** The owner is done with these bytes: the peer may send as many more. */
  consumed(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < WINDOW_BYTES / 2 || this.#peerEof || this.#gone || this.#closeSent) return;
    const more = this.#consumed;
    this.#consumed = 0;
    this.#receiveWindow += more;
    this.#mux.transport.send(M.windowAdjust, this.#remote, more);
  }

  /** Sends what waits, as far as there is room. */
  flush(): void {
    if (this.#queue.empty || this.#mux.transport.full) return;
    this.#queue.drain(
      () => this.#room(),
      (bytes, type) => this.#send(bytes, type),
    );
  }

  /** A message for this channel. The recipient's number has been read. */
  receive(type: number, fields: SshFields): void {
    if (this.#gone) return;
    switch (type) {
      case M.windowAdjust: {
        this.#sendWindow += fields.uint32();
        if (this.#sendWindow > MAX_WINDOW_BYTES) return this.#mux.broken('a channel window beyond 2^32 - 1');
        return this.flush();
      }
      case M.data:
      case M.extendedData:
        return this.#receiveData(type === M.data ? 0 : fields.uint32(), fields.string());
      case M.eof:
        if (this.#peerEof) return;
        this.#peerEof = true;
        return this.events.eof();
      case M.close:
        return this.#peerClosed();
      case M.channelRequest: {
        const name = fields.string().toString('latin1');
        const wantReply = fields.boolean();
        return this.events.request(name, wantReply, fields.rest());
      }
      case M.channelSuccess:
      case M.channelFailure:
        return this.#awaiting.shift()?.(type === M.channelSuccess);
    }
  }

  /** The connection is gone. */
  lost(): void {
    this.#closeSent = true;
    this.#peerClosed();
    this.#mux.forget(this);
  }

  /**
   * The peer takes no more data; what says how its program ended is still for it. Its owner closes this side, and when:
   * OpenSSH's client closes as soon as both streams are at their end, which may be before the status is there.
   */
  #peerClosed(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const act of this.#queue.dropBytes()) act();
    const awaiting = this.#awaiting;
    this.#awaiting = [];
    for (const answered of awaiting) answered(false);
    this.events.closed();
    if (this.#closeSent) this.#mux.forget(this);
  }

  #receiveData(type: number, bytes: Buffer): void {
    // RFC 4254 section 5.2. A peer that sends more could otherwise have us keep it without end.
    if (bytes.length > this.#receiveWindow) return this.#mux.broken('data beyond the window of its channel');
    if (this.#peerEof) return this.#mux.broken('data behind the end of its channel');
    this.#receiveWindow -= bytes.length;
    if (bytes.length === 0) return;
    if (type > STDERR || this.closed) return this.consumed(bytes.length);
    this.events.data(bytes, type);
  }

  #room(): number {
    return this.#mux.transport.full || this.#gone ? 0 : Math.min(this.#sendWindow, this.#sendPacket);
  }

  #send(bytes: Buffer, type: number): void {
    this.#sendWindow -= bytes.length;
    this.#mux.transport.data(this.#remote, bytes, type);
    this.events.sent?.(bytes.length);
  }

  #request(name: string, wantReply: boolean, details: Uint8Array): void {
    if (this.#closeSent) return;
    this.#mux.transport.send(M.channelRequest, this.#remote, name, wantReply, { raw: details });
  }

  #inOrder(act: () => void): void {
    if (this.#queue.empty) act();
    else this.#queue.afterwards(act);
  }
}

/** Of a channel that nobody has a use for. */
export const NOBODY: ChannelEvents = {
  data: () => undefined,
  eof: () => undefined,
  request: () => undefined,
  closed: () => undefined,
};

/** How the peer of a channel describes its end. */
export interface Peer {
  readonly channel: number;
  readonly window: number;
  readonly packet: number;
}

/** Fields of a channel request. */
export const details = (...fields: readonly SshField[]): Buffer => pack(...fields);
