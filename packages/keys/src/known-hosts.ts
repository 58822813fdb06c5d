/** Lines of `known_hosts` files, and which host they are about. Pure. */
import { createHmac } from 'node:crypto';
import { KeyError } from './fields.js';
import { type PublicKey, parseKeyLine } from './public.js';

/** One line of a `known_hosts` file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  readonly marker: 'cert-authority' | 'revoked' | undefined;
  readonly hosts: string;
  readonly key: PublicKey;
}

/** @throws KeyError that names the line which is none */
export function parseKnownHosts(text: string): KnownHost[] {
  return text.split(/\r?\n/).flatMap((line, at): KnownHost[] => {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]?.startsWith('#')) return [];
    const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : undefined;
    const [hosts, ...key] = words;
    try {
      if (marker !== undefined && marker !== 'cert-authority' && marker !== 'revoked') {
        throw new KeyError(`there is no marker "@${marker}"`);
      }
      return [{ marker, hosts: hosts ?? '', key: parseKeyLine(key.join(' ')) }];
    } catch (error) {
      throw new KeyError(`line ${at + 1}: ${(error as Error).message}`);
    }
  });
}

/** Whether a line is about this host. A port other than 22 is written `[host]:port`. */
export function isAbout({ hosts }: KnownHost, host: string, port: number): boolean {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  if (hosts.startsWith('|1|')) {
    const [salt = '', digest] = hosts.slice(3).split('|');
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === digest;
  }
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    if (!glob(pattern.replace(/^!/, ''), name)) continue;
    if (pattern.startsWith('!')) return false;
    found = true;
  }
  return found;
}

function glob(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}
