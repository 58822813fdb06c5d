/**
 * The file that a running gateway leaves in its data folder, for commands on the same machine. Owns: when it is believed, and
 * the token beside it. Does not: talk to the gateway (client.ts).
 *
 * A beacon decides where requests go. One in the current folder may have come with an archive or a repository, so it counts
 * only for this machine, only as a file of this user that nobody else can write, and gives away nothing but what lies in its
 * own folder.
 */
import { type Stats, lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLoopback } from '@sluice/addresses';
import { CliError } from './errors.js';

export interface Beacon {
  readonly url: string;
  readonly pid: number;
  /** Where the first administrator's token is, for this machine's user only. */
  readonly tokenFile: string;
  /** Listener addresses by protocol, as `host:port`. */
  readonly listeners: Readonly<Record<string, string>>;
}

export const BEACON = 'gateway.json';

/**
 * The beacon of a data folder; undefined where there is none.
 *
 * @throws CliError when there is one that cannot be believed
 */
export function readBeacon(data: string): Beacon | undefined {
  const file = join(data, BEACON);
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (!stats) return undefined;
  const fault = faultOf(stats, file) ?? faultOf(statSync(data), data);
  if (fault !== undefined) throw disbelieved(file, fault);
  if (!stats.isFile()) throw disbelieved(file, 'it is no regular file');
  const beacon = parsed(readFileSync(file, 'utf8'));
  if (!beacon) throw disbelieved(file, 'it is not what a gateway writes');
  if (!isLoopback(new URL(beacon.url).hostname)) throw disbelieved(file, `it leads to another machine, ${beacon.url}`);
  return beacon;
}

/** The administrator's token that a beacon names, if it lies in the same folder and belongs to this user. */
export function readBeaconToken(data: string, { tokenFile }: Beacon): string | undefined {
  try {
    const file = realpathSync(tokenFile);
    const stats = statSync(file);
    if (dirname(file) !== realpathSync(data) || !stats.isFile() || faultOf(stats, file) !== undefined) return undefined;
    return readFileSync(file, 'utf8').trim();
  } catch {
    // Not there, or another user's: the same as no token.
    return undefined;
  }
}

const disbelieved = (file: string, why: string): CliError =>
  new CliError(
    `${file} is not believed: ${why}.`,
    'Name the gateway yourself: --url or SLUICE_URL, and SLUICE_TOKEN or "sluice login".',
  );

const WRITABLE_BY_OTHERS = 0o022;

function faultOf({ uid, mode }: Stats, path: string): string | undefined {
  const own = process.getuid?.();
  if (own !== undefined && uid !== own) return `${path} belongs to another user`;
  if (own !== undefined && (mode & WRITABLE_BY_OTHERS) !== 0) return `others can write ${path}`;
  return undefined;
}

function parsed(text: string): Beacon | undefined {
  try {
    const { url, pid, tokenFile, listeners } = JSON.parse(text) as Record<keyof Beacon, unknown>;
    const known = typeof url === 'string' && /^https?:/.test(url) && URL.canParse(url) && typeof tokenFile === 'string';
    if (!known || typeof pid !== 'number' || typeof listeners !== 'object' || listeners === null) return undefined;
    return { url, pid, tokenFile, listeners: listeners as Beacon['listeners'] };
  } catch {
    return undefined;
  }
}
