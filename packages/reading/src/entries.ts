/** What happened in a session, as the API has it. Owns: the form. Does not: decode answers, which each protocol does. */
import type { TimelineEntry } from '@sluice/api';
import type { ReplayEntry, RecordedRequest } from '@sluice/recording';
import type { Replay } from './messages.js';

/** An entry of a session as the control API has it. `replay`: of its protocol, where that has one. */
export function toApi(entry: ReplayEntry, replay: Replay | undefined): TimelineEntry {
  switch (entry.type) {
    case 'command': {
      const { type, at, id, phase, text, decision } = entry;
      return {
        type,
        at,
        command: id,
        phase: phase === 'prepare' ? 'prepare' : 'run',
        text,
        decision,
        ...(entry.kind && { kind: entry.kind, account: entry.account ?? '' }),
        ...(entry.request && { request: requestOf(entry.request) }),
        ...(entry.parameters && { parameters: entry.parameters }),
        ...(entry.rule !== undefined && { rule: entry.rule }),
        ...(entry.message !== undefined && { message: entry.message }),
        ...matchedIn(entry.matched),
      };
    }
    case 'response': {
      const { type, at, command, outcome, summary, rows, bytes, hidden, data } = entry;
      const answered = { type, at, command, outcome, summary, rows, bytes, ...(hidden && { hidden }) };
      return replay ? { ...answered, result: readable(data, replay) } : answered;
    }
    case 'output': {
      const { type, at, command, stream, data } = entry;
      return { type, at, command, stream, data: data.toString('base64') };
    }
    case 'approval': {
      const { type, at, command, request: approval, summary } = entry;
      return { type, at, command, approval, summary };
    }
    default:
      return { type: entry.type, at: entry.at, summary: entry.summary };
  }
}

const requestOf = ({ headers, ...rest }: RecordedRequest): NonNullable<TimelineEntry['request']> => ({
  ...rest,
  headers: headers.map(([name, value]) => [name, value]),
});

/** Rules that matched, where there are any. What is none, in a record of another version, is left out. */
function matchedIn(matched: readonly unknown[]): Pick<TimelineEntry, 'matched'> {
  const rules = matched.filter(isMatch).map(({ rule, effect, observed }) => ({ rule, effect, observed }));
  return rules.length > 0 ? { matched: rules } : {};
}

const isMatch = (value: unknown): value is NonNullable<TimelineEntry['matched']>[number] => {
  const { rule, effect, observed } = (value ?? {}) as Record<string, unknown>;
  return typeof rule === 'string' && typeof effect === 'string' && typeof observed === 'boolean';
};

/** What a replay cannot read is said in its place: it keeps nobody from the rest. */
function readable(data: Uint8Array, replay: Replay): NonNullable<TimelineEntry['result']> {
  try {
    const { columns, rows, messages, copied } = replay(data);
    if ([columns, messages, copied].every(isTexts) && rows.every(isRow)) return { columns, rows, messages, copied };
  } catch {
    // Said below.
  }
  const message = 'This answer cannot be read: its protocol makes nothing of it that can be shown.';
  return { columns: [], rows: [], messages: [message], copied: [] };
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === 'string');
const isRow = (value: unknown): boolean =>
  Array.isArray(value) && value.every((cell) => cell === null || typeof cell === 'string');
