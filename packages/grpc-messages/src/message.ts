/**
 * One message by the descriptor of its type. Owns: what it says as JSON, and writing it anew with some of that changed. What two programs
 * could read differently is refused: fields that nobody knows, and such as are there twice. Does not: choose what is changed.
 */
import { type Json, JsonError } from '@sluice/http-requests';
import type { Descriptors, Field, MessageType } from './descriptors.js';
import { type WireField, type WireType, readFields, varintAt, written } from './fields.js';
import { BYTES, type Scalar, zeroOf } from './scalars.js';

/** Messages within each other. */
const MAX_DEPTH = 60;
/** Values of one message. */
const MAX_VALUES = 500_000;
/** Packs a message of a type that it names. */
const ANY = 'google.protobuf.Any';

type Value = ReadMessage | { readonly json: Json; readonly bytes: Buffer; readonly scalar: Scalar };

interface ReadField {
  readonly field: Field;
  readonly isMap: boolean;
  readonly values: Value[];
}

/** A message that has been read. */
export class ReadMessage {
  readonly #type: MessageType;
  readonly #fields: readonly ReadField[];

  constructor(type: MessageType, fields: readonly ReadField[]) {
    this.#type = type;
    this.#fields = fields;
  }

  /** By the names of the descriptor. A field that is not set is not there. */
  get json(): Json {
    return { type: 'object', members: new Map(this.#fields.map((one) => [one.field.name, jsonOf(one)])) };
  }

  /** The same as whoever gets it reads it: what is not set, and cannot be told from a value, has that value. */
  get meaning(): Json {
    const set = new Map(this.#fields.map((one) => [one.field.number, one]));
    const members = [...this.#type.fields.values()].flatMap((field): [string, Json][] => {
      const one = set.get(field.number);
      if (one) return [[field.name, jsonOf(one, true)]];
      return field.unset ? [[field.name, field.unset]] : [];
    });
    return { type: 'object', members: new Map(members) };
  }

  /** `changed`: what `json` was, with other values in the same places; null takes a field out. `hidden`: what goes in place of bytes. */
  with(changed: Json, hidden: Hidden): Buffer {
    const members = changed.type === 'object' ? [...changed.members.values()] : [];
    return Buffer.concat(this.#fields.flatMap((one, at) => fieldWith(one, members[at], hidden)));
  }

  /** All values that are bytes, however deep. */
  get bytes(): readonly Buffer[] {
    return this.#fields.flatMap(({ values }) => values.flatMap(bytesOf));
  }

  /** Of an entry of a map. `meant`: see `meaning`. */
  pair(meant: boolean): readonly [key: string, value: Json] {
    const [key, value] = [1, 2].map((number) => this.#fields.find(({ field }) => field.number === number)?.values[0]);
    const name = key && 'json' in key && !(key instanceof ReadMessage) ? textIn(key.json) : '';
    const unset = meant ? this.#type.fields.get(2)?.unset : undefined;
    return [name, value ? jsonOfValue(value, meant) : (unset ?? NOTHING)];
  }

  /** Of an entry of a map, whose key stands in place of a name. */
  withPair(key: string, value: Json, hidden: Hidden): Buffer {
    const parts = this.#fields.flatMap((one) =>
      fieldWith(one, one.field.number === 1 ? { type: 'string', text: key } : value, hidden),
    );
    return Buffer.concat(parts);
  }
}

/** What goes in place of a value that is bytes; undefined: it stays. */
export type Hidden = (bytes: Buffer) => Buffer | undefined;

const NOTHING: Json = { type: 'plain', text: 'null' };

function jsonOf({ field, isMap, values }: ReadField, meant = false): Json {
  if (isMap) return { type: 'object', members: new Map(values.map((one) => (one as ReadMessage).pair(meant))) };
  if (field.isRepeated) return { type: 'array', items: values.map((one) => jsonOfValue(one, meant)) };
  return jsonOfValue(values[0] as Value, meant);
}

const jsonOfValue = (value: Value, meant: boolean): Json =>
  meant && value instanceof ReadMessage ? value.meaning : value.json;

function bytesOf(value: Value): readonly Buffer[] {
  if (value instanceof ReadMessage) return value.bytes;
  return value.scalar === BYTES ? [value.bytes] : [];
}

const textIn = (json: Json): string => ('text' in json ? json.text : '');

function fieldWith({ field, isMap, values }: ReadField, changed: Json | undefined, hidden: Hidden): Buffer[] {
  const { number } = field;
  if (isMap) {
    const pairs = changed?.type === 'object' ? [...changed.members] : [];
    return pairs.map(([key, value], at) =>
      written({ number, type: 2, bytes: (values[at] as ReadMessage).withPair(key, value, hidden) }),
    );
  }
  const others = changed?.type === 'array' ? changed.items : [];
  return values.flatMap((value, at) => {
    const one = field.isRepeated ? others[at] : changed;
    const made = one && valueWith(value, one, hidden);
    return made ? [written({ number, ...made })] : [];
  });
}

/** Undefined: it is taken out. */
function valueWith(
  value: Value,
  changed: Json,
  hidden: Hidden,
): { readonly type: WireType; readonly bytes: Buffer } | undefined {
  if (value instanceof ReadMessage)
    return changed.type === 'object' ? { type: 2, bytes: value.with(changed, hidden) } : undefined;
  const { scalar, bytes, json } = value;
  if (!('text' in changed)) return undefined;
  if (changed.type === json.type && changed.text === textIn(json))
    return { type: scalar.wire, bytes: (scalar === BYTES && hidden(bytes)) || bytes };
  const made = changed.type === 'plain' && changed.text === 'null' ? undefined : scalar.write(changed.text);
  return made && { type: scalar.wire, bytes: made };
}

/** @throws JsonError with a phrase of which the message is the subject */
export function readMessage(descriptors: Descriptors, type: MessageType, bytes: Buffer): ReadMessage {
  return new MessageReader(descriptors).read(type, bytes, 1);
}

class MessageReader {
  readonly #descriptors: Descriptors;
  #values = 0;

  constructor(descriptors: Descriptors) {
    this.#descriptors = descriptors;
  }

  read(type: MessageType, bytes: Buffer, depth: number): ReadMessage {
    if (depth > MAX_DEPTH) throw new JsonError(`is nested more than ${MAX_DEPTH} deep`);
    const fields = new Map<number, ReadField>();
    const chosen = new Set<number>();
    const all = [...readFields(bytes)];
    for (const wire of all) {
      const field = type.fields.get(wire.number);
      if (!field) throw new JsonError('has a field that its descriptors do not have');
      const known = fields.get(wire.number);
      if (known && !field.isRepeated) throw new JsonError('has a field twice, which programs read in different ways');
      if (!known) fields.set(wire.number, { field, isMap: this.#isMap(field), values: [] });
      if (!known && field.oneof !== undefined && chosen.size === chosen.add(field.oneof).size)
        throw new JsonError('has two fields of which only one can be');
      const packed = type.name === ANY && wire.number === 2 ? this.#packedType(all) : undefined;
      fields.get(wire.number)?.values.push(...this.#valuesOf(field, wire, depth, packed));
    }
    const key = type.isEntry && !fields.has(KEY) ? type.fields.get(KEY) : undefined;
    if (key) fields.set(KEY, unsetKey(key));
    const read = [...fields.values()];
    for (const { isMap, values } of read) if (isMap) checkKeys(values as ReadMessage[]);
    return new ReadMessage(type, read);
  }

  #isMap({ isRepeated, value }: Field): boolean {
    return isRepeated && 'message' in value && this.#descriptors.message(value.message)?.isEntry === true;
  }

  #valuesOf(field: Field, { type, bytes }: WireField, depth: number, packed?: MessageType): Value[] {
    if (++this.#values > MAX_VALUES) throw new JsonError(`has more than ${MAX_VALUES} values`);
    const { value } = field;
    if ('message' in value || packed) {
      const of = packed ?? this.#descriptors.message((value as { message: string }).message);
      if (type !== 2 || !of) throw new JsonError(OTHER_TYPE);
      return [this.read(of, bytes, depth + 1)];
    }
    if (type === value.wire) return [{ json: value.read(bytes), bytes, scalar: value }];
    // Numbers of a list are written one after the other, under one tag.
    if (type !== 2 || !field.isRepeated) throw new JsonError(OTHER_TYPE);
    return this.#list(value, bytes);
  }

  #list(scalar: Scalar, bytes: Buffer): Value[] {
    const values: Value[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (++this.#values > MAX_VALUES) throw new JsonError(`has more than ${MAX_VALUES} values`);
      const size = scalar.wire === 1 ? 8 : 4;
      const end = scalar.wire === 0 ? varintAt(bytes, at).end : at + size;
      if (end > bytes.length) throw new JsonError('ends within a list of numbers');
      const one = bytes.subarray(at, end);
      values.push({ json: scalar.read(one), bytes: one, scalar });
      at = end;
    }
    return values;
  }

  /** What a message of any type says that it is. */
  #packedType(all: readonly WireField[]): MessageType {
    const url = all.find(({ number, type }) => number === 1 && type === 2)?.bytes.toString('utf8') ?? '';
    const type = this.#descriptors.message(url.slice(url.lastIndexOf('/') + 1));
    if (!type) throw new JsonError('has a message of a type that its descriptors do not have');
    return type;
  }
}

/** Of an entry of a map. */
const KEY = 1;
/** An entry that says no key has the one of its type that is zero, false or empty. */
function unsetKey(field: Field): ReadField {
  const scalar = field.value as Scalar;
  const bytes = zeroOf(scalar);
  return { field, isMap: false, values: [{ json: scalar.read(bytes), bytes, scalar }] };
}

const OTHER_TYPE = 'has a field of another type than its descriptors say';

function checkKeys(entries: readonly ReadMessage[]): void {
  if (new Set(entries.map((one) => one.pair(false)[0])).size < entries.length)
    throw new JsonError('has a map with a key twice');
}
