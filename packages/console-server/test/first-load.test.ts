/** What a browser loads before it shows anything, held against its bound. Needs the built pages: node scripts/console.mjs. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const APP = join(import.meta.dirname, '..', '..', 'console', 'dist', 'app');
const MAX_FIRST_LOAD_BYTES = 350 * 1024;

test('the first load is below 350 kB, all of it from the gateway', () => {
  expect(existsSync(join(APP, 'index.html')), 'built by npm run setup').toBe(true);
  const html = readFileSync(join(APP, 'index.html'), 'utf8');
  const names = new Set(Array.from(html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g), ([, name = '']) => name));
  // What these import at once, and what that does.
  for (const name of names) {
    if (!name.endsWith('.js')) continue;
    const text = readFileSync(join(APP, name), 'utf8');
    for (const [, other = ''] of text.matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)) names.add(`assets/${other}`);
  }
  expect(names.size).toBeGreaterThan(1);
  const bytes = [...names].reduce(
    (sum, name) => sum + gzipSync(readFileSync(join(APP, name))).length,
    gzipSync(html).length,
  );
  // Pages are files of their own: the player of terminals and the curves come with theirs.
  const all = [...names].map((name) => readFileSync(join(APP, name), 'utf8')).join('\n');
  expect(all).not.toMatch(/WebAssembly|uplot|cm-announced/i);
  expect(bytes).toBeGreaterThan(50 * 1024);
  expect(bytes).toBeLessThan(MAX_FIRST_LOAD_BYTES);
  expect(html).not.toMatch(/https?:\/\/|<style|<script(?![^>]*src=)/);
});
