/** Many streams over one link that only one side can dial: frames, credit, fairness, and the messages they carry. */
export type { StreamOpening } from './entry.js';
export * from './dial.js';
export * from './errors.js';
export { FrameDecoder, frame } from './frame.js';
export { MAX_SILENCE_MS, TICK_MS } from './keepalive.js';
export * from './login.js';
export { type Goaway, type Reason, json } from './messages.js';
export type { TunnelStream } from './stream.js';
export * from './target-tls.js';
export type { Transport, TransportEvents } from './transport.js';
export { Tunnel, type TunnelOptions } from './tunnel.js';
export * from './websocket.js';
