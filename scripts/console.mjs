// The pages of the console for its listener: node scripts/console.mjs. Owns: when they are built anew. Does not: say how (packages/console).
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = dirname(import.meta.dirname);
const CONSOLE = join(ROOT, 'packages', 'console');
/** Written last: what is built is whole and made of this. */
const STAMP = join(CONSOLE, 'dist', 'app.made-of');

/** Changes when they are to be built anew: their sources, what they are built with, and the package that makes texts safe. */
function digest() {
  const hash = createHash('sha256');
  const own = globSync('{src/**/*.{ts,tsx,css},index.html,vite.config.mjs,package.json}', { cwd: CONSOLE });
  const files = [
    ...own.map((file) => `packages/console/${file}`),
    ...globSync('packages/printable/src/*.ts', { cwd: ROOT }),
  ];
  for (const file of [...files.toSorted(), 'pnpm-lock.yaml', 'scripts/console.mjs'])
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  return hash.digest('hex');
}

const wanted = digest();
const isThere = existsSync(join(CONSOLE, 'dist', 'app', 'index.html'));
if (!isThere || !existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== wanted) {
  const { default: config } = await import(pathToFileURL(join(CONSOLE, 'vite.config.mjs')).href);
  const vite = createRequire(join(CONSOLE, 'package.json')).resolve('vite');
  const { build } = await import(pathToFileURL(vite).href);
  await build({ ...config, configFile: false });
  writeFileSync(STAMP, wanted);
}
