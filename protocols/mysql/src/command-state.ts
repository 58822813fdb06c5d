/**
 * One command between its being let through and the end of its answer. Owns: its fields. Does not: change them (client-half.ts
 * and target-half.ts do).
 */
import {
  type Allow,
  type AnswerMeter,
  type Facts,
  HIDDEN_REASONS,
  type HiddenCounts,
  type HiddenReason,
  type PacketEditor,
  type PacketMasking,
} from '@sluice/contract';
import type { RecordedAnswer } from '@sluice/wire';

export interface CommandState extends RecordedAnswer {
  readonly facts: Facts;
  /** How its answer has to be changed, on a connection that masks anything. */
  readonly masking: PacketMasking | undefined;
  /** What of its answer the client may have; undefined: all. */
  readonly meter: AnswerMeter | undefined;
  /** Its time is over: what the client reads in place of the target's error. Written by `MySqlConversation`. */
  late: Buffer | undefined;
  /** The target was asked to cancel it. */
  cancelled: boolean;
  /** What the rows that are coming go through; 'pass' once it is known that nothing is to be changed. */
  editor: PacketEditor | 'pass' | undefined;
  /** Rows in binary form come, as for a prepared statement. */
  readonly format: 'text' | 'binary';
  /** Results that are complete, which is the index of the one that comes now. */
  results: number;
  /** Rows of those. */
  rowsBefore: number;
  /** The target has reported a change of the session. */
  reported: boolean;
}

export const commandState = (
  id: number,
  phase: CommandState['phase'],
  { facts, packets, meter }: Pick<Allow, 'facts' | 'packets' | 'meter'>,
  format: CommandState['format'] = 'text',
): CommandState => ({
  id,
  phase,
  facts,
  masking: packets,
  meter,
  late: undefined,
  cancelled: false,
  editor: undefined,
  format,
  results: 0,
  rowsBefore: 0,
  reported: false,
  rows: 0,
  bytes: 0,
  kept: 0,
  // A description runs nothing, and has no rows.
  full: phase === 'prepare',
  summary: '',
  ended: false,
  hidden: undefined,
});

/** Counts columns that are NULL, for the record. */
export function hide(state: CommandState, columns: HiddenCounts | undefined): void {
  if (!columns) return;
  const counts: Partial<Record<HiddenReason, number>> = { ...state.hidden };
  for (const reason of HIDDEN_REASONS) {
    const more = columns[reason];
    if (more !== undefined) counts[reason] = (counts[reason] ?? 0) + more;
  }
  state.hidden = counts;
}
