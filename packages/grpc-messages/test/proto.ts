/** The service of fixtures/grpc: its descriptors by protoc, and encodings by protobufjs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { Descriptors } from '../src/index.js';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/grpc');

export const SET: Buffer = readFileSync(join(FIXTURES, 'shop.pb'));
export const descriptors = new Descriptors(SET);

/** Of the same text; protobufjs brings the messages of google.protobuf along. */
const root = new protobuf.Root();
root.addJSON(protobuf.common.get('google/protobuf/any.proto')?.nested ?? {});
protobuf.parse(readFileSync(join(FIXTURES, 'shop.proto'), 'utf8'), root, { keepCase: true });
root.resolveAll();

export const encode = (type: string, value: object): Buffer => {
  const of = root.lookupType(type);
  return Buffer.from(of.encode(of.fromObject(value)).finish());
};

/** All numbers as texts, since JSON has no room for some. */
export function decode(type: string, bytes: Buffer): unknown {
  const of = root.lookupType(type);
  const value = of.toObject(of.decode(bytes), { longs: String, enums: String, bytes: String });
  return JSON.parse(JSON.stringify(value), (_, one: unknown) => (typeof one === 'number' ? String(one) : one));
}

/** A set of one file. Its messages are those of google/protobuf/descriptor.proto, of which protobufjs has no JSON: as far as tests need them. */
const own = protobuf.parse(`syntax = "proto2";
message Set { repeated File file = 1; }
message File { optional string name = 1; repeated Message messageType = 4; repeated Service service = 6; optional bytes options = 8;
  optional string syntax = 12; }
message Message { optional string name = 1; repeated Field field = 2; repeated Enum enumType = 4; }
message Field { optional string name = 1; optional int32 number = 3; optional int32 label = 4; optional int32 type = 5;
  optional string typeName = 6; optional string defaultValue = 7; optional bytes options = 8; }
message Enum { optional string name = 1; repeated Value value = 2; }
message Value { optional string name = 1; optional int32 number = 2; }
message Service { optional string name = 1; repeated Method method = 2; }
message Method { optional string name = 1; optional string inputType = 2; optional string outputType = 3; }`).root;

export function setOf(file: object): Buffer {
  const of = own.lookupType('Set');
  return Buffer.from(of.encode(of.fromObject({ file: [file] })).finish());
}
