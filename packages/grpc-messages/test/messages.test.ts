import { JsonParts } from '@sluice/http-bodies';
import fc from 'fast-check';
import { type Json, JsonError, textOf } from '@sluice/http-requests';
import { describe, expect, test } from 'vitest';
import { Descriptors, GrpcCalls } from '../src/index.js';
import { framed } from '../src/frames.js';
import { readMessage } from '../src/message.js';
import type { MessageType } from '../src/descriptors.js';
import { SET, decode, descriptors, encode, setOf } from './proto.js';

const typeOf = (name: string): MessageType => descriptors.message(name) as MessageType;
const read = (bytes: Buffer, type = 'shop.User') => readMessage(descriptors, typeOf(type), bytes);

/** Numbers as texts, as `decode` has them. */
function shown(json: Json): unknown {
  switch (json.type) {
    case 'string':
      return json.text;
    case 'plain':
      return /^(?:true|false)$/.test(json.text) ? json.text === 'true' : json.text;
    case 'array':
      return json.items.map(shown);
    default:
      return Object.fromEntries([...json.members].map(([name, value]) => [name, shown(value)]));
  }
}

const text = fc.string({ unit: 'binary', maxLength: 12 });
const address = fc.record({ street: text, zip: text }, { requiredKeys: [] });
const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(String);
const uint64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const flat = {
  name: text,
  email: text,
  role: fc.constantFrom('USER', 'ADMIN', 'LOST'),
  addresses: fc.array(address, { maxLength: 3 }),
  places: fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    address,
    { maxKeys: 3 },
  ),
  scores: fc.array(int32, { maxLength: 5 }),
  tags: fc.array(text, { maxLength: 3 }),
  large: int64,
  huge: uint64,
  turned: int32,
  far: int64,
  four: fc.nat(2 ** 32 - 1),
  eight: uint64,
  below: int32,
  deep: int64,
  half: fc.float({ noNaN: true, noDefaultInfinity: true }),
  whole: fc.double({ noNaN: true, noDefaultInfinity: true }),
  is_on: fc.boolean(),
  photo: fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  phone: text,
  rooms: fc.dictionary(int32.map(String), text, { maxKeys: 3 }),
  count: fc.nat(2 ** 32 - 1),
  roles: fc.array(fc.constantFrom('USER', 'ADMIN', 'LOST'), { maxLength: 3 }),
};
const user = fc.record({ ...flat, boss: fc.record(flat, { requiredKeys: [] }) }, { requiredKeys: [] });

describe('whatever protobufjs writes', () => {
  test('is read as protobufjs reads it', () => {
    fc.assert(
      fc.property(user, (value) => {
        const bytes = encode('shop.User', value);
        expect(shown(read(bytes).json)).toEqual(decode('shop.User', bytes));
      }),
      { numRuns: 150 },
    );
  });

  test('and is written anew with the same meaning where nothing is changed', () => {
    fc.assert(
      fc.property(user, (value) => {
        const bytes = encode('shop.User', value);
        const message = read(bytes);
        expect(
          decode(
            'shop.User',
            message.with(message.json, () => undefined),
          ),
        ).toEqual(decode('shop.User', bytes));
      }),
      { numRuns: 100 },
    );
  });

  test('and of what was changed no other place has another value', () => {
    const stars = (json: Json): Json => {
      if (json.type === 'string') return { type: 'string', text: '***' };
      if (json.type === 'array') return { type: 'array', items: json.items.map(stars) };
      if (json.type !== 'object') return json;
      return { type: 'object', members: new Map([...json.members].map(([name, one]) => [name, stars(one)])) };
    };
    const bytes = encode('shop.User', {
      name: 'Ada',
      tags: ['a', 'b'],
      large: '7',
      addresses: [{ street: 'x' }],
      places: { home: { street: 'y' } },
    });
    const message = read(bytes);
    expect(
      decode(
        'shop.User',
        message.with(stars(message.json), () => undefined),
      ),
    ).toEqual({
      name: '***',
      tags: ['***', '***'],
      large: '7',
      addresses: [{ street: '***' }],
      places: { home: { street: '***' } },
    });
  });
});

test('null takes a field out', () => {
  const message = read(encode('shop.User', { name: 'Ada', email: 'x', scores: [1, 2] }));
  const members = new Map((message.json as Extract<Json, { type: 'object' }>).members);
  members.set('email', { type: 'plain', text: 'null' });
  members.set('scores', { type: 'plain', text: 'null' });
  expect(
    decode(
      'shop.User',
      message.with({ type: 'object', members }, () => undefined),
    ),
  ).toEqual({ name: 'Ada' });
});

