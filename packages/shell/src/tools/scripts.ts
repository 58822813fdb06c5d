/** Scripts of awk, sed and jq that only read. Pure. */
import { RE2JS } from 're2js';

/** Programs for awk, sed and jq: whether one, written out, only reads its input and prints. */

/**
 * awk: nothing that runs, opens, or loads. `>` and `|` are also comparison and alternative; behind a print they are a file and a
 * program. A print before any `>` is enough to leave it open.
 */
export function readsInAwk(program: string): string | undefined {
  if (/system|getline|@|ENVIRON|PROCINFO|ARGV|ARGC|close|fflush|\\[0-7xu]/.test(program))
    return 'runs or opens something in awk';
  const print = program.search(/print/);
  const pipe = program.replaceAll('||', '  ').search(/\|/);
  if (pipe >= 0) return 'may run a program in awk';
  if (print >= 0 && program.lastIndexOf('>') > print) return 'may write a file in awk';
  return undefined;
}

const ADDRESS = String.raw`(?:(?:\d+|\$|\/(?:\\[^\n]|\[[^\[\]\/\\\n]*\]|[^\/\\\n\[\]])*\/I?)(?:,(?:[+~]?\d+|\$|\/(?:\\[^\n]|\[[^\[\]\/\\\n]*\]|[^\/\\\n\[\]])*\/I?))?)? ?!?`;
const substitution = (mark: string): string => {
  const piece = String.raw`(?:\\[^\n]|\[[^\[\]${mark}\\\n]*\]|[^${mark}\\\n\[\]])*`;
  return String.raw`s${mark}${piece}${mark}(?:\\[^\n]|[^${mark}\\\n])*${mark}[gpIi0-9]*`;
};
const MARKS = [String.raw`\/`, String.raw`\|`, ',', '#', ':', '@', '!', '%'];
const COMMAND = String.raw`(?:${MARKS.map(substitution).join('|')}|[pdqPDnNhHgGx=]|q\d+|y\/[^\/\\\n]*\/[^\/\\\n]*\/)`;
const SED = RE2JS.compile(String.raw`^\s*(?:${ADDRESS}${COMMAND} *(?:[;\n]\s*|$))*$`);

/** sed: addresses with s (no flags e, w, m), y, p, d, q, = and the hold space (POSIX sed; GNU sed 4.9 for e, w, F, R, W). */
export const readsInSed = (script: string): boolean => script.length < 2_000 && SED.matcher(script).find();

/** jq cannot run or write; it can show the environment and load modules. */
export const readsInJq = (program: string): boolean =>
  !/\benv\b|\$ENV|\b(?:import|include|input_filename|getpath)\b|get_search_list|debug/.test(program);
