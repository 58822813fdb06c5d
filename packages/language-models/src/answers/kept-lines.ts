/**
 * A file with answers that is all there, line by line. Owns: which line has the answer of a model, and of which API. Does not: change any
 * (lines.ts).
 */
import { JsonError, type Json, readJson, textOf } from '@sluice/http-requests';
import { linesOf } from '../files/lines.js';
import type { Operation } from '../provider.js';
import { isObject, member, memberText, word } from './tree.js';

export interface KeptLine {
  /** From 1 on. */
  readonly number: number;
  /** Where it begins and ends in the file, in bytes, without its end. */
  readonly start: number;
  readonly end: number;
  /** By which its client knows it again. */
  readonly id: string;
  readonly name: string;
  readonly status: number;
  /** Undefined: it has no answer of a model. */
  readonly operation: Operation | undefined;
  /** The answer; else the line. */
  readonly body: Buffer;
}

const SUCCESS = 200;

/** Undefined: it is no file of such lines. */
export function keptLines(file: Buffer): readonly KeptLine[] | undefined {
  const lines: KeptLine[] = [];
  for (const { number, bytes, start } of linesOf(file)) {
    const line = readLine(bytes);
    if (!line && lines.length === 0) return undefined;
    const response = member(line, 'response');
    const answer = member(response, 'body');
    const isAnswer = isObject(answer);
    lines.push({
      number,
      start,
      end: start + bytes.length,
      id: memberText(line, 'id') ?? '',
      name: memberText(line, 'custom_id') ?? '',
      status: isAnswer ? Number(word(member(response, 'status_code'))) || SUCCESS : SUCCESS,
      operation: isAnswer ? (member(answer, 'output') ? 'responses' : 'chat') : undefined,
      body: isAnswer ? Buffer.from(textOf(answer)) : bytes,
    });
  }
  return lines;
}

function readLine(bytes: Buffer): Json | undefined {
  try {
    return readJson(bytes.toString('utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
