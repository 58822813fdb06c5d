/**
 * The sentences that SSH says to people: in a program's standard error, in banners, in what ends a connection. Does not: decide
 * anything. Sentences of rules are those of the people who wrote them.
 */
import {
  type Deny,
  type Ending,
  type Notice,
  type Refusal,
  type RefusalReason,
  type Sentence,
  denyInWords,
  endingInWords,
  noticeInWords,
  refusalInWords,
} from '@sluice/contract';

/** A refused command, on one or two lines. A command that its own client cancelled names no rule. */
export function commandRefused(deny: Deny): string {
  if (deny.reason?.code === 'cancelled') return 'The command was cancelled while it waited, and was not run.';
  const { hint } = denySentence(deny);
  return `${lineRefused(deny)}${hint === undefined ? '' : `\nsluice: ${hint}`}`;
}

/** A refused line of a terminal. */
export const lineRefused = (deny: Deny): string => `${denySentence(deny).message} (rule "${deny.rule}")`;

/** What is refused beside commands: a forwarded connection, the authentication agent. */
export const requestRefused = (deny: Deny): string => onOneLine(denySentence(deny));

/** While a command waits for people, on two lines. */
export function commandWaits(notice: Notice): string {
  const { message, hint } = noticeInWords(notice, 'command');
  return `${message}\nsluice: ${hint}`;
}

/** A line of a terminal that waits for people. */
export const lineWaits = (notice: Notice): string => noticeInWords(notice, 'command').message;

/** While a session waits for people: in a banner, or where a machine is chosen. */
export const sessionWaits = (notice: Notice): string => onOneLine(noticeInWords(notice, 'command'));

/** A login that was refused. */
export function loginRefused({ reason }: Refusal): string {
  const { message, hint } = loginSentence(reason);
  // Whoever is frozen is named as "sluice thaw" wants to have them.
  const begun = reason.code === 'frozen' ? message : `${message.charAt(0).toUpperCase()}${message.slice(1)}`;
  const whole = `${begun.replace(/\.$/, '')}.`;
  return onOneLine({ message: whole, ...(hint !== undefined && { hint }) });
}

/** What stands above the choice of machines; empty where the client named none. */
export const aboveMenu = (refusal: Refusal): string =>
  refusal.reason.code === 'unknown-connection' && refusal.reason.connection === '' ? '' : loginRefused(refusal);

/** What there is to choose from, and how to name it. `above`: see `aboveMenu`. */
export function menuText(above: string, connections: readonly string[]): string {
  const said = above === '' ? '' : `${above}\n`;
  const [first] = connections;
  if (first === undefined) return `${said}There is no machine that you may reach here.`;
  const list = connections.map((connection, at) => `  ${at + 1}  ${connection}`).join('\n');
  return `${said}Machines that you may reach:\n${list}\nName one: ssh ${first}@gateway, or ssh account+${first}@gateway.`;
}
export const MENU_PROMPT = 'Number or name (Ctrl+C to leave): ';
export const NOT_IN_MENU = 'That is none of them.';

/** sshpass and Ansible look for "assword" in it. */
export const SECRET_PROMPT = 'Password or token (Enter for browser login): ';
export const CONFIRM_PROMPT = 'Press Enter when it is confirmed: ';

/** Why the gateway ends the session. */
export const sessionEnds = (ending: Ending): string => endingInWords(ending);

const denySentence = (deny: Deny): Sentence => (deny.reason ? denyInWords(deny.reason, 'command') : deny);

function loginSentence(reason: RefusalReason): Sentence {
  switch (reason.code) {
    case 'wrong-proof':
      return { ...refusalInWords(reason), message: 'the key, certificate or token was not accepted' };
    case 'unknown-connection':
      return { message: `there is no machine "${reason.connection}" that you may reach` };
    default:
      return refusalInWords(reason);
  }
}

const onOneLine = ({ message, hint }: Sentence): string => `${message}${hint === undefined ? '' : ` ${hint}`}`;

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
