/** psql: its backslash commands, by which people look at a database, and a script in one transaction. */
import { spawnSync } from 'node:child_process';
import { fail, say } from './common.mjs';

const COMMANDS = String.raw`\d
\d people
\d+ orders
\d totals
\dt *.*people*
\dv
\di+
\ds
\dn
\du
\df
\df+ pg_catalog.upper
\dT
\dT+ citext
\do pg_catalog.&&
\dx
\dp
\ddp
\dD
\dC citext
\dd
\dg
\di orders*
\dp vault.*
\dRp
\des
\dy
\dF
\dL
\dA
\sf pg_catalog.upper(text)
\sv totals
\z people
\l`.split('\n');
function psql(...options) {
  const { status, stdout, stderr } = spawnSync('psql', ['-X', '-v', 'ON_ERROR_STOP=1', ...options], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`psql ${options.join(' ')}: ${stderr}`);
  return stdout;
}
try {
  const told = psql(...COMMANDS.flatMap((command) => ['-c', '\\echo -----', '-c', command]))
    .split('-----\n')
    .slice(1);
  // Sizes differ with what was there before, and databases and roles are those of all tools.
  for (const [at, command] of COMMANDS.entries())
    say(command, /^\\(l|di\+|d\+)/.test(command) ? (told[at] ?? '').length > 0 : told[at]);
  say('rows', psql('-Atc', 'select id, name, email from people order by id'));
  say('copy', psql('-c', String.raw`\copy (select id, email from people order by id) to stdout csv header`));
  say(
    'crosstab',
    psql('-Atc', 'select name, sum(total) from people p join orders o on o.person_id = p.id group by 1 order by 1'),
  );
  say(
    'script',
    psql(
      '--single-transaction',
      '-Atc',
      'create table notes (id int, body text)',
      '-c',
      "insert into notes values (1, 'a') returning id",
      '-c',
      'select count(*) from notes, people',
    ),
  );
} catch (error) {
  fail(error);
}
