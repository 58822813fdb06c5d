/**
 * Counts what a call costs in a number that no load of the machine changes: how often each block of our code runs (the precise
 * coverage of V8), and how many bytes or characters functions of the platform look at for it. Does not count how often a
 * regular expression goes back over its text: `pnpm bench detectors` prints times, which do.
 */
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly count: number }[] }[];
  }[];
}

const session = new Session();
session.connect();
call('Profiler.enable');
// Counts exist in functions that are compiled after this, so it is never switched off, and this file is imported first.
call('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** The inspector of one's own thread answers during the call. */
function call(method: string, parameters?: object): unknown {
  let answer: unknown;
  session.post(method, parameters, (error, result) => {
    if (error) throw error;
    answer = result;
  });
  return answer;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const isOurs = (url: string): boolean => url.includes(ROOT) && !url.includes('/node_modules/');

/**
 * Blocks of our code that run during `run`, and bytes that the platform looks at for it. Synchronous code only.
 *
 * @param library the name of a package whose blocks count as well; it has to be imported after this file
 */
export function countWork(run: () => unknown, library?: string): number {
  let bytes = 0;
  const restore = NATIVE.map(([owner, name, cost]) => watched(owner, name, cost, (size) => (bytes += size)));
  try {
    call('Profiler.takePreciseCoverage');
    run();
  } finally {
    for (const undo of restore) undo();
  }
  const { result } = call('Profiler.takePreciseCoverage') as Coverage;
  let blocks = 0;
  for (const { functions } of result.filter(
    ({ url }) => isOurs(url) || (library && url.includes(`/node_modules/${library}/`)),
  ))
    for (const { ranges } of functions) for (const { count } of ranges) blocks += count;
  return blocks + bytes;
}

/** How many times more work `run` does on twice the input: about 2 where it is in proportion to its size. */
export function growth(size: number, run: (size: number) => unknown, library?: string): number {
  const once = countWork(() => run(size), library);
  return countWork(() => run(size * 2), library) / once;
}

/** `from`: the lastIndex of a regular expression before the call. */
type Cost = (on: unknown, args: readonly unknown[], result: unknown, from: number) => number;

const lengthOf = (value: unknown): number =>
  typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
const ofAll: Cost = (on) => lengthOf(on);
const ofResult: Cost = (_, __, result) => lengthOf(result);
const ofSearch: Cost = (on, [, from], result) => {
  const start = typeof from === 'number' ? from : 0;
  return Math.max(0, (typeof result === 'number' && result >= 0 ? result : lengthOf(on)) - start);
};
/** `test`, `match` and `replace` call this too. A global or sticky one goes on where it stopped. */
const ofMatch: Cost = (on, [text], result, from) => {
  const match = Array.isArray(result) ? (result as RegExpExecArray) : undefined;
  if ((on as RegExp).sticky) return match ? match[0].length : 1;
  const start = (on as RegExp).global ? from : 0;
  return match ? match.index + match[0].length - start : lengthOf(text) - start;
};

const VIEW = Object.getPrototypeOf(Uint8Array.prototype) as object;
/** `fill` and `copyWithin` have their range behind their first argument. */
const ofRange: Cost = (on, [, start = 0, end = (on as Uint8Array).length]) => Math.max(0, Number(end) - Number(start));

/** Functions of the platform that look at more than one byte, and at how many. */
const NATIVE: readonly (readonly [owner: object, name: string, cost: Cost])[] = [
  [Buffer, 'from', ofResult],
  [Buffer, 'concat', ofResult],
  [Buffer.prototype, 'toString', ofResult],
  [Buffer.prototype, 'indexOf', ofSearch],
  [Buffer.prototype, 'includes', ofAll],
  [Buffer.prototype, 'lastIndexOf', ofAll],
  [String.prototype, 'indexOf', ofSearch],
  [String.prototype, 'includes', ofAll],
  [String.prototype, 'lastIndexOf', ofAll],
  [String.prototype, 'split', ofAll],
  [String.prototype, 'replace', ofAll],
  [String.prototype, 'replaceAll', ofAll],
  [VIEW, 'fill', ofRange],
  [VIEW, 'copyWithin', ofRange],
  [RegExp.prototype, 'exec', ofMatch],
];

function watched(owner: object, name: string, cost: Cost, add: (bytes: number) => void): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  if (!before) throw new Error(`there is no ${name} to count`);
  const original = before.value as (this: unknown, ...args: unknown[]) => unknown;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    const from = this instanceof RegExp ? this.lastIndex : 0;
    const result = original.apply(this, args);
    add(cost(this, args, result, from));
    return result;
  };
  Object.defineProperty(owner, name, { ...before, value });
  return () => Object.defineProperty(owner, name, before);
}
