import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtIn, detect, detectorFor, ENTITIES, type Entity, maskFor, type Mode, streamEditor } from '@sluice/masking';
import { RowMask } from '@sluice/postgres/rows';
import { parse } from 'yaml';
import { machine, median, shuffled, spread } from './measure.js';

const ROOT = join(import.meta.dirname, '../..');

interface Table {
  readonly entity: Entity;
  readonly positives: readonly { readonly text: string; readonly finds?: readonly string[] }[];
  readonly negatives: readonly string[];
}

/** Cells of one buffer: `starts[n]` to `starts[n + 1]`. */
interface Cells {
  readonly bytes: Buffer;
  readonly starts: readonly number[];
}

/**
 * What the detectors find in their tables, and what looking costs: beside one RegExp per cell that has the patterns that people
 * usually write for the same entities, in the same run, in random order. Writes the results file and returns it.
 */
export function benchDetectors({ rounds }: { rounds: number }): string {
  const texts: readonly (readonly [string, Cells])[] = [
    ['ordinary text: this repository’s documents', cellsOf(ordinary())],
    ['cells of a table, three in seven with a finding', cellsOf(tableCells())],
  ];
  const lines = [
    '# Detectors and masks',
    '',
    `\`pnpm bench detectors\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; ${rounds} rounds, order random in each.`,
    '',
    'CPU time of the process. Medians; in brackets the middle half. Machines are shared: trust the ratios.',
    '',
    '## What is found in fixtures/detectors',
    '',
    'A finding counts if it is exactly the value. The samples define what the detectors are for, so these figures say that nothing',
    'of it is lost; they are no estimate for the data of anybody. The detectors look at values, not at names in prose.',
    '',
    '| entity | samples | recall | hard negatives | found in them | precision |',
    '| --- | --- | --- | --- | --- | --- |',
    ...quality(),
    '',
    '## What looking costs',
    '',
    '| text | cell by cell | MB/s | ns per cell |',
    '| --- | --- | --- | --- |',
    ...texts.flatMap(([name, cells]) => speed(name, cells, rounds)),
    '',
    '## What hostile texts cost',
    '',
    'Each text is a trigger of some detector, repeated. ms of CPU, the best of three; the ratio is that of 1 MiB to 256 KiB, where 4 is linear.',
    '',
    '| repeated | 64 KiB | 256 KiB | 1 MiB | ratio |',
    '| --- | --- | --- | --- | --- |',
    ...hostile(),
    '',
    '## What a word of a stream costs',
    '',
    'Words that come one by one, as a program or a language model writes them, through the mask of a stream with all detectors.',
    '',
    '| bytes in a line | CPU µs for each word |',
    '| --- | --- |',
    ...words(rounds),
    '',
    '## What masking rows costs',
    '',
    'DataRow messages of ten columns in chunks of 64 KiB, without sockets. A copy is what a relay that changes anything pays.',
    '',
    '| two of ten columns | CPU ms/GB | to a copy |',
    '| --- | --- | --- |',
    ...rows(rounds),
    '',
  ];
  const text = lines.join('\n');
  writeFileSync(join(ROOT, 'bench/results/detectors.md'), text);
  return text;
}

function tables(): Table[] {
  const folder = join(ROOT, 'fixtures/detectors');
  return readdirSync(folder).map((file) => parse(readFileSync(join(folder, file), 'utf8')) as Table);
}

