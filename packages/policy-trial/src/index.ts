/** Rules and migrations tried without a gateway: `sluice policy test` and `sluice policy lint`. */
export { testPolicy } from './cases.js';
export { type LintOptions, lintFiles } from './lint.js';
export { printRows } from './rows.js';
