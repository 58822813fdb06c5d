/** Messages of gRPC, by the descriptors of their types: as rules see them, and with what rules mask replaced as they pass. Pure. */
export { GrpcCalls, legible, plainCall, unmaskable } from './call.js';
export { Descriptors } from './descriptors.js';
