/** Who an access list admits. Owns: what its entries mean. Pure. */
import type { Principal } from '@sluice/contract';

/**
 * Whether an `access` list admits a principal. Entries: `group:name`, `user:name` (people only), `agent:name` (agents only), a
 * plain name (either), `claim:name=value`, or `*` for everybody. What is behind the first colon is the name, colons and all; an entry of a
 * kind that is not listed here admits nobody.
 */
export function mayUse(principal: Principal, access: readonly string[]): boolean {
  return access.some((entry) => admits(entry, principal));
}

function admits(entry: string, principal: Principal): boolean {
  const colon = entry.indexOf(':');
  if (colon < 0) return entry === '*' || entry === principal.name;
  const name = entry.slice(colon + 1);
  switch (entry.slice(0, colon)) {
    case 'group':
      return principal.groups.includes(name);
    case 'user':
      return principal.kind === 'person' && principal.name === name;
    case 'agent':
      return principal.kind === 'agent' && principal.name === name;
    case 'claim': {
      const equals = name.indexOf('=');
      const values = principal.claims?.[name.slice(0, equals)];
      return equals > 0 && Array.isArray(values) && values.includes(name.slice(equals + 1));
    }
    default:
      return false;
  }
}

/** The claims that lists of access ask for. */
export const claimsIn = (lists: Iterable<readonly string[]>): string[] => [
  ...new Set([...lists].flat().flatMap((entry) => /^claim:([^=]+)=/.exec(entry)?.[1] ?? [])),
];
