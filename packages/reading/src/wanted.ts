/** Which entries of a session a page is for. Pure. Does not: read them (reader.ts). */
import type { RecordedRequest, ReplayEntry } from '@sluice/recording';

/** Of a page: commands alone where something is looked for, else all entries from a command on. */
export interface Wanted {
  /** From this command on; all that belongs to later ones is there as well. */
  readonly from?: number | undefined;
  /** Only commands about which this was decided. */
  readonly decision?: 'allow' | 'deny' | 'hold' | undefined;
  /** Only commands with this in them, whatever its case. */
  readonly text?: string | undefined;
}

/** Sees the entries of a session in their order. 'before': the page has not begun, and nothing was looked for in it. */
export function wantedOf({ from, decision, text }: Wanted): (entry: ReplayEntry) => 'before' | boolean {
  const needle = text?.toLowerCase();
  const looksFor = decision !== undefined || needle !== undefined;
  let begun = from === undefined;
  return (entry) => {
    if (!begun && entry.type === 'command' && entry.id >= (from ?? 0)) begun = true;
    if (!begun) return 'before';
    // What is looked for may be what is missing.
    if (!looksFor || entry.type === 'gap') return true;
    if (entry.type !== 'command' || (decision !== undefined && entry.decision !== decision)) return false;
    return needle === undefined || textOf(entry).toLowerCase().includes(needle);
  };
}

interface Asked {
  readonly text: string;
  readonly request?: RecordedRequest | undefined;
}

/** A command as lists show it. */
export const lineOf = ({ text, request }: Asked): string =>
  request ? `${request.method} ${request.host}${request.path}${request.query && `?${request.query}`}` : text;

/** All that a text is looked for in: of a request by HTTP, its line without its host, as rules and refusals have it, as well. */
export const textOf = (asked: Asked): string => (asked.request ? `${asked.text}\n${lineOf(asked)}` : asked.text);
