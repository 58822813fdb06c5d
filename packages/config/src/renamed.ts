/**
 * Settings that have another name than they once had. Owns: the old names and the new ones, which docs/renamed.md has as well. Does
 * not: take an old name for the new one; a configuration that has it is refused.
 */

/** By where a setting stands: `NAME` is any name, `[]` any place in a list. To: its last part. */
export const RENAMED: ReadonlyMap<string, string> = new Map([
  ['policies.NAME[].hold.within', 'timeout'],
  ['policies.NAME[].hold.unanswered', 'on_timeout'],
  ['connections.NAME.approval.within', 'timeout'],
  ['limits.recorded', 'recorded_answer'],
]);

type Path = readonly (string | number)[];

/** What the setting at this path is called now; undefined where it had no other name. */
export function newNameOf(path: Path): string | undefined {
  const named = path.map((part, at) => (typeof part === 'string' && isGiven(path, at) ? 'NAME' : part));
  return RENAMED.get(named.reduce<string>((text, part) => text + written(part, text), ''));
}

/** The part of a path that whoever wrote the configuration has chosen. */
const isGiven = (path: Path, at: number): boolean => at === 1 && (path[0] === 'policies' || path[0] === 'connections');

function written(part: string | number, before: string): string {
  if (typeof part === 'number') return '[]';
  return before === '' ? part : `.${part}`;
}
