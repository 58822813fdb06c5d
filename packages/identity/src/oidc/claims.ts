/** Claims of tokens: what of them is a name, a group, a text. Owns: their bounds. Does not: verify tokens (issuer.ts). */

/** What a token says, as it was signed. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_GROUPS = 1000;
const MAX_GROUP_CHARACTERS = 500;

/** Names that need no quoting wherever they turn up: access lists, records, terminals, libpq's connection strings. */
const NAME = /^[A-Za-z0-9_][\w.@:+/|=~-]{0,254}$/;

export const isName = (text: string): boolean => NAME.test(text);

/**
 * A claim by its name, or by a path into claims: `realm_access.roles`. Names may contain dots (`https://acme.example/groups`):
 * the longest name counts. Undefined when there is none.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const name = path.slice(0, dot);
    const inner = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner))
      return claimAt(inner as Claims, path.slice(dot + 1));
  }
  return undefined;
}

/** A claim as texts: one value or a list of them. What is neither has none. */
export function textsAt(claims: Claims, path: string): string[] {
  return [claimAt(claims, path)]
    .flat()
    .filter((one) => typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean')
    .map(String);
}

/**
 * The groups of a token: a list of texts, or one text. Whatever else it says, and a claim that is missing, is no group at all:
 * groups of an earlier login do not come back. Undefined: more than anybody has.
 */
export function groupsAt(claims: Claims, path: string, prefix: string): string[] | undefined {
  const groups = [claimAt(claims, path)]
    .flat()
    .filter((one): one is string => typeof one === 'string' && one !== '' && one.length <= MAX_GROUP_CHARACTERS);
  return groups.length > MAX_GROUPS ? undefined : [...new Set(groups)].map((group) => prefix + group);
}
