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
