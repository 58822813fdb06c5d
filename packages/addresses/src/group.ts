/** Which addresses count as one: an IPv4 address, or the /64 of an IPv6 address. Pure. */
import { isIPv6 } from 'node:net';

/**
 * What counts as one address: an IPv4 address, also where it is written as IPv6, and of IPv6 the /64 that one subscriber
 * has as a rule, since whoever has that may choose the rest of it anew for each connection.
 */
export function addressGroup(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] as string).toLowerCase().split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const words = [...first, ...Array.from({ length: zeros }, () => '0'), ...last];
  return `${words.slice(0, 4).join(':')}::/64`;
}
