/**
 * What EXPLAIN shows of a statement that masked columns are involved in: nodes, names, costs and rows stay, constants go. Owns:
 * which is which, in each of its formats (explain.c). A column's average width goes too: of few rows it is the length of a value.
 * So does what ANALYZE measured of memory, disk and output: `repeat('x', 1024 * ascii(email))` makes any of them a value. Does not: say which statements that is for (the gate). Pure.
 */
import { unread } from '../unreadable.js';
import type { CellMask } from './types.js';

export type PlanFormat = 'text' | 'json' | 'yaml' | 'xml';

/** The mask of a row of text, or of a whole plan in the other formats. */
export function planMask(format: PlanFormat): CellMask {
  const mask = MASKS[format];
  return (bytes, start, end) => {
    try {
      const text = bytes.toString('utf8', start, end);
      const masked = mask(text);
      return masked === text ? undefined : Buffer.from(masked);
    } catch {
      return unread();
    }
  };
}

const MASKS: Readonly<Record<PlanFormat, (text: string) => string>> = {
  text: (text) => text.split('\n').map(lineWithoutConstants).join('\n'),
  json: (text) =>
    text
      .replaceAll(/"([\w /-]+)": \d+(?:\.\d+)?/g, (whole, key: string) => (SIZE.test(key) ? `"${key}": 0` : whole))
      .replaceAll(
        /("(?:[^"\\]|\\.)*")(?:(\s*:\s*)("(?:[^"\\]|\\.)*")?)?/g,
        (whole, key: string, colon?: string, value?: string) => {
          if (colon === undefined) return quoted('', key);
          return value === undefined ? whole : `${key}${colon}${quoted(JSON.parse(key) as string, value)}`;
        },
      ),
  yaml: (text) =>
    text
      .replaceAll(/^([ -]*)(\w[\w /-]*): \d+(?:\.\d+)?$/gm, (whole, indent: string, key: string) =>
        SIZE.test(key) ? `${indent}${key}: 0` : whole,
      )
      .split('\n')
      .map((line) => {
        const at = line.indexOf('"');
        if (at < 0 || !line.endsWith('"')) return line;
        const key = line.slice(0, at).replaceAll(/^[ -]+|: $/g, '');
        return line.slice(0, at) + quoted(key, line.slice(at));
      })
      .join('\n'),
  xml: (text) =>
    text.replaceAll(/<([\w-]+)>([^<]*)<\/[\w-]+>/g, (_, name: string, value: string) => {
      const plain = ENTITIES.reduceRight((left, [character, entity]) => left.replaceAll(entity, character), value);
      const key = name.replaceAll('-', ' ');
      const measured = SIZE.test(key) ? '0' : plain;
      const hidden = isMeasure(plain) && !OF_EXPRESSIONS.test(name) ? measured : property(key, plain);
      return `<${name}>${ENTITIES.reduce((left, [character, entity]) => left.replaceAll(character, entity), hidden)}</${name}>`;
    }),
};

/** Numbers that depend on how large values are. */
const SIZE =
  /^Plan Width$|Sort Space Used|Hash Buckets|Hash Batches|HashAgg Batches|Planned Partitions|Group Count|Memory|Disk Usage|Maximum Storage|^Cache |Output Volume|^WAL |Blocks$|I.O .*Time$/;
/** The same, in words. */
const BY_SIZE: ReadonlySet<string> = new Set(['Sort Method', 'Sort Space Type', 'Storage']);
/** Stand in a list of `Sort Methods Used`. */
const METHODS = /^(?:top-N heapsort|quicksort|external sort|external merge|still in progress)$/;

/** As escape_xml has them; the ampersand first. */
const ENTITIES = [
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
] as const;

/** @param value a string of JSON, quotes included */
const quoted = (key: string, value: string): string => {
  const plain = JSON.parse(value) as string;
  const hidden = property(key, plain);
  return hidden === plain ? value : JSON.stringify(hidden);
};

/** A property by name. Names of objects stand there without quotes, and are no expressions. */
function property(key: string, value: string): string {
  if (BY_SIZE.has(key) || METHODS.test(value)) return HIDDEN;
  return NAMES.has(key) ? value : withoutConstants(value);
}
const HIDDEN = '[masked]';

const NAMES: ReadonlySet<string> = new Set(
  `Alias|Cache Mode|Command|Constraint Name|CTE Name|Custom Plan Provider|Format|Function Name|Index Name|Join Type|Node Type|
   Operation|Parent Relationship|Partial Mode|Relation|Relation Name|Scan Direction|Schema|Strategy|Subplan Name|
   Table Function Name|Trigger Name|Tuplestore Name`.split(/\|\s*/),
);

