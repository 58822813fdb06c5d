// node scripts/test-names.mjs: names in tests that do not exist. Tests run without being compiled, so that a name that nobody has defined
// is found only when its line runs. What else the compiler says of tests is counted and passes.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { NODE, ROOT } from './setup.mjs';

/** A name, a module, an export, a property or a namespace that is not there. */
const MISSING = new Set('2304 2305 2307 2339 2503 2551 2552 2580 2584 2694 2724 18004'.split(' '));

const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const { stdout, stderr, error } = spawnSync(
  NODE,
  [compiler, '-p', join(ROOT, 'tsconfig.tests.json'), '--pretty', 'false'],
  {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  },
);
if (error) throw error;
const found = stdout.split('\n').flatMap((line) => {
  const [, code] = /^\S.*?: error TS(\d+): /.exec(line) ?? [];
  return code === undefined ? [] : [{ line, code }];
});
const missing = found.filter(({ code }) => MISSING.has(code));
for (const { line } of missing) process.stderr.write(`${line}\n`);
if (found.length === 0 && stderr !== '') process.stderr.write(stderr);
process.stdout.write(
  `${missing.length} names in tests that do not exist; ${found.length - missing.length} other remarks\n`,
);
process.exitCode = missing.length > 0 || (found.length === 0 && stderr !== '') ? 1 : 0;
