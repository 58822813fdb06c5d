/**
 * Optimizer hints that change something. Owns: SET_VAR, and which hints choose an index, in whose order rows may come then. Does not:
 * hints that only guide the plan.
 */

/** The settings of SET_VAR(name = value) in the text of a hint; the value is as written, without quotes. */
export function settingOfHint(hint: string): { readonly name: string; readonly value: string }[] {
  const found = hint.matchAll(/\bset_var\s{0,100}\(\s{0,100}([\w.]+)\s{0,100}=\s{0,100}('[^']*'|"[^"]*"|[^\s)]+)/gi);
  return Array.from(found, ([, name = '', value = '']) => ({
    name: name.toLowerCase(),
    value: value.replaceAll(/^['"]|['"]$/g, ''),
  }));
}

/** Whether the text of a hint is for, or against, an index. */
export const choosesIndex = (hint: string): boolean =>
  /\b(?:no_)?(?:index|order_index|group_index|join_index|index_merge|skip_scan|mrr)\b/i.test(hint);
