/**
 * What looking costs, in work and not in time: twice the text is twice the work, whatever the text says. Each detector meets its
 * own triggers, again and again.
 */
import { countWork, growth } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import { detect, type Entity, ENTITIES, type Mode, streamEditor } from '../src/index.js';
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
