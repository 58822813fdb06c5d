/** The control API: its routes, and what it needs of the gateway. */
export { toRow } from './approval-row.js';
export type { Controlled, Readiness } from './controlled.js';
export { UnusableConfiguration } from './controlled.js';
export { apiDocument } from './document.js';
export { explainShell } from './explain.js';
export { MAX_REQUESTS_AT_ONCE, MAX_REQUESTS_PER_SECOND, RequestRates } from './rates.js';
export { type Revoked, Revocations } from './revocations.js';
export type { App } from './routes.js';
export { type Control, addRoutes, openControl } from './server.js';
export { Streams } from './streams.js';