/** true, false, or one number by itself, as a count or a time is. XML writes these as it writes all else. */
const isMeasure = (value: string): boolean => /^(?:true|false|-?\d+(?:\.\d+)?)$/.test(value);

const OF_EXPRESSIONS = /^Item$|(?:Cond|Filter|Key|By|Call|SQL)$/;

/**
 * Strings, numbers and truth values in an expression; the numbers of sub-plans, parameters and columns are parts of names. A
 * function that is immutable is computed for the plan, so what stands there may be a value of a table.
 */
const withoutConstants = (text: string): string =>
  text.replaceAll(TOKENS, (token: string) => {
    if (token.startsWith("'")) return "'[masked]'";
    return /^(?:\d|true$|false$|NULL::)/.test(token) ? HIDDEN : token;
  });

/** Quoted names, strings, tests, sub-plans, NULL of a type, words, numbers. What is not closed goes to the end. */
const TOKENS =
  /"(?:[^"]|"")*(?:"|$)|'(?:[^']|'')*(?:'|$)|(?:IS|NOT) (?:NOT )?(?:true|false|TRUE|FALSE|NULL)\b|(?:InitPlan|SubPlan|expr_|CTE) \d+|NULL::[a-z_]\w*|[A-Za-z_$\u0080-\u{10ffff}][\w$\u0080-\u{10ffff}]*|\d[\d.]*(?:[eE][+-]?\d+)?/gu;

/** A row of the text format: a node, or a property below it. What looks like neither is the rest of a string over several rows. */
function lineWithoutConstants(line: string): string {
  const measured = MEASURES.exec(line);
  const head = measured ? line.slice(0, measured.index) : line;
  const tail = (measured?.[0] ?? '').replace(/width=\d+/, 'width=0');
  const sizes = SIZES.exec(line);
  if (sizes) return `${sizes[1] ?? ''} ${HIDDEN}`;
  if (STATISTICS.test(line)) return line;
  return NODE.test(head) || PROPERTY.test(head) ? withoutConstants(head) + tail : '[masked]';
}

/** At the end of the row of a node. */
const MEASURES =
  / \((?:cost=[\d.]+ rows=\d+ width=\d+|actual (?:time=[\d.]+ )?rows=[\d.]+ loops=\d+|never executed)\)(?: \((?:actual (?:time=[\d.]+ )?rows=[\d.]+ loops=\d+|never executed)\))?$/;
const NODE =
  /^ *(?:->  )?(?:Parallel |Async |Partial |Finalize )*(?:Aggregate|Append|Bitmap|CTE|Custom|Delete|Foreign|Function|Gather|Group|Hash|Incremental|Index|InitPlan|Insert|Limit|LockRows|Materialize|Memoize|Merge|MixedAggregate|Named|Nested|ProjectSet|Recursive|Result|Sample|Seq|SetOp|Sort|SubPlan|Subquery|Table|Tid|Unique|Update|Utility|Values|WindowAgg|WorkTable)\w*(?: |$)/;
const PROPERTY =
  /^ *(?:Cache Key|Conflict Arbiter Indexes|Conflict Filter|Filter|Function Call|Group Key|Grouping Sets|Hash Cond|Hash Key|Index Cond|Join Filter|Merge Cond|One-Time Filter|Order By|Output|Presorted Key|Recheck Cond|Remote SQL|Rows Removed by \w+|Run Condition|Sampling|Settings|Sort Key|TID Cond|Table Function Call|Window|[A-Z][\w /-]*?(?:Cond|Filter|Key))\b/;
/** Memory, disk, blocks and output. */
const SIZES =
  /^( *(?:Worker \d+:  )?(?:Sort Method|Full-sort Groups|Pre-sorted Groups|Buckets|Batches|Planned Partitions|Buffers|I\/O Timings|WAL|Memory|Memory Usage|Hits|Peak Memory Usage|Disk Usage|Storage|Serialization):) /;
const STATISTICS =
  /^ *(?:Rows Removed by [\w ]+|Heap Fetches|Heap Blocks|Index Searches|Planning Time|Execution Time|Planning|Execution|Workers Planned|Workers Launched|Tuples Inserted|Conflicting Tuples|Timing|JIT|Functions|Options|Cache Mode|Subplans Removed|Worker \d+|Query Identifier|Single Copy|Disabled|Tuples|Trigger [\w ".]+|Worker):(?: [\w .,:=()/%+-]*)?$/;
