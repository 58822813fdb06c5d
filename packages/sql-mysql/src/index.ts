/** The SQL of MySQL and MariaDB: what a text says, and what a statement does. */
export { Unread } from './lexer.js';
export { type Reading, readingOf, unreadable } from './reading.js';
export { rangesOf, statementsOf } from './texts.js';
export type * from './tree.js';
