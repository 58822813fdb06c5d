/** Whom a name stands for, in the configuration and by identity providers, and with which roles. Pure. */
import { type Principal, ROLES, type Role } from '@sluice/contract';
import { mayUse } from './access.js';

/** Who has a role, by lists such as those of `access`. Without a list for `user`, everybody is one. */
export type RoleLists = Readonly<Partial<Record<Role, readonly string[]>>>;

/**
 * Whom a name stands for. The names of the configuration are its own: a token of an identity provider stands for one of them
 * only where that principal says so (`issuer`, and `subject` where it has one), whatever the token calls itself.
 */
export class People {
  readonly #configured: ReadonlyMap<string, Principal>;
  readonly #lists: RoleLists;

  constructor(configured: ReadonlyMap<string, Principal>, lists: RoleLists = {}) {
    this.#lists = lists;
    this.#configured = new Map([...configured].map(([name, one]) => [name, this.#withRoles(one, one.roles)]));
  }

  /** A principal of the configuration. */
  get(name: string): Principal | undefined {
    return this.#configured.get(name);
  }

  all(): Principal[] {
    return [...this.#configured.values()];
  }

  /** The principal that a token of an identity provider stands for; undefined when its name belongs to another. */
  find(token: Omit<Principal, 'roles'>): Principal | undefined {
    const tied = [...this.#configured.values()].find(
      ({ name, issuer, subject }) =>
        issuer !== undefined &&
        issuer === token.issuer &&
        (subject === undefined ? name === token.name : subject === token.subject),
    );
    if (!tied) return this.#configured.has(token.name) ? undefined : this.#withRoles(token, this.#everybody());
    const groups = [...new Set([...tied.groups, ...token.groups])];
    return this.#withRoles({ ...token, name: tied.name, kind: tied.kind, groups }, tied.roles);
  }

  #everybody(): readonly Role[] {
    return this.#lists.user === undefined ? ['user'] : [];
  }

  #withRoles(one: Omit<Principal, 'roles'>, own: readonly Role[]): Principal {
    const principal: Principal = { ...one, roles: [] };
    const roles = ROLES.filter((role) => own.includes(role) || mayUse(principal, this.#lists[role] ?? []));
    return { ...principal, roles };
  }
}
