/** The control API: its routes, and what it needs of the gateway. */
export { toRow } from './approval-row.js';
export { type Entry, admitCallers } from './callers.js';
export { contentPolicy } from './content-policy.js';
export type { Controlled, Readiness } from './controlled.js';
export { UnusableConfiguration } from './controlled.js';
export { Day } from './day.js';
export { apiDocument } from './document.js';
export { Events } from './events.js';
export { explainShell } from './explain.js';
export { OPEN } from './openapi.js';
export { MAX_REQUESTS_AT_ONCE, MAX_REQUESTS_PER_SECOND, RequestRates } from './rates.js';
export { type Revoked, Revocations } from './revocations.js';
export { type App, ControlError } from './routes.js';
export { type Control, addRoutes, addRoutesForPeople, answerProblems, openControl } from './server.js';
export { Streams } from './streams.js';
export { HEADERS, type Sockets, watchSockets } from './strangers.js';
export { refuseAddress, refuseBytes } from './unreadable.js';
