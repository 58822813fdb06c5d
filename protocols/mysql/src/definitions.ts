/** Definitions of columns (Protocol::ColumnDefinition41): read, and with flags taken off. Pure. */
import type { MySqlColumn } from '@sluice/contract';
import { PayloadReader } from './packets.js';

/** From the length of the part with a fixed one to the end. */
const FIXED_BYTES = 13;

/** MariaDB's own metadata, where there is any, and the length of what follows. */
function passMetadata(fields: PayloadReader): Buffer | undefined {
  const metadata = fields.left > FIXED_BYTES ? fields.counted() : undefined;
  fields.number();
  return metadata;
}

/** Pairs of a kind and a text; the second kind is the format of the values. */
function isJson(metadata: Buffer): boolean {
  const fields = new PayloadReader(metadata);
  while (fields.left > 0) {
    const kind = fields.uint(1);
    const value = fields.counted();
    if (kind === FORMAT && value.equals(JSON_FORMAT)) return true;
  }
  return false;
}

const FORMAT = 1;
const JSON_FORMAT = Buffer.from('json');

/** The same with no metadata, for a client that reads some. */
export function withMetadata(payload: Buffer): Buffer {
  const fields = new PayloadReader(payload);
  for (let at = 0; at < TEXTS_BEFORE_FIXED_FIELDS; at++) fields.counted();
  return Buffer.concat([payload.subarray(0, fields.at), Buffer.alloc(1), payload.subarray(fields.at)]);
}

/** Catalogue, schema, table, its own name, column, its own name. */
const TEXTS_BEFORE_FIXED_FIELDS = 6;

/** Flag of a column that is never NULL. */
const NOT_NULL = 1;

export function readDefinition(payload: Buffer): MySqlColumn {
  const fields = new PayloadReader(payload);
  const text = (): string => fields.counted().toString('utf8');
  fields.counted();
  const [schema, table, orgTable, name, orgName] = [text(), text(), text(), text(), text()];
  const metadata = passMetadata(fields);
  const charset = fields.uint(2);
  const length = fields.uint(4);
  const type = fields.uint(1);
  const flags = fields.uint(2);
  const described = { schema, table, orgTable, name, orgName, charset, length, type, flags, decimals: fields.uint(1) };
  return metadata && isJson(metadata) ? { ...described, json: true } : described;
}

/** The same for a column that may be NULL from now on. */
export function asNullable(payload: Buffer): Buffer {
  const made = Buffer.from(payload);
  const fields = new PayloadReader(made);
  for (let at = 0; at < TEXTS_BEFORE_FIXED_FIELDS; at++) fields.counted();
  passMetadata(fields);
  fields.bytes(7);
  made[fields.at] = (made[fields.at] as number) & ~NOT_NULL;
  return made;
}
