/** Agents, as the gateway has them: the port that they dial, which of them is connected, and targets behind them. */
export { Agents } from './agents.js';
export { dialVia, secureVia } from './dial.js';
export { type AgentListener, listenForAgents } from './listener.js';
