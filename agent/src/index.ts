/** The outbound agent: dials the gateway, and connects to what its own allow-list names. */
export { Agent, type AgentOptions, backOff } from './agent.js';
export { AllowList } from './allow.js';
export { RefusedByGateway, checkUrl } from './connect.js';
export { ownKey } from './key.js';
export { ProgramServer, type ProgramLimits } from './program-server.js';
export { Programs } from './programs.js';
export { Secrets } from './secrets.js';
export { checkedCa } from './trouble.js';
