import type { TimelineEntry } from '@sluice/api';
import { decodeResult } from '@sluice/postgres';
import type { Entry } from '@sluice/recording';

/** An entry of a session as the control API has it. */
export function toApi(entry: Entry, protocol: string): TimelineEntry {
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
        ...(entry.parameters && { parameters: entry.parameters }),
        ...(entry.rule !== undefined && { rule: entry.rule }),
        ...(entry.message !== undefined && { message: entry.message }),
      };
    }
    case 'response': {
      const { type, at, command, outcome, summary, rows, bytes, hidden, data } = entry;
      const answered = { type, at, command, outcome, summary, rows, bytes, ...(hidden && { hidden }) };
      return protocol === 'postgres' ? { ...answered, result: decodeResult(data) } : answered;
    }
    case 'output': {
      const { type, at, command, stream, data } = entry;
      return { type, at, command, stream, data: data.toString('base64') };
    }
    default:
      return { type: entry.type, at: entry.at, summary: entry.summary };
  }
}
