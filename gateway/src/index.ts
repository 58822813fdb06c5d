/** What the demo, and other programs that run a gateway in their own process, need of it. */
export { start, untilSignal } from './commands/up.js';
export { readConfiguration } from './configuration.js';
export { Gateway } from './gateway.js';
export { operatorLog } from '@sluice/audit';
export { writePrivate } from './private-files.js';
export { reloadFrom } from './reload.js';
export { ROOT } from './root.js';
