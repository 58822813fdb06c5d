/** Editors for the answers of a model. Owns: which body gets which. Does not: edit any. */
import type { Propose } from '@sluice/contract';
import { type Editor, EventsMask, type JsonParts, type Kind, type OwnEditors, unmasked } from '@sluice/http-bodies';
import type { Json } from '@sluice/http-requests';
import type { AnswerKind, Operation } from '../provider.js';
import { isList, listOf } from './array.js';
import { eventsOf } from './events.js';
import { DocumentAnswer } from './document.js';
import { KeptAnswer } from './kept.js';
import { LinesAnswer, PASSED } from './lines.js';
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
export const isWritten = (operation: AnswerKind): operation is Operation => WRITTEN.has(operation as Operation);

/** What is known of an answer before it comes. */
export interface AnswerOf {
  readonly operation: AnswerKind;
  /** Of a `batch`: is told what the provider says of what it keeps, when it says so with success. */
  readonly says?: ((answer: Json) => void) | undefined;
  /** Of a `batch`: the provider has refused it. What becomes of a request that nobody has answered nobody knows. */
  readonly refused?: (() => void) | undefined;
  /** Of `lines`: all of them have passed. */
  readonly over?: (() => void) | undefined;
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
    if (status >= FIRST_FAULT && status < FIRST_SERVER_FAULT) answers.refused?.();
    return {
      readsAll: answers.operation === 'lines',
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
  if (operation === 'lines') {
    if (sign === OPEN && status < FIRST_FAULT) return new LinesAnswer(parts, propose, own);
    // Where nothing is masked, whatever it is passes.
    if (!parts.detectors && !parts.pointers) return PASSED;
    // Providers give every file so.
    return kind === 'other' ? new DocumentAnswer(parts) : undefined;
  }
  if (operation === 'batch') {
    if (status < FIRST_FAULT) return new KeptAnswer(parts, own.says ?? nobody);
    if (kind !== 'other') return undefined;
    throw unmasked('is no JSON');
  }
  if (kind === 'events') return new EventsMask(parts, eventsOf(operation, parts, propose, own));
  if (isList(operation, sign) && kind !== 'other')
    return listOf((inList) => eventsOf(operation, parts, propose, { ...own, inList }));
  const isDocument = sign === undefined || DOCUMENTS.has(sign);
  if (kind === 'json' || (isDocument && kind !== 'other')) return new WholeAnswer(operation, parts, propose, own);
  // What proxies say is wrong, in a page or a line. All else is read as an answer by whoever asked for one, whatever type it claims.
  if (status >= FIRST_FAULT && kind !== 'other') return undefined;
  throw unmasked('is neither JSON nor a stream of events');
}

const nobody = (): void => undefined;
const OPEN = 0x7b;

/** SDKs read no calls in answers from this status on. */
const FIRST_FAULT = 400;
const FIRST_SERVER_FAULT = 500;
/** What JSON that has calls begins with. */
const DOCUMENTS: ReadonlySet<number> = new Set(Buffer.from('{['));
