/** Editors for the answers of a model. Owns: which body gets which. Does not: edit any. */
import type { Propose } from '@sluice/contract';
import { EventsMask, type JsonParts, type OwnEditors, unmasked } from '@sluice/http-bodies';
import type { Operation } from '../provider.js';
import { eventsOf } from './events.js';
import { WholeAnswer } from './whole.js';

/** Operations whose answers have what a model has written. */
const WRITTEN: ReadonlySet<Operation> = new Set<Operation>(['chat', 'completions', 'responses', 'messages']);

/** Whether the answers of an operation have to be followed. */
export const isWritten = (operation: Operation): boolean => WRITTEN.has(operation);

/** What is known of an answer before it comes. */
export interface AnswerOf {
  readonly operation: Operation;
  readonly stream: boolean;
}

/** For one answer. */
export const answerEditors =
  ({ operation, stream }: AnswerOf) =>
  (parts: JsonParts, propose: Propose): OwnEditors =>
  (kind) => {
    if (kind === 'events') return new EventsMask(parts, eventsOf(operation, parts, propose));
    if (kind === 'json') return new WholeAnswer(operation, parts, propose);
    // A stream under another name would be read as one by whoever asked for it.
    if (stream && kind !== 'markup') throw unmasked('is neither JSON nor a stream of events');
    return undefined;
  };
