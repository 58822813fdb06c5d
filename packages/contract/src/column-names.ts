/**
 * How a rule names columns: `column`, `table.column` or `schema.table.column`. Owns: reading such a name. Does not: know which columns there
 * are, or whether case counts, which is the server's affair.
 */

/** A part of a name, as it is written between dots. */
export interface NamePart {
  readonly text: string;
  /** `*` in it stands for any run of characters; in double quotes it is a character like any other. */
  readonly isPattern: boolean;
}

/** Parts of a name may be in double quotes, and then have blanks; two quotes are one. A dot in a name is written as `*`. */
export const COLUMN_NAME = /^(?:"(?:[^".]|"")+"|[^".\s]+)(?:\.(?:"(?:[^".]|"")+"|[^".\s]+)){0,2}$/;

/** From the column outwards comes last: [schema, table, column], or fewer. */
export const partsOfColumn = (name: string): NamePart[] =>
  name.split('.').map((part) => {
    const quoted = /^"(.*)"$/s.exec(part)?.[1];
    return quoted === undefined
      ? { text: part, isPattern: part.includes('*') }
      : { text: quoted.replaceAll('""', '"'), isPattern: false };
  });

/** @param fold what the server makes of a name before it compares it */
export function matcherOf({ text, isPattern }: NamePart, fold = (name: string): string => name): RegExp {
  const escaped = fold(text).replaceAll(/[\\^$+?()[\]{}|*]/g, '\\$&');
  return new RegExp(`^${isPattern ? escaped.replaceAll('\\*', '.*') : escaped}$`, 's');
}

/** The part that stands for tables; undefined: any. */
export const tableOfColumn = (name: string): NamePart | undefined => partsOfColumn(name).at(-2);
