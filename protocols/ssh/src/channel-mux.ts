/**
 * The connection protocol (RFC 4254) with one peer. Owns: which number is which channel. Does not: what channels do
 * (channel.ts).
 */
import { SshFields } from '@sluice/keys';
import {
  Channel,
  type ChannelConnection,
  type ChannelEvents,
  type MessageTransport,
  NOBODY,
  MAX_PACKET_DATA_BYTES,
  type Peer,
  WINDOW_BYTES,
} from './channel.js';
import { Disconnect, M, OpenFailure } from './messages.js';
import { TOO_MANY_CHANNELS } from './words.js';

/** Channels of one connection, in either direction, that are open or asked for. */
const MAX_CHANNELS = 100;
/** Global requests that wait for their answers. */
const MAX_REQUESTS = 64;

/** A channel that the peer asks for: answer it once. */
export interface ChannelOpening {
  readonly type: string;
  /** The bytes behind the fields that all kinds have. */
  readonly details: Buffer;
  accept(events: ChannelEvents): Channel;
  refuse(reason: number, text: string): void;
}

export interface MuxEvents {
  opening(opening: ChannelOpening): void;
  /** Answered in the order in which they came, whatever the order of the answers. */
  globalRequest(name: string, details: Buffer, answer: (success: boolean, details?: Uint8Array) => void): void;
  /** The peer broke the protocol, and is told so. */
  broken(why: string): void;
}

/** The connection protocol (RFC 4254) with one of the two peers: which numbers are which channels. */
export class ChannelMux implements ChannelConnection {
  readonly transport: MessageTransport;
  readonly #events: MuxEvents;
  readonly #channels = new Map<number, Channel>();
  readonly #openings = new Map<number, OpeningEvents>();
  /** Numbers that the peer's own wishes will get, if they are granted. */
  readonly #reserved = new Set<number>();
  readonly #answers: { reply: (() => void) | undefined }[] = [];
  #awaiting: ((success: boolean, details: Buffer) => void)[] = [];
  #next = 0;
  #firstToFlush = 0;

  constructor(transport: MessageTransport, events: MuxEvents) {
    this.transport = transport;
    this.#events = events;
  }

  get channels(): number {
    return this.#channels.size;
  }

  /** One message of the connection protocol. */
  receive(payload: Buffer): void {
    const type = payload[0] as number;
    const fields = new SshFields(payload.subarray(1));
    switch (type) {
      case M.globalRequest:
        return this.#globalRequest(fields);
      case M.requestSuccess:
      case M.requestFailure:
        return this.#awaiting.shift()?.(type === M.requestSuccess, fields.rest());
      case M.channelOpen:
        return this.#opening(fields);
      case M.openConfirmation:
        return this.#confirmed(fields);
      case M.openFailure: {
        const number = fields.uint32();
        const opening = this.#openings.get(number);
        this.#openings.delete(number);
        return opening?.refused(fields.uint32(), fields.string().toString('utf8'));
      }
    }
    if (type < M.windowAdjust || type > M.channelFailure) return;
    const channel = this.#channels.get(fields.uint32());
    if (channel) channel.receive(type, fields);
    else if (type !== M.windowAdjust) this.broken('a message for a channel that is not open');
  }

  /** Asks the peer for a channel. What `opened` returns hears of it from then on. */
  open(type: string, details: Uint8Array, opening: OpeningEvents): void {
    const number = this.#number();
    if (number === undefined) return opening.refused(OpenFailure.shortage, 'too many channels');
    this.#openings.set(number, opening);
    this.transport.send(M.channelOpen, type, number, WINDOW_BYTES, MAX_PACKET_DATA_BYTES, { raw: details });
  }

