import type { Principal } from '@sluice/contract';

/**
 * Whether an `access` list admits a principal. Entries: `group:name`, `user:name` (people only), `agent:name` (agents only), a
 * plain name (either), or `*` for everybody. What is behind the first colon is the name, colons and all; an entry of a
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
    default:
      return false;
  }
}
