import { type LookupAddress, promises as dns } from 'node:dns';
import { BlockList, isIP } from 'node:net';

/** One line of an allow-list: a name (perhaps with a wildcard), or a range of addresses. */
interface Line {
  readonly text: string;
  readonly port: number | undefined;
  readonly name?: RegExp;
  /** With a name: what it may resolve to. Without: addresses that may be asked for as such. */
  readonly ranges?: BlockList;
  readonly local?: boolean;
}

/** Where the agent may connect to; `addresses` are those of the name that are allowed, checked already. */
export type Permission =
  | { readonly allowed: true; readonly addresses: readonly LookupAddress[] }
  | { readonly allowed: false; readonly code: 'denied' | 'dns'; readonly message: string };

/** What no name may lead to unless its line says so: this machine, its link (cloud metadata is there), and nobody. */
const SPECIAL = blockList([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/128',
  '::1/128',
  'fe80::/10',
  'ff00::/8',
]);

/**
 * What an agent may reach, whatever its gateway asks for. One target a line, `#` starts a comment:
 *
 *     db.internal:5432                    this name; not if it resolves to loopback or link-local addresses
 *     *.shop.internal:5432 in 10.1.0.0/16 names below it, while they resolve into this range
 *     10.2.0.0/16:*                       addresses asked for as such, any port
 *     [fd00::5]:5432
 */
export class AllowList {
  readonly #lines: readonly Line[];

  /** @throws Error with the number of a line that cannot be read */
  constructor(text: string) {
    this.#lines = text.split('\n').flatMap((line, at) => {
      const bare = line.replace(/#.*/, '').trim();
      if (bare === '') return [];
      const read = readLine(bare);
      if (typeof read === 'string') throw new Error(`line ${at + 1} of the allow-list: ${read}`);
      return [read];
    });
  }

  get lines(): string[] {
    return this.#lines.map(({ text }) => text);
  }

  /** Whether this may be dialled, by name and by what the name resolves to now. Connect to those addresses only. */
  async check(
    host: string,
    port: number,
    resolve: (name: string) => Promise<LookupAddress[]> = lookup,
  ): Promise<Permission> {
    const denied = (why: string): Permission => ({ allowed: false, code: 'denied', message: `${host}:${port} ${why}` });
    const lines = this.#lines.filter((line) => line.port === undefined || line.port === port);
    const family = isIP(host);
    if (family !== 0) {
      const ranges = lines.filter((line) => !line.name);
      const allowed = ranges.some((line) => line.ranges?.check(host, kind(family)));
      return allowed
        ? { allowed, addresses: [{ address: host, family }] }
        : denied('is not on the allow-list of the agent');
    }
    const name = host.toLowerCase().replace(/\.$/, '');
    const named = lines.filter((line) => line.name?.test(name));
    if (named.length === 0) return denied('is not on the allow-list of the agent');
    let found: LookupAddress[];
    try {
      found = await resolve(name);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'no answer';
      return { allowed: false, code: 'dns', message: `the agent cannot resolve ${host}: ${code}` };
    }
    const addresses = found.filter(({ address, family }) =>
      named.some((line) =>
        line.ranges ? line.ranges.check(address, kind(family)) : line.local || !SPECIAL.check(address, kind(family)),
      ),
    );
    if (addresses.length > 0) return { allowed: true, addresses };
    return denied(`resolves to ${found.map(({ address }) => address).join(', ')}, which the allow-list does not cover`);
  }
}

const lookup = (name: string): Promise<LookupAddress[]> => dns.lookup(name, { all: true });

function kind(family: number): 'ipv4' | 'ipv6' {
  return family === 6 ? 'ipv6' : 'ipv4';
}

function readLine(text: string): Line | string {
  const [, host = '', portText = '', within] = /^(\[[^\]]+\]|[^\s:[\]]+):(\*|\d+)(?:\s+in\s+(\S+))?$/.exec(text) ?? [];
  if (host === '') return `"${text}" is no target: write host:port, with brackets around an IPv6 address`;
  const port = portText === '*' ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65535)) return `${portText} is no port`;
  const bare = host.replace(/^\[|\]$/g, '');
  try {
    if (isIP(bare.split('/')[0] ?? '') !== 0) {
      return within === undefined ? { text, port, ranges: blockList([bare]) } : '"in" is for names';
    }
    if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(bare)) return `"${bare}" is neither a name nor an address`;
    const labels = bare.toLowerCase().replace(/\.$/, '').replaceAll('.', '\\.').replace(/^\*/, '[^.]+(\\.[^.]+)*');
    const name = new RegExp(`^${labels}$`);
    const local = bare.toLowerCase() === 'localhost';
    return { text, port, name, local, ...(within !== undefined && { ranges: blockList(within.split(',')) }) };
  } catch {
    return `"${text}" has a range that is none`;
  }
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = kind(isIP(address));
    if (isIP(address) === 0) throw new Error('no address');
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
