/**
 * The allow-list of an agent. Owns: reading it, and whether a target may be dialled, by name and by resolved address. Does
 * not: dial (target.ts), or know what a range or a special address is (@sluice/addresses).
 */
import { type LookupAddress, promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { normalize } from 'node:path';
import { type Range, RangeError, isLoopback, parseAddress, parseRange, specialBlockOf } from '@sluice/addresses';

/** One line of an allow-list. */
interface Line {
  /** Undefined: any port. */
  readonly port: number | undefined;
  readonly target:
    | { readonly type: 'name'; readonly text: string; readonly pattern: RegExp; readonly within: readonly Range[] }
    | { readonly type: 'range'; readonly range: Range };
}

/** Where the agent may connect to; `addresses` are those of the name that are allowed, checked already. */
export type Permission =
  | { readonly allowed: true; readonly addresses: readonly LookupAddress[] }
  | { readonly allowed: false; readonly code: 'denied' | 'dns'; readonly message: string };

/**
 * What an agent may reach, whatever its gateway asks for. One target a line, `#` starts a comment:
 *
 *     db.internal:5432                    this name, wherever it resolves to but for special addresses
 *     *.shop.internal:5432 in 10.1.0.0/16 names below it, while they resolve into this range
 *     10.2.0.0/16:*                       addresses asked for as such, any port
 *     [fd00::5]:5432
 *     unix:/run/docker.sock               this Unix socket
 *
 * Special addresses (loopback, link-local, metadata services of clouds, IPv4 within IPv6) are reached only where a line
 * names them: by a range that lies within their block. A range as wide as 0.0.0.0/0 does not.
 */
export class AllowList {
  readonly #lines: readonly Line[];
  /** Paths of Unix sockets, as they are written. */
  readonly #sockets = new Set<string>();

  /** @throws Error with the number of a line that cannot be read, and what is wrong with it */
  constructor(text: string) {
    this.#lines = text.split('\n').flatMap((line, at) => {
      const bare = line.replace(/#.*/, '').trim();
      if (bare === '') return [];
      try {
        const path = socketOf(bare);
        if (path === undefined) return [readLine(bare)];
        this.#sockets.add(path);
        return [];
      } catch (error) {
        throw new Error(`line ${at + 1} of the allow-list: ${(error as Error).message}`, { cause: error });
      }
    });
  }

  /** Each line as it was understood, with ranges as their first address and number of bits. */
  get lines(): string[] {
    const sockets = [...this.#sockets].map((path) => `the Unix socket ${path}`);
    const others = this.#lines.map(({ port, target }) => {
      const ports = port === undefined ? 'any port' : `port ${port}`;
      if (target.type === 'range') return `${target.range.toString()}, ${ports}`;
      const within = target.within.length > 0 ? `, where it resolves into ${target.within.join(' or ')}` : '';
      return `${target.text}, ${ports}${within}`;
    });
    return [...others, ...sockets];
  }

  /** Whether this Unix socket may be dialled: by the very path that is on the list. */
  hasSocket(path: string): boolean {
    return this.#sockets.has(path);
  }

  /** Whether this may be dialled, by name and by what the name resolves to now. Connect to those addresses only. */
  async check(
    host: string,
    port: number,
    resolve: (name: string) => Promise<LookupAddress[]> = lookup,
  ): Promise<Permission> {
    const denied = (why: string): Permission => ({ allowed: false, code: 'denied', message: `${host}:${port} ${why}` });
    const targets = this.#lines.flatMap((line) => (line.port === undefined || line.port === port ? [line.target] : []));
    // What has a zone ("fe80::1%eth0") is an address to Node and none to us, and must not be looked up as a name.
    const family = isIP(host);
    if (family !== 0) {
      const allowed = targets.some((target) => target.type === 'range' && admits([target.range], host));
      return allowed
        ? { allowed, addresses: [{ address: host, family }] }
        : denied('is not on the allow-list of the agent');
    }
    const name = host.toLowerCase().replace(/\.$/, '');
    const named = targets.flatMap((target) => (target.type === 'name' && target.pattern.test(name) ? [target] : []));
    if (named.length === 0) return denied('is not on the allow-list of the agent');
    let found: LookupAddress[];
    try {
      found = await resolve(name);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'no answer';
      return { allowed: false, code: 'dns', message: `the agent cannot resolve ${host}: ${code}` };
    }
    const addresses = found.filter(({ address }) =>
      named.some(({ text, within }) =>
        within.length > 0 ? admits(within, address) : isOrdinary(address) || (isLoopback(text) && isLoopback(address)),
      ),
    );
    if (addresses.length > 0) return { allowed: true, addresses };
    const list = found.map(({ address }) => address).join(', ');
    return denied(`resolves to ${list}, which the allow-list does not cover`);
  }
}

const lookup = (name: string): Promise<LookupAddress[]> => dns.lookup(name, { all: true });

function admits(ranges: readonly Range[], text: string): boolean {
  const address = parseAddress(text);
  if (!address) return false;
  const block = specialBlockOf(address);
  return ranges.some((range) => range.contains(address) && (!block || block.covers(range)));
}

function isOrdinary(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && !specialBlockOf(address);
}

/** Undefined: it is no line about one. @throws Error for a path that another one could stand for */
function socketOf(text: string): string | undefined {
  const [, path] = /^unix:(.*)$/.exec(text) ?? [];
  if (path === undefined) return undefined;
  if (!path.startsWith('/') || normalize(path) !== path || path.endsWith('/'))
    throw new Error(
      `"${path}" is no path of a Unix socket: write all of it, from the root on, as unix:/run/docker.sock`,
    );
  return path;
}

/** @throws Error that says what is wrong */
function readLine(text: string): Line {
  const [, host = '', portText = '', within] = /^(\[[^\]]+\]|[^\s:[\]]+):(\*|\d+)(?:\s+in\s+(\S+))?$/.exec(text) ?? [];
  if (host === '') throw new Error(`"${text}" is no target: write host:port, with brackets around an IPv6 address`);
  const port = portText === '*' ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65535)) throw new Error(`${portText} is no port`);
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  // Whatever has a stroke or is in brackets was meant as addresses: it must not become a name when it is none.
  if (bare !== host || bare.includes('/') || parseAddress(bare)) {
    if (within !== undefined) throw new RangeError('"in" is for names');
    return { port, target: { type: 'range', range: parseRange(bare) } };
  }
  const name = bare.toLowerCase().replace(/\.$/, '');
  if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name)) throw new Error(`"${bare}" is neither a name nor an address`);
  // A resolver takes 10.1, 010.0.0.1 and 0x7f000001 for addresses, each for another one than a reader might.
  if (/^(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+))*$/.test(name)) throw new Error(`"${bare}" is no complete IP address`);
  const pattern = new RegExp(`^${name.replaceAll('.', '\\.').replace(/^\*/, '[^.]+(\\.[^.]+)*')}$`);
  const ranges = within === undefined ? [] : within.split(',').map(parseRange);
  return { port, target: { type: 'name', text: name, pattern, within: ranges } };
}
