/**
 * The sentences that SSH says to people: in a program's standard error, in banners, in what ends a connection. Does not: decide
 * anything. Sentences of rules are those of the people who wrote them.
 */
import type { Deny, Refusal } from '@sluice/contract';

/** A refused command, on one or two lines. A command that its own client cancelled names no rule. */
export function commandRefused(deny: Deny): string {
  if (deny.cancelled) return deny.message;
  return `${lineRefused(deny)}${deny.hint === undefined ? '' : `\nsluice: ${deny.hint}`}`;
}

/** A refused line of a terminal. */
export const lineRefused = ({ message, rule }: Deny): string => `${message} (rule "${rule}")`;

/** What is refused beside commands: a forwarded connection, the authentication agent. */
export const refusalInWords = ({ message, hint }: Deny): string => withHint(message, hint);

/** While a command waits for people. */
export const waiting = (sentence: string, hint?: string): string =>
  `${sentence}${hint === undefined ? '' : `\nsluice: ${hint}`}`;

/** While a login waits for people: in a banner, or where a machine is chosen. */
export const withHint = (sentence: string, hint?: string): string =>
  `${sentence}${hint === undefined ? '' : ` ${hint}`}`;

/** A login that was refused. */
export const loginRefused = ({ message, hint }: Refusal): string => withHint(`${message.replace(/\.$/, '')}.`, hint);

const refusal = (message: string): Deny => ({ type: 'deny', rule: 'gateway', message });
export const COMMAND_UNJUDGED = refusal('This command could not be judged, so it was not run.');
export const LINE_UNJUDGED = refusal('This line could not be judged.');
export const REQUEST_UNJUDGED = refusal('This could not be judged, so it was not done.');
export const NO_MACHINE_YET = refusal('No machine has been chosen yet.');
export const NOT_BY_THIS_KEY = refusal('The certificate of this login does not permit it.');

export const notRun = (why: string): string => `This command was not run: ${why}.`;
export const noChannel = (why: string): string => `The target gives no channel for it: ${why}.`;
export const notStarted = (kind: string): string => `The target does not run it (${kind} was refused).`;
export const targetUnreachable = (why: string): string => `The target cannot be reached: ${why}.`;
export const targetBroke = (why: string): string => `The target broke the protocol: ${why}.`;
export const targetLost = (why?: string): string =>
  `The connection to the target is lost${why === undefined ? '' : `: ${why}`}.`;
export const targetEnded = (why?: string): string =>
  `The target ended the connection${why === undefined ? '' : `: ${why}`}.`;

export const DEFECT = 'Something went wrong in the gateway, so this was not run.';
export const UNMASKABLE = 'The output could not be masked, so it ends here.';
export const RECORD_FULL = 'This line has shown as much as is recorded of one, so the terminal ends.';
export const NO_TERMINAL = 'The target gives no terminal.';
export const NO_MORE_SESSIONS = 'No more sessions were wanted.';
export const CLIENT_GONE = 'The client is gone.';
export const UNKNOWN_CHANNEL_TYPE = 'The gateway does not know channels of this type.';
export const NOBODY_ASKED = 'Nobody asked for this.';
export const TARGET_LOGIN_REFUSED = 'The target does not accept the login of the gateway.';
export const TARGET_TOO_SLOW = 'The target takes too long to log in to.';
export const NO_SSH_TARGET = 'This connection is none for SSH.';
export const TOO_MANY_CHANNELS = 'The gateway gives no more channels to one connection.';
export const TOO_MANY_KEYS = 'Too many keys.';
export const TOO_MANY_LOGINS = 'Too many failed logins.';
export const LOGIN_UNCHECKED = 'The login could not be checked.';
export const NO_SERVICE = 'There is no such service.';
