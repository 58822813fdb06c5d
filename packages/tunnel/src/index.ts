/** Many streams over one link that only one side can dial: frames, credit, fairness, and the messages they carry. */
export type { Opening } from './entry.js';
export * from './errors.js';
export { FrameDecoder, HEADER, LONGEST, frame } from './frame.js';
export { SILENCE, TICK } from './keepalive.js';
export type { Goaway, Reason } from './messages.js';
export type { TunnelStream } from './stream.js';
export type { Transport, TransportEvents } from './transport.js';
export { Tunnel, type TunnelOptions } from './tunnel.js';
export * from './websocket.js';
