/** Editors for the answers of a model. Owns: which body gets which. Does not: edit any. */
import type { Propose } from '@sluice/contract';
import { type Editor, EventsMask, type JsonParts, type Kind, type OwnEditors, unmasked } from '@sluice/http-bodies';
import type { Operation } from '../provider.js';
import { isList, listOf } from './array.js';
import { eventsOf } from './events.js';
import { GivenInPlace, type ToolArguments } from './restored.js';
import type { Meter } from './usage.js';
import { WholeAnswer } from './whole.js';

/** Operations whose answers have what a model has written. */
const WRITTEN: ReadonlySet<Operation> = new Set<Operation>([
  'chat',
  'completions',
  'responses',
  'messages',
  'contents',
]);

/** Whether the answers of an operation have to be followed. */
export const isWritten = (operation: Operation): boolean => WRITTEN.has(operation);

/** What is known of an answer before it comes. */
export interface AnswerOf {
  readonly operation: Operation;
  /** Is told what it uses up. */
  readonly meter?: Meter | undefined;
  /** Its client has not asked for that, and is not told. */
  readonly hidesUsage?: boolean;
  /** Arguments of tools that are commands. */
  readonly tools?: ToolArguments | undefined;
}

/** For one answer. */
export const answerEditors =
  (answers: AnswerOf) =>
  (parts: JsonParts, propose: Propose, status: number): OwnEditors => {
    const inPlace = new GivenInPlace();
    return {
      editor: (kind, sign) => editorFor(answers, parts, propose, status, inPlace, kind, sign),
      given: (bytes) => inPlace.of(bytes),
    };
  };

function editorFor(
  { operation, ...following }: AnswerOf,
  parts: JsonParts,
  propose: Propose,
  status: number,
  inPlace: GivenInPlace,
  kind: Kind,
  sign: number | undefined,
): Editor | undefined {
  const own = { ...following, inPlace };
  if (kind === 'events') return new EventsMask(parts, eventsOf(operation, parts, propose, own));
  if (isList(operation, sign) && kind !== 'other')
    return listOf((inList) => eventsOf(operation, parts, propose, { ...own, inList }));
  const isDocument = sign === undefined || DOCUMENTS.has(sign);
  if (kind === 'json' || (isDocument && kind !== 'other')) return new WholeAnswer(operation, parts, propose, own);
  // What proxies say is wrong, in a page or a line. All else is read as an answer by whoever asked for one, whatever type it claims.
  if (status >= FIRST_FAULT && kind !== 'other') return undefined;
  throw unmasked('is neither JSON nor a stream of events');
}

/** SDKs read no calls in answers from this status on. */
const FIRST_FAULT = 400;
/** What JSON that has calls begins with. */
const DOCUMENTS: ReadonlySet<number> = new Set(Buffer.from('{['));