function quality(): string[] {
  return tables().map(({ entity, positives, negatives }) => {
    let wanted = 0;
    let right = 0;
    let wrong = 0;
    for (const { text, finds = [text] } of positives) {
      const found = valuesOf(text, entity);
      wanted += finds.length;
      right += finds.filter((value) => found.includes(value)).length;
      wrong += found.filter((value) => !finds.includes(value)).length;
    }
    const inNegatives = negatives.flatMap((text) => valuesOf(text, entity)).length;
    const precision = right / (right + wrong + inNegatives);
    return `| ${entity} | ${wanted} | ${percent(right / wanted)} | ${negatives.length} | ${inNegatives} | ${percent(precision)} |`;
  });
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function valuesOf(text: string, entity: Entity): string[] {
  const bytes = Buffer.from(text);
  return detect(bytes)
    .filter((one) => one.entity === entity)
    .map(({ start, end }) => bytes.toString('utf8', start, end));
}

/** The patterns of many a masking script; looser than the detectors, and without a check of what they match. */
const USUAL = new RegExp(
  [
    '[\\w.+-]+@[\\w-]+\\.[\\w.-]+',
    '\\b(?:\\d[ -]?){13,19}\\b',
    '\\b\\d{3}-\\d{2}-\\d{4}\\b',
    '\\b[A-Z]{2}\\d{2}[A-Z0-9]{11,30}\\b',
    '(?:\\+\\d{1,3}[ -]?)?\\(?\\d{3}\\)?[ .-]\\d{3}[ .-]\\d{4}',
    'eyJ[\\w-]+\\.[\\w-]+\\.[\\w-]*',
    '-----BEGIN [A-Z ]*PRIVATE KEY-----',
    '\\b(?:AKIA|ASIA)[A-Z0-9]{16}\\b|gh[pousr]_\\w{36}|xox[abpr]-[\\w-]+|sk_live_\\w+|AIza[\\w-]{35}',
    '\\w+://[^\\s:@/]+:[^\\s@/]+@',
    '(?:password|secret|token|api_?key)\\s*[=:]\\s*\\S{6,}',
  ].join('|'),
);

function speed(name: string, cells: Cells, rounds: number): string[] {
  const variants: Readonly<Record<string, () => number>> = {
    detect: () => each(cells, (bytes, start, end) => detect(bytes, start, end).length > 0),
    'one RegExp per cell': () => each(cells, (bytes, start, end) => USUAL.test(bytes.toString('latin1', start, end))),
  };
  const times = measured(variants, rounds);
  return Object.keys(variants).map((variant) => {
    const seconds = times[variant] ?? [];
    const rate = (value: number): string => (cells.bytes.length / 1e6 / value).toFixed(0);
    const [low, high] = spread(seconds);
    const perCell = (median(seconds) / (cells.starts.length - 1)) * 1e9;
    return `| ${name} | ${variant} | **${rate(median(seconds))}** (${rate(high)}–${rate(low)}) | ${perCell.toFixed(0)} |`;
  });
}

/** One for each look around that a detector takes; packages/masking/test/triggers.ts has more, where work is counted. */
const HOSTILE = [
  'a@',
  'password=',
  'auth=1',
  'password="',
  '-----BEGIN PRIVATE KEY-----\n',
  'x://a:b',
  'eyJ.',
  'glpat-',
  '1 ',
  '4111 ',
  '+49 30 ',
  'ssn 123-45-',
  'DE12-',
];

function hostile(): string[] {
  return HOSTILE.map((piece) => {
    const times = [64, 256, 1024].map((kib) => {
      const bytes = Buffer.from(piece.repeat(Math.ceil((kib * 1024) / piece.length)));
      const seconds = measured({ detect: () => detect(bytes) }, 3)['detect'] ?? [];
      return Math.min(...seconds) * 1e3;
    });
    const [, middle = 0, large = 0] = times;
    const cells = [...times.map((time) => time.toFixed(1)), (large / middle).toFixed(1)];
    return `| \`${JSON.stringify(piece).slice(1, -1)}\` | ${cells.join(' | ')} |`;
  });
}

const WORDS = 'the quick brown fox jumps over a lazy dog while it rains and everybody asks for more of that'.split(' ');
const STREAMED_WORDS = 20_000;

/** The same words in lines of different lengths: a cost that grows with the line would show. */
function words(rounds: number): string[] {
  const modes = new Map<Entity, Mode>(ENTITIES.map((entity) => [entity, { type: 'redact' }]));
  const lengths = [300, 2 * 1024, 16 * 1024, 64 * 1024];
  const variants = Object.fromEntries(lengths.map((length) => [String(length), streamed(length, modes)]));
  const times = measured(variants, rounds);
  return lengths.map((length) => {
    const cost = (value: number): string => ((value * 1e6) / STREAMED_WORDS).toFixed(1);
    const seconds = times[String(length)] ?? [];
    const [low, high] = spread(seconds);
    return `| ${length} | **${cost(median(seconds))}** (${cost(low)}–${cost(high)}) |`;
  });
}

function streamed(lineBytes: number, modes: ReadonlyMap<Entity, Mode>): () => void {
  let inLine = 0;
  const pieces = Array.from({ length: STREAMED_WORDS }, (_, n) => {
    const word = ` ${WORDS[n % WORDS.length] as string}`;
    inLine += word.length;
    if (inLine < lineBytes) return Buffer.from(word);
    inLine = 0;
    return Buffer.from(`${word}\n`);
  });
  return () => {
    const editor = streamEditor({ modes, key: Buffer.alloc(32, 1) });
    for (const piece of pieces) editor.push(piece);
    editor.end();
  };
}

function each({ bytes, starts }: Cells, look: (bytes: Buffer, start: number, end: number) => boolean): number {
  let hits = 0;
  for (let n = 1; n < starts.length; n++) if (look(bytes, starts[n - 1] as number, starts[n] as number)) hits++;
  return hits;
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

function cellsOf(parts: readonly string[]): Cells {
  const buffers = parts.map((part) => Buffer.from(part));
  const starts = [0];
  for (const { length } of buffers) starts.push((starts.at(-1) as number) + length);
  return { bytes: Buffer.concat(buffers), starts };
}

/** Paragraphs, about 4 MB of them. */
function ordinary(): string[] {
  const files = [
    'README.md',
    'CONTRIBUTING.md',
    'docs/architecture.md',
    'docs/security.md',
    'docs/policy.md',
    'LICENSE',
  ];
  const paragraphs = files.flatMap((file) => readFileSync(join(ROOT, file), 'utf8').split('\n\n'));
  const size = paragraphs.reduce((sum, one) => sum + one.length, 0);
  return Array.from({ length: Math.ceil(4e6 / size) }, () => paragraphs).flat();
}

const COLUMNS = (n: number): string[] => {
  const digits = String(1e9 + ((n * 7919) % 1e9));
  return [
    String(n),
    `Ada Lovelace ${n % 997}`,
    `user${n}@example.com`,
    '4111111111111111',
    `+1 212 555 ${digits.slice(-4)}`,
    'Berlin',
    `${digits}af3c9b1e4d5f8a7b6c0d9e 8f${digits}7e6d5c4b3a2f1e0d9c8b7a`,
    `${n % 1000}.50`,
    '2024-05-06 07:08:09.123',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  ];
};
const TEXT_COLUMNS = [0, 1, 2, 3, 4, 5, 6];

const tableCells = (): string[] =>
  Array.from({ length: 20_000 }, (_, n) => {
    const row = COLUMNS(n);
    return TEXT_COLUMNS.map((column) => row[column] as string);
  }).flat();

function rows(rounds: number): string[] {
  const stream = Buffer.concat(Array.from({ length: 60_000 }, (_, n) => dataRow(COLUMNS(n))));
  const chunks = Array.from({ length: Math.ceil(stream.length / 65_536) }, (_, n) =>
    stream.subarray(n * 65_536, (n + 1) * 65_536),
  );
  const own = chunks.map((chunk) => Buffer.from(chunk));
  const masks = (type: Exclude<Mode['type'], 'replaced' | 'count'>) => {
    const mask = maskFor(builtIn(25), 'text', { mode: { type }, key: Buffer.alloc(32, 1), entity: 'EMAIL' });
    return Array.from({ length: 10 }, (_, n) => (n === 2 || n === 3 ? mask : undefined));
  };
  const modes = new Map<Entity, Mode>(ENTITIES.map((entity) => [entity, { type: 'redact' }]));
  const search = detectorFor(builtIn(25), 'text', { modes, key: Buffer.alloc(32, 1) });
  const searched = Array.from({ length: 10 }, (_, n) => (TEXT_COLUMNS.includes(n) ? search : undefined));
  const through =
    (columns: ConstructorParameters<typeof RowMask>[0], owned = false) =>
    () => {
      // What was masked in one round is masked again in the next, at the same size.
      const mask = new RowMask(columns, { owned });
      for (const chunk of owned ? own : chunks) mask.push(chunk);
    };
  const variants: Readonly<Record<string, () => void>> = {
    'a copy': () => chunks.forEach((chunk) => Buffer.from(chunk)),
    'partial: the size stays': through(masks('partial')),
    'the same, in chunks that may be changed': through(masks('partial'), true),
    'redact: the size changes': through(masks('redact')),
    'hash: the size changes': through(masks('hash')),
    'detectors on seven text columns, redact': through(searched),
  };
  const times = measured(variants, rounds);
  const copy = median(times['a copy'] ?? []);
  return Object.keys(variants).map((name) => {
    const seconds = times[name] ?? [];
    const cost = (value: number): string => ((value * 1e12) / stream.length).toFixed(0);
    const [low, high] = spread(seconds);
    return `| ${name} | **${cost(median(seconds))}** (${cost(low)}–${cost(high)}) | ${(median(seconds) / copy).toFixed(1)} |`;
  });
}

/** byte1 'D', int32 length, int16 columns, and for each int32 size and bytes. */
function dataRow(cells: readonly string[]): Buffer {
  const size = cells.reduce((sum, cell) => sum + 4 + cell.length, 6);
  const row = Buffer.alloc(size + 1, 'D');
  row.writeInt32BE(size, 1);
  row.writeInt16BE(cells.length, 5);
  let at = 7;
  for (const cell of cells) {
    row.writeInt32BE(cell.length, at);
    at += 4 + row.write(cell, at + 4, 'latin1');
  }
  return row;
}
