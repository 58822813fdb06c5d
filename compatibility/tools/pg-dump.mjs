/** pg_dump: the schema, the rows, and a dump in the custom format that pg_restore lists. */
import { spawnSync } from 'node:child_process';
import { fail, say, target } from './common.mjs';

function pgDump(...options) {
  const { status, stdout, stderr } = spawnSync('pg_dump', [...options, target.database], { maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`pg_dump ${options.join(' ')}: ${stderr}`);
  return stdout;
}
const lines = (bytes) =>
  bytes
    .toString()
    .replaceAll(/^\\(?:un)?restrict .*\n/gm, '')
    .split('\n');
try {
  say('schema', lines(pgDump('--schema-only')));
  say('rows', lines(pgDump('--data-only', '--exclude-schema=vault')));
  say('inserts', lines(pgDump('--inserts', '--table=people', '--table=orders')));
  const listed = spawnSync('pg_restore', ['--list'], { input: pgDump('--format=custom'), encoding: 'utf8' });
  say(
    'custom',
    listed.stdout
      .split('\n')
      .filter((line) => !line.startsWith(';'))
      .map((line) => line.replace(/^\d+; \d+ \d+ /, '')),
  );
} catch (error) {
  fail(error);
}
