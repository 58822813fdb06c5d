/**
 * What masks in bodies by HTTP cost: CPU of the process, without sockets, beside JSON.parse in the same run. Lives here: the bodies and the
 * table. Does not: the rest of a request (`http.ts`).
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BodyEditor, DETECTORS, type MaskRule } from '@sluice/contract';
import { HttpMasks } from '@sluice/http-bodies';
import { answerEditors } from '@sluice/language-models';
import { machine, median, shuffled, spread } from './measure.js';

const KEY = Buffer.alloc(32, 1);
const CHUNK_BYTES = 64 * 1024;
const ROWS = 12_000;
const EVENTS = 20_000;
const SMALL = 20_000;

const rule = (more: Partial<MaskRule>): MaskRule => ({
  type: 'mask',
  columns: [],
  detect: [],
  with: { type: 'redact' },
  ...more,
});
const masksOf = (more: Partial<MaskRule>): HttpMasks =>
  HttpMasks.of([rule(more)], { key: KEY, unread: new Map(), marked: [] }) as HttpMasks;

/** A list of objects as services answer with: one in ten has an address and a telephone number. */
const rows = (): Buffer =>
  Buffer.from(
    JSON.stringify(
      Array.from({ length: ROWS }, (_, n) => ({
        id: n,
        name: `Ada Lovelace ${n % 97}`,
        status: 'active',
        note: 'The quick brown fox jumps over the lazy dog, and nobody minds.',
        contact: {
          email: n % 10 === 0 ? `user${n}@example.com` : 'none given',
          phone: n % 10 === 0 ? '+1 212 555 0100' : '',
        },
        created: '2026-05-06T07:08:09.123Z',
        amount: 1234.5,
        tags: ['red', 'blue', 'a longer tag'],
        ref: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      })),
    ),
  );

/** An answer of a model as it streams. `word`: what the event of a number says. */
const chat = (word: (n: number) => string): Buffer[] =>
  Array.from({ length: EVENTS }, (_, n) =>
    Buffer.from(
      `data: ${JSON.stringify({
        id: 'chatcmpl-abc123DEF456',
        object: 'chat.completion.chunk',
        created: 1_796_014_207,
        model: 'gpt-5-mini-2026',
        system_fingerprint: 'fp_44709d6fcb',
        choices: [{ index: 0, delta: { content: word(n) }, logprobs: null, finish_reason: null }],
      })}\n\n`,
    ),
  );
const WORDS = 'The quick brown fox jumps over the lazy dog , and nobody minds .'.split(' ');

/** No answer here has a call. */
const NO_CALLS = (): never => {
  throw new Error('no call is proposed here');
};

type Own = Parameters<HttpMasks['edits']>[1];

function through(masks: HttpMasks, type: string, pieces: readonly Buffer[], own?: Own): void {
  const body = masks.edits(undefined, own).answer?.(200, [['Content-Type', type]], NO_CALLS).body as BodyEditor;
  for (const piece of pieces) body.push(piece);
  body.end();
}

/** Writes the results file and returns it. */
export function benchBodies({ rounds }: { rounds: number }): string {
  const json = rows();
  const text = json.toString();
  const chunks = Array.from({ length: Math.ceil(json.length / CHUNK_BYTES) }, (_, n) =>
    json.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES),
  );
  const all = masksOf({ detect: DETECTORS });
  const places = masksOf({ json: ['/*/contact/email', '**/ssn'] });
  const both = masksOf({ detect: DETECTORS, json: ['/*/contact/email', '**/ssn'] });
  const small = Buffer.from(text.slice(1, text.indexOf('},{') + 1));
  const events = Array.from({ length: EVENTS }, (_, n) =>
    Buffer.from(`data: {"id":"c1","choices":[{"index":0,"delta":{"content":" word${n % 10}"}}]}\n\n`),
  );
  const said = chat((n) => ` ${WORDS[n % WORDS.length]}`);
  const oneWord = chat((n) => WORDS[n % WORDS.length] ?? '');
  const model = answerEditors({ operation: 'chat' });
  const large: Readonly<Record<string, () => unknown>> = {
    'JSON.parse': () => JSON.parse(text),
    'JSON.parse and JSON.stringify': () => JSON.stringify(JSON.parse(text)),
    'two places': () => through(places, 'application/json', chunks),
    'all detectors': () => through(all, 'application/json', chunks),
    'all detectors and two places': () => through(both, 'application/json', chunks),
  };
  const little: Readonly<Record<string, readonly [count: number, run: () => unknown]>> = {
    [`an object of ${small.length} B, all detectors`]: [
      SMALL,
      () => {
        for (let n = 0; n < SMALL; n++) through(all, 'application/json', [small]);
      },
    ],
    'an event with a word, all detectors': [EVENTS, () => through(all, 'text/event-stream', events)],
    'an event of a model (chat completions), all detectors': [
      EVENTS,
      () => through(all, 'text/event-stream', said, model),
    ],
    'the same, where all that it says is one word': [EVENTS, () => through(all, 'text/event-stream', oneWord, model)],
  };
  const times = measured(
    { ...large, ...Object.fromEntries(Object.entries(little).map(([name, [, run]]) => [name, run])) },
    rounds,
  );
  const rate = (name: string): string => {
    const found = times[name] ?? [];
    const [low, high] = spread(found);
    const speed = (seconds: number): string => (json.length / 1e6 / seconds).toFixed(0);
    const ratio = median(found) / median(times['JSON.parse'] ?? []);
    return `| ${name} | **${speed(median(found))}** (${speed(high)}–${speed(low)}) | ${ratio.toFixed(1)} |`;
  };
  const each = (name: string, count: number): string => {
    const found = times[name] ?? [];
    return `| ${name} | **${((median(found) * 1e6) / count).toFixed(1)}** |`;
  };
  const lines = [
    '# Masks in bodies by HTTP',
    '',
    `\`pnpm bench bodies\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; ${rounds} rounds, order random in each.`,
    '',
    'CPU time of the process, without sockets. Medians; in brackets the middle half. Machines are shared: trust the ratios.',
    '',
    `JSON of ${(json.length / 1e6).toFixed(1)} MB, a list of objects, in pieces of 64 KiB:`,
    '',
    '| what is done | MB/s | CPU to JSON.parse |',
    '| --- | --- | --- |',
    ...Object.keys(large).map(rate),
    '',
    '| small bodies | CPU µs each |',
    '| --- | --- |',
    ...Object.entries(little).map(([name, [count]]) => each(name, count)),
    '',
  ];
  mkdirSync(join(import.meta.dirname, '..', 'results'), { recursive: true });
  writeFileSync(join(import.meta.dirname, '..', 'results', 'bodies.md'), lines.join('\n'));
  return lines.join('\n');
}

/** CPU seconds of each round for each variant; one round before is thrown away. */
function measured(variants: Readonly<Record<string, () => unknown>>, rounds: number): Record<string, number[]> {
  const times: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of shuffled(Object.entries(variants))) {
      const before = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(before);
      if (round >= 0) (times[name] ??= []).push((user + system) / 1e6);
    }
  }
  return times;
}
