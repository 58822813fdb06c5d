/**
 * What a target says of results and parameters before it sends them. Owns the readers. Does not own what is made of it.
 * Pure.
 */
import type { PostgresColumn, ResultDescription } from '@sluice/contract';
import { Reader } from '@sluice/wire';
import { type TextEncoding, readText } from './text-encoding.js';

export type DescribedRows = Extract<ResultDescription, { dialect: 'postgres' }>;

/** Body of a RowDescription (55.7): one entry for each column, in order. */
export function resultDescription(body: Buffer, encoding: TextEncoding): DescribedRows {
  const reader = new Reader(body);
  const columns: PostgresColumn[] = [];
  for (let left = reader.int16() & 0xffff; left > 0; left--) {
    const name = readText(reader, encoding);
    const table = reader.int32() >>> 0;
    const attribute = reader.int16();
    const type = reader.int32() >>> 0;
    reader.int16(); // type size
    const typmod = reader.int32();
    columns.push({ name, table, attribute, type, typmod, format: reader.int16() === 1 ? 'binary' : 'text' });
  }
  return { dialect: 'postgres', columns };
}

/** Body of a CopyOutResponse (55.7): the format of each column. */
export function copyFormats(body: Buffer): ('text' | 'binary')[] {
  const reader = new Reader(body);
  reader.byte(); // the format of all
  return Array.from({ length: reader.int16() & 0xffff }, () => (reader.int16() === 1 ? 'binary' : 'text'));
}

/** Body of a ParameterDescription (55.7): the type of each parameter. */
export function parameterTypes(fields: Reader): number[] {
  const count = fields.int16() & 0xffff;
  return Array.from({ length: count }, () => fields.int32() >>> 0);
}
