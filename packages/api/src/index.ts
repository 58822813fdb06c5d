/** The control API in types and schemas, for the gateway that answers and for those who read the answers. */
export * from './answers/index.js';
export { VERSION } from './version.js';
