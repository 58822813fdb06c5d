/**
 * A set of descriptors (`protoc --include_imports --descriptor_set_out`, google/protobuf/descriptor.proto). Owns: which messages a method
 * takes and gives, and the fields of these. Does not: read messages.
 */
import { type Json, JsonError } from '@sluice/http-requests';
import { type WireField, readFields, varintAt } from './fields.js';
import { SCALARS, type Scalar, enumScalar, zeroOf } from './scalars.js';

export interface MessageType {
  /** With its package, without a dot before it. */
  readonly name: string;
  /** By number. */
  readonly fields: ReadonlyMap<number, Field>;
  /** Of a map: it has a key and a value. */
  readonly isEntry: boolean;
}

export interface Field {
  readonly name: string;
  readonly number: number;
  readonly isRepeated: boolean;
  /** Fields with the same number here exclude each other. */
  readonly oneof: number | undefined;
  readonly value: Scalar | { readonly message: string };
  /** What its receiver reads where it is not set, and cannot tell from that; undefined: that it is not set. */
  readonly unset: Json | undefined;
}

export interface Method {
  readonly input: string;
  readonly output: string;
  readonly clientStreams: boolean;
  readonly serverStreams: boolean;
}

export class Descriptors {
  readonly #messages = new Map<string, MessageType>();
  readonly #enums = new Map<string, ReadonlyMap<number, string>>();
  readonly #methods = new Map<string, Method>();

  /** @throws TypeError with a sentence for what is no set of descriptors */
  constructor(set: Buffer) {
    try {
      const files = [...readFields(set)].filter(({ number, type }) => number === 1 && type === 2);
      // Fields refer to enums of other files: those come first.
      for (const { bytes } of files) this.#readEnums(Entries.of(bytes), 5, 4, packageOf(bytes));
      for (const { bytes } of files) this.#readFile(bytes);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      throw new TypeError(`this is no set of descriptors: it ${error.message}`, { cause: error });
    }
    if (this.#methods.size === 0)
      throw new TypeError('this set of descriptors has no method: make it with protoc --include_imports');
    for (const { input, output } of this.#methods.values()) for (const name of [input, output]) this.#check(name);
  }

  /** `/package.Service/Method`, as gRPC has it in the path. */
  method(path: string): Method | undefined {
    return this.#methods.get(path);
  }

  message(name: string): MessageType | undefined {
    return this.#messages.get(name);
  }

  /** Every type that is meant is there. */
  #check(first: string): void {
    const seen = new Set<string>();
    const waiting = [first];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const message = this.#messages.get(name);
      if (!message) throw new TypeError(`this set of descriptors lacks ${name}: make it with protoc --include_imports`);
      for (const { value } of message.fields.values()) if ('message' in value) waiting.push(value.message);
    }
  }

