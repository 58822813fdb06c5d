/**
 * What follows the events of one answer. Owns: what may come of an event, and who says what becomes of a tool call. Types, but for the
 * sentence that an agent reads. Does not: know any provider.
 */
import type { ProposalAnswer, ProposedCall } from '@sluice/contract';
import { denyInWords } from '@sluice/contract';
import type { Json } from '@sluice/http-requests';

/** An event as it goes to the client. */
export interface ModelEvent {
  readonly type: 'event';
  /** Of its line `event:`; empty: it has none. */
  readonly name: string;
  readonly data: Json;
}

/** What is known when these calls are judged, and all before them has gone. */
export interface Later {
  readonly type: 'later';
  readonly calls: readonly ProposedCall[];
  give(answers: readonly ProposalAnswer[]): readonly (Given | Buffer)[];
}

export type Given = ModelEvent | Later;

export interface Follower {
  /** What goes in place of an event. @throws Unmasked */
  event(name: string, data: Json): readonly Given[];
  /** What goes before the end. */
  end(): readonly Given[];
}

export const event = (name: string, data: Json): ModelEvent => ({ type: 'event', name, data });

/** What an agent reads in place of a call. */
export function refusedCall({ tool }: ProposedCall, deny: Extract<ProposalAnswer, { type: 'deny' }>): string {
  const { message, hint } = deny.reason ? denyInWords(deny.reason, 'command') : deny;
  return `The call of the tool "${tool}" was refused by rule "${deny.rule}" and has not been made. ${message}${hint === undefined ? '' : ` ${hint}`}`;
}
