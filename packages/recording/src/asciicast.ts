/** Sessions as asciicast, for players of terminals. Pure. */
import { StringDecoder } from 'node:string_decoder';
import type { ReplayEntries, ReplayEntry, SessionSummary } from './replay.js';

/**
 * The screen of a session as an asciicast, version 3 (docs.asciinema.org/manual/asciicast/v3), line by line without line ends.
 * Times are seconds since the event before. What was written to either stream is `o`; a command that was asked for, or seen on
 * the screen, is a marker, `m`, and so is what is missing of the record; a change of size is `r`; the status that the last command ended with is `x`. Goes through
 * the entries twice.
 *
 * @param command only this one of the session's commands
 */
export async function* toAsciicast(
  session: SessionSummary,
  entries: ReplayEntries,
  command?: number,
): AsyncGenerator<string> {
  const isMine = (entry: ReplayEntry): boolean =>
    command === undefined || entry.type === 'gap' || numberOf(entry) === command;
  const { size, ends, start } = await outline(entries, isMine);
  const [cols, rows] = sizeOf(size);
  yield JSON.stringify({
    version: 3,
    term: { cols, rows },
    timestamp: Math.floor(session.started / 1000),
    title: `${session.principal} on ${session.connection} (${session.id})`,
  });
  const decoders = new Map<string, StringDecoder>();
  let [sizes, ended] = [0, 0];
  let before = command === undefined ? 0 : start;
  const event = (at: number, code: string, data: string): string => {
    // Entries are in the order of the record, and clocks may step back.
    const interval = Math.max(0, at - before) / 1000;
    before = Math.max(before, at);
    return JSON.stringify([Number(interval.toFixed(3)), code, data]);
  };
  for await (const entry of entries) {
    if (!isMine(entry)) continue;
    if (entry.type === 'command' && entry.text !== '') yield event(entry.at, 'm', entry.text);
    else if (entry.type === 'gap') yield event(entry.at, 'm', entry.summary);
    else if (entry.type === 'output') {
      const { at, stream, data } = entry;
      if (stream === 'line') yield event(at, 'm', data.toString());
      else if (stream === 'size') {
        if (++sizes > 1) yield event(at, 'r', sizeOf(data).join('x'));
      } else {
        const key = `${entry.command} ${stream}`;
        let decoder = decoders.get(key);
        if (!decoder) decoders.set(key, (decoder = new StringDecoder('utf8')));
        const text = decoder.write(data);
        if (text !== '') yield event(at, 'o', text);
      }
    } else if (entry.type === 'response' && ++ended === ends) {
      yield event(entry.at, 'x', String(statusOf(entry.outcome, entry.summary)));
    }
  }
}

/** The first size of the screen, how many commands ended, and when the first entry was. */
async function outline(
  entries: ReplayEntries,
  isMine: (entry: ReplayEntry) => boolean,
): Promise<{ size: Buffer | undefined; ends: number; start: number }> {
  let size: Buffer | undefined;
  let start: number | undefined;
  let ends = 0;
  for await (const entry of entries) {
    if (!isMine(entry)) continue;
    if (entry.type !== 'gap') start ??= entry.at;
    if (entry.type === 'response') ends++;
    else if (entry.type === 'output' && entry.stream === 'size') size ??= entry.data;
  }
  return { size, ends, start: start ?? 0 };
}

function numberOf(entry: ReplayEntry): number | undefined {
  if (entry.type === 'command') return entry.id;
  return 'command' in entry ? entry.command : undefined;
}

/** Columns and rows of `80x24`; those where it is not that. */
function sizeOf(data: Buffer | undefined): readonly [number, number] {
  const [, cols, rows] = /^(\d{1,5})x(\d{1,5})$/.exec(data?.toString('latin1') ?? '') ?? [];
  return Number(cols) > 0 && Number(rows) > 0 ? [Number(cols), Number(rows)] : [80, 24];
}

/** The first number of the summary, as in `exit status 3`. A shell gives 128 and more to what a signal ended. */
function statusOf(outcome: string, summary: string): number {
  const number = /\b\d{1,3}\b/.exec(summary)?.[0];
  return number === undefined ? (outcome === 'ok' ? 0 : 1) : Number(number);
}
