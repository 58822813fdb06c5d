/** `sluice.yaml` to a typed configuration, with the line and column of each mistake. */
export * from './config.js';
export type { Less } from './less.js';
export { loadConfig, type LessOf, type Loaded, type Locate, parseConfig } from './load.js';
export { PROTOCOLS, isPackaged, protocolNamed } from './protocols/index.js';
export type { Traits } from './protocols/protocol.js';
export { USUAL_CONNECTIONS, jsonSchema } from './schema.js';
export { Secret, parseDuration } from './values.js';
