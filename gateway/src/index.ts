/** What the demo, and other programs that run a gateway in their own process, need of it. */
export { start, untilSignal } from './commands/up.js';
export { readConfiguration } from './configuration.js';
export { Gateway } from './gateway.js';
export { ListenError } from './listener.js';
export { operatorLog } from './operator-log.js';
export { writePrivate } from './private-files.js';
export { reloadFrom } from './reload.js';
export { ROOT } from './root.js';