  #readEnums(within: Entries, enums: number, messages: number, scope: string): void {
    for (const bytes of within.all(enums)) {
      const one = Entries.of(bytes);
      const values = one.all(2).map((value): [number, string] => {
        const entry = Entries.of(value);
        return [Number(BigInt.asIntN(32, entry.number(2))), entry.text(1)];
      });
      // Of several names for a number the first is used (allow_alias).
      this.#enums.set(scope + one.text(1), new Map(values.toReversed()));
    }
    for (const bytes of within.all(messages)) {
      const one = Entries.of(bytes);
      this.#readEnums(one, 4, 3, `${scope}${one.text(1)}.`);
    }
  }

  #readFile(bytes: Buffer): void {
    const file = Entries.of(bytes);
    const scope = packageOf(bytes);
    const isImplicit = file.text(12) === 'proto3' || presenceIn(file, 50) === IMPLICIT;
    for (const message of file.all(4)) this.#readMessage(message, scope, isImplicit);
    for (const service of file.all(6)) this.#readService(service, scope);
  }

  #readMessage(bytes: Buffer, scope: string, isImplicit: boolean): void {
    const message = Entries.of(bytes);
    const name = scope + message.text(1);
    const fields = message.all(2).map((field) => this.#field(field, isImplicit));
    const isEntry = message.all(7).some((options) => Entries.of(options).number(7) === 1n);
    this.#messages.set(name, { name, isEntry, fields: new Map(fields.map((field) => [field.number, field])) });
    for (const nested of message.all(3)) this.#readMessage(nested, `${name}.`, isImplicit);
  }

  #field(bytes: Buffer, implicit: boolean): Field {
    const field = Entries.of(bytes);
    const type = Number(field.number(5));
    const named = field.text(6).replace(/^\./, '');
    const isRepeated = field.number(4) === REPEATED;
    const value = this.#value(type, named);
    const isImplicit = presenceIn(field, 21) === undefined ? implicit : presenceIn(field, 21) === IMPLICIT;
    const isAlways = !isRepeated && 'read' in value && isImplicit && !field.has(9);
    const said = field.has(7) ? defaultOf(type, field.text(7)) : undefined;
    return {
      name: field.text(1),
      number: Number(field.number(3)),
      isRepeated,
      oneof: field.has(9) ? Number(field.number(9)) : undefined,
      value,
      unset: isAlways ? value.read(zeroOf(value)) : said,
    };
  }

  #value(type: number, named: string): Field['value'] {
    if (type === 11) return { message: named };
    const scalar = type === ENUM_TYPE ? enumScalar(this.#enums.get(named) ?? new Map()) : SCALARS.get(type);
    if (!scalar) throw new TypeError('this set of descriptors has groups, which are not read here');
    return scalar;
  }

  #readService(bytes: Buffer, scope: string): void {
    const service = Entries.of(bytes);
    for (const one of service.all(2)) {
      const method = Entries.of(one);
      this.#methods.set(`/${scope}${service.text(1)}/${method.text(1)}`, {
        input: method.text(2).replace(/^\./, ''),
        output: method.text(3).replace(/^\./, ''),
        clientStreams: method.number(5) === 1n,
        serverStreams: method.number(6) === 1n,
      });
    }
  }
}

const REPEATED = 3n;
/** Of `FeatureSet.field_presence`: a field cannot say that it is not set. */
const IMPLICIT = 2n;

/** What the options of a file or a field say of it (editions). `features`: their number among these options. */
function presenceIn(descriptor: Entries, features: 50 | 21): bigint | undefined {
  const said = descriptor.all(8).flatMap((options) => Entries.of(options).all(features));
  return said
    .map((one) => Entries.of(one))
    .findLast((one) => one.has(1))
    ?.number(1);
}

/** What a declaration says (`[default = ADMIN]`, proto2). That of bytes is written with escapes, and has no value here. */
function defaultOf(type: number, text: string): Json | undefined {
  if (type === BYTES_TYPE) return undefined;
  const isPlain = type !== STRING_TYPE && type !== ENUM_TYPE && /^(?:true|false|-?\d[\d.eE+-]*)$/.test(text);
  return isPlain ? { type: 'plain', text } : { type: 'string', text };
}

const STRING_TYPE = 9;
const BYTES_TYPE = 12;
const ENUM_TYPE = 14;

function packageOf(file: Buffer): string {
  const name = Entries.of(file).text(2);
  return name === '' ? '' : `${name}.`;
}

/** Fields of one descriptor, by number. */
class Entries {
  readonly #fields: readonly WireField[];

  private constructor(fields: readonly WireField[]) {
    this.#fields = fields;
  }

  static of(bytes: Buffer): Entries {
    return new Entries([...readFields(bytes)]);
  }

  all(number: number): readonly Buffer[] {
    return this.#fields.filter((one) => one.number === number && one.type === 2).map(({ bytes }) => bytes);
  }

  has(number: number): boolean {
    return this.#fields.some((one) => one.number === number);
  }

  text(number: number): string {
    return this.all(number).at(-1)?.toString('utf8') ?? '';
  }

  number(number: number): bigint {
    const found = this.#fields.findLast((one) => one.number === number && one.type === 0);
    return found ? varintAt(found.bytes, 0).value : 0n;
  }
}
