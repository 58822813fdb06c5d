import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Journal, type JournalOptions, readJournal } from '../src/index.js';

/** An empty folder that is gone after the test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const record = (n: number, text = ''): string =>
  JSON.stringify({ k: 'admin', t: Date.now(), actor: String(n), action: 'b', detail: text });

/** The same folder as a kill would leave it: nothing sealed, no lock held. */
export function asKilled(folder: string): string {
  const copy = emptyFolder();
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('.lock') && statSync(join(folder, name)).isFile())
      copyFileSync(join(folder, name), join(copy, name));
  }
  return copy;
}

/** A journal with `segments` sealed segments of `each` records, and as many that are not sealed in one more. */
export function filled(segments: number, each: number, options: Partial<JournalOptions> = {}): string {
  const folder = emptyFolder();
  const journal = new Journal({ folder, ...options });
  for (let segment = 0; segment <= segments; segment++) {
    for (let n = 0; n < each; n++) journal.append(record(segment * each + n, 'some words'), [Buffer.from([n, 255, 0])]);
    journal.commit();
    if (segment < segments) journal.seal();
  }
  const copy = asKilled(folder);
  journal.close();
  return copy;
}

/** The number of each record that `record` made, in order. */
export const numbers = (folder: string): number[] =>
  [...readJournal(folder)].flatMap(({ header }) => (header.k === 'admin' ? [Number(header.actor)] : []));

export const bytesOf = (folder: string, name: string): Buffer => readFileSync(join(folder, name));
