/** Ports, and bounds for whoever comes to them and has proven nothing. */
export { type ServerTls, TLS_SETTINGS, selfSigned, serverTls } from './certificate.js';
export { HandshakeTurns, takeTurns } from './handshakes.js';
export { ListenError, listening, placeOf } from './listen.js';
export { Places } from './places.js';
export { ProvenSockets } from './proven-sockets.js';
export { type Stranger, StrangerSockets } from './sockets.js';
export { type ClientTls, inWords, secureClient } from './tls.js';
export { fitting, maxOpenFiles } from './descriptors.js';
export { LoginLimits } from './login-limits.js';
