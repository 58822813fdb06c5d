/** The console's listener: the pages, logins with a browser, and what of the control API people use. */
export { type Console, openConsole } from './server.js';
