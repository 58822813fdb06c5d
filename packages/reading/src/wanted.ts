/** Which entries of a session a page is for. Pure. Does not: read them (reader.ts). */
import type { ReplayEntry } from '@sluice/recording';

/** Of a page: commands alone where something is looked for, else all entries from a command on. */
export interface Wanted {
  /** From this command on; all that belongs to later ones is there as well. */
  readonly from?: number | undefined;
  /** Only commands about which this was decided. */
  readonly decision?: 'allow' | 'deny' | 'hold' | undefined;
  /** Only commands with this in them, whatever its case. */
  readonly text?: string | undefined;
}

/** Sees the entries of a session in their order; true: the page has it. */
export function wantedOf({ from, decision, text }: Wanted): (entry: ReplayEntry) => boolean {
  const needle = text?.toLowerCase();
  const looksFor = decision !== undefined || needle !== undefined;
  let begun = from === undefined;
  return (entry) => {
    if (!begun && entry.type === 'command' && entry.id >= (from ?? 0)) begun = true;
    if (!begun || !looksFor) return begun;
    if (entry.type !== 'command' || (decision !== undefined && entry.decision !== decision)) return false;
    return needle === undefined || textOf(entry).toLowerCase().includes(needle);
  };
}

const textOf = ({ text, request }: Extract<ReplayEntry, { type: 'command' }>): string =>
  request ? `${text} ${request.method} ${request.host}${request.path}?${request.query}` : text;
