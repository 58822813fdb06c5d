/**
 * Calls that a provider makes later of a file it keeps: https://platform.openai.com/docs/api-reference/batch. Owns: what is asked for, and
 * which files a batch is about. Does not: know which files were judged.
 */
import type { HttpBody } from '@sluice/contract';
import { Body, type Json } from '@sluice/http-requests';
import { CallError } from '../call.js';
import { isNothing, items, isObject, member, memberText } from '../answers/tree.js';

export interface AskedBatch {
  /** Whose lines are the calls. */
  readonly file: string;
  /** The path that all of them ask for. */
  readonly endpoint: string;
}

/** Whatever else a provider takes may lead to calls that nobody has seen: a blob, a list of files. */
const MEMBERS: ReadonlySet<string> = new Set(
  'input_file_id endpoint completion_window metadata output_expires_after'.split(' '),
);

/** @throws CallError */
export function readBatch(body: HttpBody & { readonly type: 'whole' }): AskedBatch {
  const { read } = new Body(body);
  if (read.type === 'unreadable') throw new CallError(`has a body that ${read.why}`);
  if (read.type !== 'json' || !isObject(read.value)) throw new CallError('has a body that is no object of JSON');
  const { members } = read.value;
  const other = [...members].find(([name, value]) => !MEMBERS.has(name) && !isNothing(value));
  if (other) throw new CallError(`has a member that is not read here ("${other[0].slice(0, 40)}")`);
  const file = memberText(read.value, 'input_file_id') ?? '';
  const endpoint = memberText(read.value, 'endpoint') ?? '';
  if (file === '') throw new CallError('names no "input_file_id"');
  if (endpoint === '') throw new CallError('names no "endpoint"');
  return { file, endpoint };
}

/** What an answer says of a batch: which file it was made of, and where its answers are. */
export interface SeenBatch {
  readonly input: string;
  /** Empty: there is none yet. */
  readonly output: string;
}

/** Of one batch, or of a list of them. */
export function batchesIn(answer: Json): readonly SeenBatch[] {
  const all = memberText(answer, 'object') === 'list' ? items(member(answer, 'data')) : [answer];
  return all.flatMap((one) => {
    const input = memberText(one, 'input_file_id');
    return input === undefined ? [] : [{ input, output: memberText(one, 'output_file_id') ?? '' }];
  });
}

/** The name that a provider has given to what it keeps; undefined: it has kept nothing. */
export const idIn = (answer: Json): string | undefined => {
  const id = memberText(answer, 'id');
  return id === '' ? undefined : id;
};
