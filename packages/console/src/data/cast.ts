/**
 * What a terminal showed, as it is played and searched. Owns: reading an asciicast, pauses that are cut, and texts without what only
 * draws. Pure. Does not: draw (parts/terminal.tsx).
 */

/** `o`: it showed this; `m`: a line was typed or a command began; `r`: it has another size. */
export interface CastEvent {
  /** Seconds since the start. */
  readonly at: number;
  readonly code: 'o' | 'm' | 'r';
  readonly data: string;
}

export interface Cast extends ScreenSize {
  readonly events: readonly CastEvent[];
}

/**
 * No screen is larger. Who is recorded says how large theirs is, and the player takes room for each cell of it: whoever plays or watches it
 * would wait for ever.
 */
const MAX_COLS = 1_000;
const MAX_ROWS = 500;

interface ScreenSize {
  readonly cols: number;
  readonly rows: number;
}

/** Columns and rows of `80x24`; those where it is not that. */
export function sizeOf(text: string): ScreenSize {
  const [, cols, rows] = /^(\d{1,10})x(\d{1,10})$/.exec(text) ?? [];
  return { cols: Math.min(Number(cols) || 80, MAX_COLS), rows: Math.min(Number(rows) || 24, MAX_ROWS) };
}

const inText = ({ cols, rows }: ScreenSize): string => `${cols}x${rows}`;

/** A pause is no longer than this where pauses are cut, in seconds. */
const MAX_PAUSE_SECONDS = 2;

/** Asciicast, version 3: times are seconds since the event before. @throws where it is none */
export function readCast(text: string, cutPauses: boolean): Cast {
  const [first = '', ...lines] = text.split('\n');
  const { term }: { readonly term: ScreenSize } = JSON.parse(first);
  let at = 0;
  const events = lines.flatMap((line): CastEvent[] => {
    if (line === '') return [];
    const [pause, code, data] = JSON.parse(line) as [number, string, string];
    at += cutPauses ? Math.min(pause, MAX_PAUSE_SECONDS) : pause;
    if (code === 'r') return [{ at, code, data: inText(sizeOf(data)) }];
    return code === 'o' || code === 'm' ? [{ at, code, data }] : [];
  });
  return { ...sizeOf(inText(term)), events };
}

/** A place where a text was shown. */
export interface CastHit {
  readonly at: number;
  readonly line: string;
}

/** Of hits. */
const MAX_HITS = 100;
/** Of a line that is not ended: what draws a whole screen ends none. Characters. */
const MAX_LINE = 2_000;
/** Sequences that draw (ECMA-48, and OSC as xterm has it), and what moves within a line. One pass: none begins as another does. */
// oxlint-disable-next-line no-control-regex
const DRAWS =
  /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z^_]|[\u0000-\u0009\u000b-\u001a\u001c-\u001f\u007f]/g;

/** Where a text was shown, whatever its case, in the order of time. Lines that were drawn in several pieces are found as a whole. */
export function findInCast({ events }: Cast, wanted: string): CastHit[] {
  const needle = wanted.toLowerCase();
  const hits: CastHit[] = [];
  if (needle === '') return hits;
  let line = '';
  /** The line was found already, and is not found again for each letter that is added. */
  let isFound = false;
  for (const { at, code, data } of events) {
    if (code !== 'o') continue;
    for (const [number, piece] of data.replaceAll(DRAWS, '').split('\n').entries()) {
      if (number > 0) [line, isFound] = ['', false];
      line = (line + piece).slice(-MAX_LINE);
      const fresh = line.slice(-(piece.length + needle.length)).toLowerCase();
      if (isFound || !fresh.includes(needle)) continue;
      isFound = true;
      hits.push({ at, line: line.trim().slice(0, 200) });
      if (hits.length >= MAX_HITS) return hits;
    }
  }
  return hits;
}