test('a message within one of any type is read, and one of a type that nobody knows is not', () => {
  const value = encode('shop.User', { email: 'ada@example.com' }).toString('base64');
  const wrapped = (type_url: string): Buffer => encode('shop.Wrapped', { detail: { type_url, value } });
  const message = read(wrapped('type.googleapis.com/shop.User'), 'shop.Wrapped');
  expect(shown(message.json)).toEqual({
    detail: { type_url: 'type.googleapis.com/shop.User', value: { email: 'ada@example.com' } },
  });
  expect(message.with(message.json, () => undefined)).toEqual(wrapped('type.googleapis.com/shop.User'));
  expect(() => read(wrapped('type.googleapis.com/shop.Gone'), 'shop.Wrapped')).toThrow(/type that its descriptors/);
});

describe('is refused', () => {
  const hex = (bytes: string): Buffer => Buffer.from(bytes.replaceAll(' ', ''), 'hex');
  test.each<[string, Buffer, RegExp]>([
    [
      'a field twice',
      Buffer.concat([encode('shop.User', { email: 'a' }), encode('shop.User', { email: 'b' })]),
      /twice/,
    ],
    ['a message twice', Buffer.concat([encode('shop.User', { boss: {} }), encode('shop.User', { boss: {} })]), /twice/],
    [
      'two of which one can be',
      Buffer.concat([encode('shop.User', { phone: 'a' }), encode('shop.User', { post: {} })]),
      /only one/,
    ],
    ['a field that nobody knows', hex('ca3e 01 78'), /descriptors do not have/],
    ['a text that is none', hex('0a 02 ff fe'), /no UTF-8/],
    ['a text as a number', hex('08 01'), /another type/],
    ['a group', hex('0b 0c'), /kind that is not read/],
    ['field 0', hex('02 00'), /number is none/],
    ['a number without end', hex('40 ffffffffffffffffffff01'), /64 bits/],
    ['a truth that is neither', hex('9001 02'), /does not fit/],
    ['an int32 of 40 bits', hex('30 ffffffffff1f'), /does not fit/],
    ['what is cut', encode('shop.User', { name: 'Ada Lovelace' }).subarray(0, 5), /ends within/],
    ['a length beyond the end', hex('0a ffffffff0f'), /ends within/],
    [
      'a key twice',
      Buffer.concat([encode('shop.User', { rooms: { 1: 'a' } }), encode('shop.User', { rooms: { 1: 'b' } })]),
      /key twice/,
    ],
    ['a key twice, of which one is not said', hex('ba01 03 120161 ba01 05 0800120162'), /key twice/],
  ])('%s', (_name, bytes, why) => {
    expect(() => read(bytes)).toThrow(why);
    expect(() => read(bytes)).toThrow(JsonError);
  });

  test('an entry of a map that says no key has the one that programs give it', () => {
    const bytes = hex('ba01 03 120161');
    expect(shown(read(bytes).json)).toEqual({ rooms: { 0: 'a' } });
    expect(decode('shop.User', bytes)).toEqual({ rooms: { 0: 'a' } });
  });

  test('nesting without end, in no time', () => {
    let bytes: Buffer = Buffer.alloc(0);
    for (let n = 0; n < 70; n++) bytes = encodeBoss(bytes);
    expect(() => read(bytes)).toThrow(/nested/);
  });

  test('bytes by chance are read or refused, and nothing else happens', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          textOf(read(Buffer.from(bytes)).json);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** One more level around a message, of any depth. */
function encodeBoss(bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0xb2, 0x01, ...length]), bytes]);
}

