/**
 * `sluice audit verify`: what can be said of a journal. Owns: the report and its words. Does not: follow a chain (chain.ts).
 */
import { type KeyObject, createPublicKey } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Chain } from './chain.js';
import type { JournalProblem } from './problem.js';
import { checkpointOwner, fingerprintOf, readPublicKey } from './checkpoint.js';
import { type Head, headOwner, isHead, parseHead, readHead } from './head.js';
import { listSegments } from './segments.js';

/**
 * What can be said of a journal. `problems` empty: everything that is signed is as it was written. That the whole folder was
 * replaced by an older copy of itself can only be told by somebody who kept a later head elsewhere.
 */
export interface Report {
  readonly segments: number;
  /** Segments that were removed because their time was over, as signed lines say. */
  readonly removed: number;
  readonly records: number;
  /** Records that a seal vouches for, and those that a head does, in a segment that is not sealed yet. */
  readonly sealed: number;
  readonly signed: number;
  /** Records that nothing vouches for: those after the last head, and those with a problem before them. */
  readonly unsealed: number;
  /** When the records before those were signed, ISO 8601; undefined: they never were, or there are none. */
  readonly since?: string;
  readonly problems: readonly JournalProblem[];
  /** What is worth knowing and no problem: sentences. */
  readonly notes: readonly string[];
  /** Fingerprint of the key that all was checked with. */
  readonly key: string;
  /** How far the journal of each process is signed: what a witness keeps. */
  readonly heads: readonly Head[];
}

export interface Trust {
  /** The public key, as an object or PEM. By default the one in the folder, which a forger could have replaced. */
  readonly key?: KeyObject | string;
  /** Heads of an earlier time that were kept elsewhere: the journal must still contain what they say. */
  readonly heads?: readonly Head[];
}

/**
 * Reads the whole journal of a folder and checks every link of the chain, every seal, every head and every signature. It may
 * be in use.
 *
 * @throws JournalError when there is no public key to check with; whatever is wrong with the journal is in the report
 */
export function verify(folder: string, { key, heads = [] }: Trust = {}): Report {
  const trusted = key === undefined ? readPublicKey(folder) : typeof key === 'string' ? createPublicKey(key) : key;
  const names = readdirSync(folder);
  // Heads first, then segments, then seals: what is read later says more than what was read before it has to contain.
  const owners = names.flatMap((name) => headOwner(name) ?? checkpointOwner(name) ?? []);
  const current = new Map(owners.map((process) => [process, readHead(folder, process, trusted)]));
  const segments = listSegments(folder);
  const processes = new Set([...owners, ...[...segments, ...heads].map(({ process }) => process)]);
  const fingerprint = fingerprintOf(trusted);
  const chains = [...processes].map((process) => {
    const head = current.get(process) ?? 'missing';
    const kept = heads.filter((one) => one.process === process);
    const chain = new Chain(folder, process, trusted, [...(isHead(head) ? [head] : []), ...kept]);
    const mine = segments.filter((segment) => segment.process === process);
    for (const segment of mine) chain.read(segment, segment === mine.at(-1));
    chain.finish(head, readHead(folder, process, trusted));
    return chain;
  });
  const sum = (count: (chain: Chain) => number): number => chains.reduce((total, chain) => total + count(chain), 0);
  const [records, sealed, signed] = [sum((one) => one.records), sum((one) => one.sealed), sum((one) => one.signed)];
  const since = chains.find((chain) => chain.records > chain.sealed + chain.signed)?.since;
  return {
    segments: segments.length,
    removed: sum((chain) => chain.removed),
    records,
    sealed,
    signed,
    unsealed: records - sealed - signed,
    ...(since !== undefined && { since }),
    problems: [...aboutAll(chains, heads, fingerprint), ...chains.flatMap((chain) => chain.problems)],
    notes: chains.flatMap((chain) => chain.notes),
    key: fingerprint,
    heads: [...current.values()].filter((head) => isHead(head)),
  };
}

function aboutAll(chains: readonly Chain[], heads: readonly Head[], key: string): JournalProblem[] {
  const others = heads.filter((head) => head.key !== key);
  return [
    ...(chains.length === 0
      ? [{ segment: 'journal', message: 'there is a key and nothing that was signed with it: everything is missing' }]
      : []),
    ...(others.length > 0
      ? [
          {
            segment: 'journal.pub',
            message: `this is the key ${key}, and what was kept is signed by ${others[0]?.key}`,
          },
        ]
      : []),
  ];
}

/**
 * Heads out of a text: a line each, as a witness has them, or the report of an earlier time as JSON.
 *
 * @param onCut told the number of a line that is only the start of a head, which a full disk or a kill leaves: it is passed over then, and a
 *   fault otherwise
 * @throws Error when there is something else in it
 */
export function readHeads(text: string, onCut = isNone): Head[] {
  if (text.trim() === '') return [];
  const report = parsed(text);
  const listed = typeof report === 'object' && report !== null && 'heads' in report ? report.heads : report;
  if (Array.isArray(listed) && listed.every((head) => isHead(head))) return listed;
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    const head = parseHead(line);
    if (head) return [head];
    if (isStartOfHead(line)) onCut(at + 1);
    else isNone(at + 1);
    return [];
  });
}

function isNone(line: number): void {
  throw new Error(`line ${line} is no head of a journal`);
}

/** `{"process":"gateway","segm`, as they are written. */
const isStartOfHead = (line: string): boolean =>
  HEAD_START.startsWith(line.slice(0, HEAD_START.length)) && !line.includes('}') && !line.includes('\t');

const HEAD_START = '{"process":"';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The report in words. Its last line is the verdict. */
export function describeReport(report: Report): string {
  const { problems, records, segments, sealed, signed, unsealed, removed, since, notes, heads, key } = report;
  const lines = problems.map(
    ({ segment, record, message }) => `${segment}${record === undefined ? '' : `, record ${record}`}: ${message}`,
  );
  const vouched = `${counted(records, 'record')} in ${counted(segments, 'segment')}: ${sealed} sealed, ${signed} more signed, ${unsealed} not signed`;
  const tail = `What was written ${since === undefined ? '' : `since ${since} `}is vouched for by nobody yet: a change of it is not found.`;
  return [
    ...lines,
    ...notes,
    vouched,
    ...(unsealed > 0 && problems.length === 0 ? [tail] : []),
    ...(removed > 0
      ? [`${counted(removed, 'segment')} removed because their time was over, each by a signed line.`]
      : []),
    `Signed by the key ${key}.`,
    ...heads.map(
      (head) => `Head of ${head.process}, ${head.at}: record ${head.records} of ${head.segment}, ${head.hash}`,
    ),
    problems.length === 0 ? 'No change was found.' : `${counted(problems.length, 'problem')} found.`,
  ].join('\n');
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
