// Runs the tests and ends with one plain line: N passed, N failed[, N skipped].
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'sluice-tests-'));
const report = join(folder, 'report.json');
const args = [
  'exec',
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
];
const status = await new Promise((resolve) => {
  spawn('pnpm', args, { stdio: ['ignore', 'inherit', 'inherit'] }).once('close', resolve);
});
try {
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
  // A file that cannot even be loaded has no tests to count, and is a failure all the same.
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((one) => one.status !== 'failed'),
  ).length;
  console.log(
    `${numPassedTests} passed, ${numFailedTests + broken} failed${numPendingTests > 0 ? `, ${numPendingTests} skipped` : ''}`,
  );
  process.exitCode = status === 0 && numFailedTests + broken === 0 && numPassedTests > 0 ? 0 : 1;
} catch {
  console.error('The tests left no report.');
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
