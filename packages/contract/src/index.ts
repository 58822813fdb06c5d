/** The shared words of Sluice: what a protocol, a rule and a record mean by a command, its facts and a decision. */
export * from './column-names.js';
export * from './command.js';
export * from './decision.js';
export * from './facts.js';
export * from './http.js';
export * from './login.js';
export * from './lookup.js';
export * from './masking.js';
export * from './policy.js';
export * from './protocol.js';
export * from './reasons.js';
export * from './response.js';
export * from './sql.js';
export * from './ssh.js';
export * from './target.js';
export * from './tool.js';
export * from './words.js';
