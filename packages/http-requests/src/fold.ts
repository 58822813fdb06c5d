/**
 * Names without case. Owns: when a server may take two names for one: some compare those of JSON members, fields and parameters so (Go's
 * encoding/json, ASP.NET). Does not: compare values.
 */

/** Both ways, because some letters have no lower case of their own: the long s, the sign for kelvin. */
export const foldedName = (name: string): string => name.toUpperCase().toLowerCase();

export const isNamed = (name: string, wanted: string): boolean =>
  name === wanted || foldedName(name) === foldedName(wanted);
