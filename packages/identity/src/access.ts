import type { Principal } from '@sluice/contract';

/** Whether an `access` list admits a principal: `group:name`, `user:name`, `agent:name`, a plain name, or `*`. */
export function mayUse(principal: Principal, access: readonly string[]): boolean {
  return access.some((entry) => {
    const [kind, name] = entry.includes(':') ? entry.split(':', 2) : ['', entry];
    switch (kind) {
      case 'group':
        return principal.groups.includes(name ?? '');
      case 'user':
        return principal.kind === 'person' && principal.name === name;
      case 'agent':
        return principal.kind === 'agent' && principal.name === name;
      case '':
        return name === '*' || principal.name === name;
      default:
        return false;
    }
  });
}
