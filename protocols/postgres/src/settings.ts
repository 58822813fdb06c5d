/** What a start-up packet asks for. Owns: which settings pass, and which are fixed. Does not: judge them (the gate). Pure. */
import type { LoginWay } from '@sluice/contract';
import { type Reader, WireError, unexpected } from '@sluice/wire';
import { type TextEncoding, UTF8, encodingNamed, readText } from './text-encoding.js';

/**
 * What a client's start-up packet asks for, sorted into what the gateway answers itself and what the target will be asked
 * to set. Nothing in here is forwarded as it came: the gateway writes the target's packet from these.
 */
export interface StartupSettings {
  readonly user: string;
  /** The connection, which is what a client calls its database. */
  readonly database: string;
  readonly login: LoginWay | undefined;
  /** What its texts are in, behind the login. */
  readonly encoding: TextEncoding;
  /** Run-time settings, each to be judged as a SET before it is forwarded. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Throws a `StartupRefusal` for what cannot pass: `replication`, for one, opens a connection that takes SQL unseen. */
export function readStartupSettings(parameters: ReadonlyMap<string, string>): StartupSettings {
  const settings = new Map<string, string>();
  let login: StartupSettings['login'];
  let encoding = UTF8;
  const user = parameters.get('user') ?? '';
  if (user === '') throw refuse('28000', 'no PostgreSQL user name specified in startup packet');

  const take = (name: string, value: string): void => {
    const key = name.toLowerCase();
    if (isOfPacket(key)) throw refuse('42704', `unrecognized configuration parameter "${name}"`);
    if (key === 'sluice.login') {
      if (value !== 'scram' && value !== 'password' && value !== 'oauth')
        throw refuse('22023', `sluice.login is "scram", "password" or "oauth", not "${value}"`);
      login = value;
    } else if (key === 'client_encoding') {
      const wanted = encodingNamed(value);
      if (!wanted)
        throw refuse('0A000', `client encoding "${value}" does not pass the gateway: set PGCLIENTENCODING=UTF8`);
      encoding = wanted;
    } else {
      settings.set(name, value);
    }
  };

  for (const [name, value] of parameters) {
    if (name === 'user' || name === 'database') continue;
    if (name === 'replication') {
      if (!/^(false|off|no|0)$/i.test(value)) throw refuse('0A000', 'replication connections do not pass the gateway');
    } else if (name === 'options') {
      for (const [option, setting] of readOptions(value)) take(option, setting);
    } else {
      take(name, value);
    }
  }
  return { user, database: parameters.get('database') ?? user, login, encoding, settings };
}

/**
 * What a start-up packet says beside settings (ProcessStartupPacket in backend_startup.c). Among its options it is no setting, and in the target's
 * packet it would say who logs in, where, and with which options that nobody has judged.
 */
const isOfPacket = (name: string): boolean => OF_PACKET.has(name) || name.startsWith('_pq_.');
const OF_PACKET: ReadonlySet<string> = new Set(['user', 'database', 'options', 'replication']);

/** The `options` text, split as the server splits it: blanks part words, a backslash takes the next character as it is. */
function readOptions(text: string): [string, string][] {
  const words = Array.from(text.matchAll(/(?:\\.|[^\s\\])+/gs), ([word]) => word.replaceAll(/\\(.)/gs, '$1'));
  const settings: [string, string][] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    const setting =
      word === '-c' ? words[++at] : word.startsWith('-c') || word.startsWith('--') ? word.slice(2) : undefined;
    const split = setting?.indexOf('=') ?? -1;
    if (setting === undefined || split < 1) {
      throw refuse('22023', `start-up option "${word}" does not pass the gateway: only "-c name=value" does`);
    }
    settings.push([setting.slice(0, split).replaceAll('-', '_'), setting.slice(split + 1)]);
  }
  return settings;
}

/** Settings that our reading of every statement rests on, and the only value that each may have. */
const PINNED: Readonly<Record<string, (encoding: TextEncoding) => string>> = {
  standard_conforming_strings: () => 'on',
  client_encoding: ({ name }) => name,
};

/**
 * @param fields the body of a ParameterStatus
 * @throws WireError where statements can no longer be read as they are judged
 */
export function checkPinned(fields: Reader, encoding: TextEncoding): void {
  const name = readText(fields, encoding);
  const value = readText(fields, encoding);
  const pinned = Object.hasOwn(PINNED, name) ? PINNED[name]?.(encoding) : undefined;
  if (pinned !== undefined && pinned !== value) {
    throw unexpected(
      `the target changed ${name} to "${value}", and statements can only be judged while it is "${pinned}"`,
    );
  }
}

/** The statement that would do the same later in the session: this is what the policy judges. */
export const asStatement = (name: string, value: string): string =>
  `SET ${name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.')} TO '${value.replaceAll("'", "''")}'`;

/** A start-up that cannot go on, with the SQLSTATE to say so. */
export class StartupRefusal extends WireError {
  readonly sqlstate: string;

  constructor(sqlstate: string, text: string) {
    super('WIRE_UNEXPECTED', text);
    this.sqlstate = sqlstate;
  }
}

const refuse = (sqlstate: string, text: string): StartupRefusal => new StartupRefusal(sqlstate, text);
