/** Definitions of columns (Protocol::ColumnDefinition41). Pure. */
import type { MySqlColumn } from '@sluice/contract';
import { Fields } from './packets.js';

/** From the length of the part with a fixed one to the end. */
const FIXED_BYTES = 13;

/** MariaDB's own metadata, where there is any, and the length of what follows. */
function passMetadata(fields: Fields): void {
  if (fields.left > FIXED_BYTES) fields.counted();
  fields.number();
}

/** The same with no metadata, for a client that reads some. */
export function withMetadata(payload: Buffer): Buffer {
  const fields = new Fields(payload);
  for (let at = 0; at < TEXTS; at++) fields.counted();
  return Buffer.concat([payload.subarray(0, fields.at), Buffer.alloc(1), payload.subarray(fields.at)]);
}

/** Catalogue, schema, table, its own name, column, its own name. */
const TEXTS = 6;

export function readDefinition(payload: Buffer): MySqlColumn {
  const fields = new Fields(payload);
  const text = (): string => fields.counted().toString('utf8');
  fields.counted();
  const [schema, table, orgTable, name, orgName] = [text(), text(), text(), text(), text()];
  passMetadata(fields);
  const charset = fields.uint(2);
  const length = fields.uint(4);
  const type = fields.uint(1);
  const flags = fields.uint(2);
  return { schema, table, orgTable, name, orgName, charset, length, type, flags, decimals: fields.uint(1) };
}
