/**
 * What looking costs, in work and not in time: twice the text is twice the work, whatever the text says. Each detector meets its
 * own triggers, again and again.
 */
import { countWork, growth } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import {
  type CopyFormat,
  detect,
  type Entity,
  ENTITIES,
  type Mode,
  RowMask,
  copyRows,
  streamEditor,
} from '../src/index.js';
import { repeated, SAMPLES, TRIGGERS } from './triggers.js';

/** Beyond every bounded look around. */
const SIZE = 24 * 1024;
/** Doubling the text doubles the work; the rest is for what happens once. */
const MOST_GROWTH = 2.2;
/** Blocks and bytes of work for each byte of text: the worst are short prefixes of keys, and digits one by one. */
const MOST_PER_BYTE = 200;

describe('detectors', () => {
  test.each(Object.entries(TRIGGERS))('%s', (_, trigger) => {
    const look = (size: number): unknown => detect(Buffer.from(repeated(trigger, size)));
    expect(growth(SIZE, look)).toBeLessThan(MOST_GROWTH);
    expect(countWork(() => look(SIZE)) / SIZE).toBeLessThan(MOST_PER_BYTE);
  });

  test.each(['', '\n'])('every sample of fixtures/detectors, with %j between', (between) => {
    // A dozen at a time: counting takes a while, and one that grows too fast outweighs eleven.
    for (let from = 0; from < SAMPLES.length; from += 12) {
      const samples = SAMPLES.slice(from, from + 12);
      const look = (size: number): void => {
        for (const one of samples) detect(Buffer.from(`${one}${between}`.repeat(Math.ceil(size / one.length))));
      };
      expect(growth(SIZE / 4, look), samples.join('\n')).toBeLessThan(MOST_GROWTH);
    }
  });

  test('the punctuation behind an address is looked at once', () => {
    const look = (size: number): unknown => detect(Buffer.from(`${'x://a:b'.repeat(size / 8)}@${')'.repeat(size)}`));
    expect(growth(SIZE, look)).toBeLessThan(MOST_GROWTH);
  });

  test('one detector alone, whose findings cover nothing of the others', () => {
    for (const trigger of Object.values(TRIGGERS)) {
      const look = (size: number): unknown =>
        detect(Buffer.from(repeated(trigger, size)), undefined, undefined, new Set<Entity>(['EMAIL']));
      expect(growth(SIZE / 4, look), trigger).toBeLessThan(MOST_GROWTH);
    }
  });
});

describe('streams', () => {
  const all = new Map<Entity, Mode>(ENTITIES.map((entity) => [entity, { type: 'redact' }]));
  const through = (text: string, piece: number, modes: ReadonlyMap<Entity, Mode>): void => {
    const editor = streamEditor({ modes, key: Buffer.alloc(32) });
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += piece) editor.push(bytes.subarray(at, at + piece));
    editor.end();
  };

  test.each(['word ', 'password="a ', 'a@b.cc ', 'eyJ-'])('a line of %j in small pieces', (piece) => {
    const look = (size: number): void => through(piece.repeat(size / piece.length), 64, all);
    expect(growth(8_000, look)).toBeLessThan(2.6);
  });

  test.each(['glpat-', 'eyJ-', `-----BEGIN PRIVATE KEY-----\n|\r|\n`, 'x\n'])('bytes in bulk of %j', (trigger) => {
    const look = (size: number): void => through(repeated(trigger, size), 32 * 1024, all);
    expect(growth(33 * 1024, look)).toBeLessThan(2.6);
  });
});

describe('rows', () => {
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
  const cell = (size: number): Buffer => Buffer.concat([Buffer.from([0, 0, 0, size]), Buffer.alloc(size, 'x')]);
  const wide = (columns: number): Buffer =>
    Buffer.concat([int16(columns), ...Array.from({ length: columns }, () => cell(60))]);
  const SHAPES: Readonly<Record<string, readonly [row: (columns: number) => Buffer, CopyFormat['format']]>> = {
    text: [(columns) => Buffer.from(`${Array.from({ length: columns }, () => 'x'.repeat(60)).join('\t')}\n`), 'text'],
    csv: [(columns) => Buffer.from(`${Array.from({ length: columns }, () => 'x'.repeat(60)).join()}\n`), 'csv'],
    binary: [
      (columns) => Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8), wide(columns)]),
      'binary',
    ],
  };

  test.each(Object.entries(SHAPES))('one row of many columns in pieces, in COPY as %s', (_, [row, format]) => {
    const through = (columns: number): void => {
      const bytes = row(columns);
      const rows = copyRows(
        { format },
        Array.from({ length: columns }, () => () => undefined),
      );
      let made = 0;
      for (let at = 0; at < bytes.length; at += 64) {
        for (const whole of rows.cut(bytes.subarray(at, at + 64))) {
          rows.mask(whole, rows.headerOf(whole));
          made++;
        }
      }
      expect(made).toBe(1);
    };
    expect(growth(800, through)).toBeLessThan(MOST_GROWTH);
  });

  test('one row of many columns in pieces, as a message', () => {
    const through = (columns: number): void => {
      const body = wide(columns);
      const size = Buffer.alloc(4);
      size.writeInt32BE(body.length + 4);
      const bytes = Buffer.concat([Buffer.from('D'), size, body]);
      const rows = new RowMask(Array.from({ length: columns }, () => () => undefined));
      let made = 0;
      for (let at = 0; at < bytes.length; at += 64) made += rows.push(bytes.subarray(at, at + 64)).length;
      expect(made).toBe(bytes.length);
    };
    expect(growth(800, through)).toBeLessThan(MOST_GROWTH);
  });
});