  globalRequest(name: string, details: Uint8Array, answered?: (success: boolean, details: Buffer) => void): void {
    if (answered && this.#awaiting.length >= MAX_REQUESTS) return answered(false, Buffer.alloc(0));
    if (answered) this.#awaiting.push(answered);
    this.transport.send(M.globalRequest, name, answered !== undefined, { raw: details });
  }

  /** Gives each channel its turn; which one is first changes. */
  flush(): void {
    const all = [...this.#channels.values()];
    this.#firstToFlush++;
    for (let i = 0; i < all.length && !this.transport.full; i++) all[(i + this.#firstToFlush) % all.length]?.flush();
  }

  forget(channel: Channel): void {
    this.#channels.delete(channel.local);
  }

  /** The peer is gone, and everything with it. */
  lost(): void {
    for (const channel of this.#channels.values()) channel.lost();
    this.#channels.clear();
    const openings = [...this.#openings.values()];
    this.#openings.clear();
    for (const one of openings) one.refused(OpenFailure.connectFailed, 'the connection is gone');
    const awaiting = this.#awaiting;
    this.#awaiting = [];
    for (const answered of awaiting) answered(false, Buffer.alloc(0));
  }

  broken(why: string): void {
    // First: the end of the connection says less of why.
    this.#events.broken(why);
    this.transport.disconnect(Disconnect.protocolError, why);
  }

  #globalRequest(fields: SshFields): void {
    const name = fields.string().toString('latin1');
    const wantReply = fields.boolean();
    const slot: { reply: (() => void) | undefined } = { reply: undefined };
    if (wantReply) {
      if (this.#answers.length >= MAX_REQUESTS) return this.broken('too many global requests at once');
      this.#answers.push(slot);
    }
    this.#events.globalRequest(name, Buffer.from(fields.rest()), (success, details) => {
      if (!wantReply || slot.reply) return;
      slot.reply = () =>
        success
          ? this.transport.send(M.requestSuccess, { raw: details ?? Buffer.alloc(0) })
          : this.transport.send(M.requestFailure);
      while (this.#answers[0]?.reply) this.#answers.shift()?.reply?.();
    });
  }

  #opening(fields: SshFields): void {
    const type = fields.string().toString('latin1');
    const peer: Peer = { channel: fields.uint32(), window: fields.uint32(), packet: fields.uint32() };
    const refuse = (reason: number, text: string): void =>
      this.transport.send(M.openFailure, peer.channel, reason, text, '');
    const number = peer.packet > 0 ? this.#number() : undefined;
    if (number === undefined) return refuse(OpenFailure.shortage, TOO_MANY_CHANNELS);
    // The number is taken from now on, or a peer that never waits could ask for more than there may be.
    this.#reserved.add(number);
    this.#events.opening({
      type,
      details: Buffer.from(fields.rest()),
      accept: (events) => {
        this.#reserved.delete(number);
        const channel = new Channel(this, number, peer, events);
        this.#channels.set(number, channel);
        this.transport.send(M.openConfirmation, peer.channel, number, WINDOW_BYTES, MAX_PACKET_DATA_BYTES);
        return channel;
      },
      refuse: (reason, text) => {
        if (this.#reserved.delete(number)) refuse(reason, text);
      },
    });
  }

  #confirmed(fields: SshFields): void {
    const number = fields.uint32();
    const opening = this.#openings.get(number);
    if (!opening) return this.broken('a confirmation of a channel that nobody asked for');
    this.#openings.delete(number);
    const peer: Peer = { channel: fields.uint32(), window: fields.uint32(), packet: fields.uint32() };
    if (peer.packet === 0) return this.broken('a channel without room for data');
    const channel = new Channel(this, number, peer, NOBODY);
    this.#channels.set(number, channel);
    channel.events = opening.opened(channel);
  }

  #number(): number | undefined {
    if (this.#channels.size + this.#openings.size + this.#reserved.size >= MAX_CHANNELS) return undefined;
    do this.#next = (this.#next + 1) % 0x7fff_ffff;
    while (this.#channels.has(this.#next) || this.#openings.has(this.#next) || this.#reserved.has(this.#next));
    return this.#next;
  }
}

/** What becomes of a channel that was asked for. */
export interface OpeningEvents {
  opened(channel: Channel): ChannelEvents;
  refused(reason: number, text: string): void;
}
