/** `sluice.yaml` to a typed configuration, with the line and column of each mistake. */
export * from './config.js';
export { loadConfig, type Loaded, type Locate, parseConfig } from './load.js';
export { isExposed, jsonSchema } from './schema.js';
export { Secret, parseDuration } from './values.js';