describe('a set of descriptors', () => {
  const calls = new GrpcCalls(descriptors);

  test('knows methods, and those that never end before they are answered', () => {
    expect(calls.fault('/shop.Users/Get')).toBeUndefined();
    expect(calls.fault('/shop.Users/Import')).toBeUndefined();
    expect(calls.fault('/shop.Users/Chat')).toBeUndefined();
    expect(['Get', 'Import', 'Watch', 'Chat', 'Gone'].filter((one) => calls.bothWays(`/shop.Users/${one}`))).toEqual([
      'Chat',
    ]);
    expect(calls.fault('/shop.Users/Gone')).toMatch(/do not have this method/);
  });

  test('that is none is refused in a sentence', () => {
    for (const bytes of [Buffer.from('syntax = "proto3";'), Buffer.alloc(0), SET.subarray(0, 100)])
      expect(() => new Descriptors(bytes)).toThrow(/^this set of descriptors|^this is no set/);
  });

  test('a rule has the value of a field that nobody can say is not set, and of no other', () => {
    // A key of a map without its value.
    const rooms = Buffer.from('ba01020807', 'hex');
    const body = framed(Buffer.concat([encode('shop.User', { addresses: [{}], boss: { large: 1 } }), rooms]));
    const set = { large: '0', is_on: false, role: 'USER', name: '', photo: '' };
    const [user] = calls.read('/shop.Users/Put', body).map(shown) as Record<string, object>[];
    expect(user).toMatchObject({ ...set, addresses: [{ street: '' }], boss: { ...set, large: '1' }, rooms: { 7: '' } });
    for (const name of ['phone', 'post', 'tags', 'roles', 'places']) expect(user).not.toHaveProperty([name]);
    expect(user?.['addresses']).toEqual([{ street: '' }]);
    expect(calls.sent('/shop.Users/Put', body).map(shown)).toMatchObject([{ boss: { large: '1' } }]);
  });

  test('a rule has what a declaration of proto2, or of an edition, says', () => {
    const field = (name: string, number: number, type: number, more: object = {}): object =>
      Object.assign({ name, number, type, label: 1 }, more);
    const file = (more: object, fields: readonly object[]): GrpcCalls => {
      const of = { name: 'M', field: fields, enumType: [{ name: 'E', value: [{ name: 'NONE', number: 0 }] }] };
      const method = { name: 'Do', inputType: '.M', outputType: '.M' };
      const made = { name: 'x.proto', ...more, messageType: [of], service: [{ name: 'S', method: [method] }] };
      return new GrpcCalls(new Descriptors(setOf(made)));
    };
    const declared = file({}, [
      field('role', 1, 9, { defaultValue: 'admin' }),
      field('force', 2, 8, { defaultValue: 'true' }),
      field('plain', 3, 9),
      field('kind', 4, 14, { typeName: '.M.E', defaultValue: 'NONE' }),
      field('raw', 5, 12, { defaultValue: '\\001' }),
    ]);
    expect(declared.read('/S/Do', framed(Buffer.alloc(0))).map(shown)).toEqual([
      { role: 'admin', force: true, kind: 'NONE' },
    ]);
    const edition = file({ syntax: 'editions' }, [
      field('said', 1, 5),
      field('always', 2, 5, { options: Buffer.from('aa01020802', 'hex') }),
    ]);
    expect(edition.read('/S/Do', framed(Buffer.alloc(0))).map(shown)).toEqual([{ always: '0' }]);
    const implicit = file({ syntax: 'editions', options: Buffer.from('9203020802', 'hex') }, [
      field('always', 1, 5),
      field('said', 2, 5, { options: Buffer.from('aa01020801', 'hex') }),
    ]);
    expect(implicit.read('/S/Do', framed(Buffer.alloc(0))).map(shown)).toEqual([{ always: '0' }]);
  });

  test('what is found in bytes that are a message themselves is masked with all of them', () => {
    const parts = new JsonParts({ modes: new Map([['EMAIL', { type: 'redact' }]]), key: Buffer.alloc(32) }, undefined);
    const inner = encode('shop.User', { boss: { places: { home: { street: 'ada@example.com' } } }, large: 7 });
    const photo = Buffer.from([0xff, 0xd8, 0xff, 0xe0]).toString('base64');
    const body = (bytes: string): Buffer => framed(encode('shop.User', { boss: { photo: bytes }, large: 7 }));
    const masked = (bytes: string): unknown =>
      decode('shop.User', calls.masked('/shop.Users/Put', body(bytes), parts).subarray(5));
    expect(masked(inner.toString('base64'))).toEqual({
      boss: { photo: Buffer.from('[masked]').toString('base64') },
      large: '7',
    });
    const harmless = encode('shop.User', { name: 'Ada' }).toString('base64');
    for (const bytes of [photo, harmless]) expect(masked(bytes)).toEqual({ boss: { photo: bytes }, large: '7' });
  });

  test('a body is as many messages as it has', () => {
    const body = Buffer.concat(['a', 'b'].map((name) => framed(encode('shop.User', { name }))));
    expect(calls.sent('/shop.Users/Import', body).map(shown)).toEqual([{ name: 'a' }, { name: 'b' }]);
    expect(calls.read('/shop.Users/Import', body).map(shown)).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    expect(() => calls.read('/shop.Users/Put', body.subarray(0, -1))).toThrow(/ends within a message/);
    expect(() => calls.read('/shop.Users/Put', Buffer.from([1, 0, 0, 0, 0]))).toThrow(/compressed/);
    expect(() => calls.read('/shop.Users/Put', Buffer.from([0, 255, 0, 0, 0]))).toThrow(/more than/);
  });
});
