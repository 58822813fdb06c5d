import { CliError, oneLine, paint, print, readBeacon } from '@sluice/cli';
import { describeReport, listSessions, timeline, verify } from '@sluice/recording';
import { freePort, temporaryFolder } from '@sluice/testkit';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { startDemo } from './demo.js';
import type { Demo } from './running-demo.js';
import type { Show, Step } from './tour/step.js';
import { approvals, withShortHold } from './tour/approvals.js';
import { inTwoWindows, missingBrowser } from './tour/console.js';
import { onMariaDb } from './tour/mysql.js';
import { onAMachine } from './tour/ssh.js';

/** Plays the demo with a real driver, on a database of its own. True: every promise held. */
export async function tour(): Promise<boolean> {
  const { path, remove } = temporaryFolder('tour');
  chmodSync(path, 0o711);
  try {
    withShortHold(path);
    const ports = {
      port: await freePort(),
      controlPort: await freePort(),
      sshPort: await freePort(),
      httpPort: await freePort(),
      mysqlPort: await freePort(),
      consolePort: await freePort(),
    };
    const demo = await startDemo({ ...ports, folder: path }, (text) => print(paint.dim(text)));
    const steps: Step[] = [];
    const show = (step: Step): void => {
      steps.push(step);
      print(
        `\n${step.held ? paint.green('✓') : paint.red('✗')} ${paint.bold(step.title)}\n  ${paint.cyan(oneLine(step.sent, 110))}\n  ${oneLine(step.got, 140)}`,
      );
    };
    try {
      await people(demo, show);
      await refusals(demo, show);
      await masks(demo, show);
      await behindAnAgent(demo, show);
      await approvals(demo, show);
      const missing = missingBrowser();
      if (missing === undefined) await inTwoWindows(demo, show);
      else print(paint.dim(`\n${missing}`));
      await onMariaDb(demo, show);
      await onAMachine(demo, show);
      await record(demo, show);
    } finally {
      await demo.stop();
    }
    print(`\n${proof(path, show)}`);
    const failed = steps.filter((step) => !step.held).length;
    print(
      failed === 0
        ? paint.green(`\nAll ${steps.length} steps held.`)
        : paint.red(`\n${failed} of ${steps.length} steps did not hold.`),
    );
    return failed === 0;
  } catch (error) {
    throw error instanceof CliError ? error : new Error('the tour broke off', { cause: error });
  } finally {
    remove();
  }
}

async function people(demo: Demo, show: Show): Promise<void> {
  const wrong = await refusedLogin(demo, 'developer', 'sluice_aaaaaaaaaa_wrong');
  show({
    title: 'A wrong token does not log in',
    sent: 'password=sluice_aaaaaaaaaa_wrong',
    got: wrong,
    held: wrong.startsWith('28P01'),
  });
  const client = await connect(demo, 'developer', demo.tokens.developer);
  await tell(
    client,
    show,
    'A query works as it would without the gateway',
    'select count(*) as n from customers where city = $1',
    ['Oslo'],
    (answer) => answer === '[{"n":"50"}]',
  );
  await client.end();
  const agent = await connect(demo, 'assistant', demo.tokens.assistant);
  await tell(agent, show, 'An agent reads', 'select name from products order by id limit 1', [], (answer) =>
    answer.includes('Plain kettle'),
  );
  await tell(
    agent,
    show,
    'An agent does not write, whatever it is wrapped in',
    'with w as (update products set price = 0 where id = 1 returning *) select * from w',
    [],
    refusedBy('agents-read-only'),
  );
  await agent.end();
}

async function refusals(demo: Demo, show: Show): Promise<void> {
  const client = await connect(demo, 'developer', demo.tokens.developer);
  await tell(
    client,
    show,
    'DROP is refused in the words of the rule',
    'drop table customers',
    [],
    refusedBy('no-destruction'),
  );
  await tell(
    client,
    show,
    'A comment does not hide it',
    'dr/**/op table x; /* select */ drop /* a */ table -- b\n customers',
    [],
    (answer) => answer.startsWith('42'),
  );
  await tell(client, show, 'DELETE without WHERE is refused', 'delete from orders', [], refusedBy('unfiltered-writes'));
  await tell(
    client,
    show,
    'So is one whose WHERE is always true',
    'explain analyze delete from orders where 1 = 1',
    [],
    refusedBy('unfiltered-writes'),
  );
  await tell(
    client,
    show,
    'A bound value can make it so, too',
    'delete from orders where status like $1',
    ['%'],
    refusedBy('unfiltered-writes'),
  );
  await tell(
    client,
    show,
    'DELETE of one row passes',
    'delete from customers where id = $1',
    [300],
    (answer) => answer === 'DELETE 1',
  );
  await tell(client, show, 'In a transaction the status stays true', 'begin', [], (answer) => answer === 'BEGIN');
  await tell(client, show, '  a refused statement fails it', 'truncate orders', [], refusedBy('no-destruction'));
  await tell(client, show, '  as the server knows', 'select 1', [], (answer) => answer.startsWith('25P02'));
  await tell(client, show, '  and rollback ends it', 'rollback', [], (answer) => answer === 'ROLLBACK');
  await client.end();
}

async function masks(demo: Demo, show: Show): Promise<void> {
  const client = await connect(demo, 'developer', demo.tokens.developer);
  const hidden = (answer: string): boolean => answer.includes('[masked:EMAIL]') && !answer.includes('example.com');
  await tell(client, show, 'A masked column is masked', 'select name, email from customers where id = 1', [], hidden);
  await tell(
    client,
    show,
    '  under another name, in an expression, in a subquery as well',
    "with c as (select upper('to: ' || email) as harmless from customers where id = 1) select harmless from c",
    [],
    (answer) => hidden(answer) && !answer.includes('EXAMPLE.COM'),
  );
  await tell(
    client,
    show,
    'A pseudonym of equal values is the same one',
    'select phone from customers where id in (1, 101)',
    [],
    (answer) => new Set(answer.match(/tok_\w+/g)).size === 1 && !answer.includes('555'),
  );
  await tell(
    client,
    show,
    'A card number is found wherever it is',
    'select card from payments order by id limit 1',
    [],
    (answer) => /\*{4}.*\d{4}"/.test(answer) && !/\d{13}/.test(answer),
  );
  await tell(
    client,
    show,
    'Masked values do not leave by an error',
    'select email::int from customers where id = 1',
    [],
    (answer) => answer.startsWith('22P02') && !answer.includes('example.com'),
  );
  await tell(
    client,
    show,
    '  nor by a copy',
    'create table mine as select email from customers',
    [],
    (answer) => answer.startsWith('42501') && answer.includes('"gateway"'),
  );
  await tell(
    client,
    show,
    '  nor letter by letter',
    "select count(*) from customers where email like 'a%'",
    [],
    refusedBy('no-guessing'),
  );
  await client.end();
}

async function behindAnAgent(demo: Demo, show: Show): Promise<void> {
  const client = await connect(demo, 'developer', demo.tokens.developer, 'backroom');
  const sent = 'select count(*) as n from customers where city = $1';
  await tell(
    client,
    show,
    'A target that only an agent reaches',
    sent,
    ['Oslo'],
    (answer) => answer === '[{"n":"50"}]',
  );
  await tell(client, show, '  is under the same rules', 'drop table customers', [], refusedBy('no-destruction'));
  await tell(client, show, '  and masks', 'select email from customers where id = 1', [], (answer) =>
    answer.includes('[masked:EMAIL]'),
  );
  const [link] = demo.gateway.agents.links();
  show({
    title: '  by streams of the tunnel that the agent dialled',
    sent: 'sluice agents ls',
    got: `${link?.name} from ${link?.address}, may reach ${link?.allow.join(', ')}: ${link?.tunnel.streams} streams`,
    held: (link?.tunnel.streams ?? 0) > 0,
  });
  await client.end();
}

async function record(demo: Demo, show: Show): Promise<void> {
  const client = await connect(demo, 'developer', demo.tokens.developer);
  await client.query('select 42 as answer');
  await client.end();
  demo.gateway.log.flush();
  const folder = demo.gateway.journal.folder;
  const sessions = listSessions(folder);
  const [last] = sessions;
  const entries = last ? timeline(folder, last.id) : [];
  const answered = entries.some((entry) => entry.type === 'response' && entry.data.includes('42'));
  show({
    title: 'Every session is on record, answers included',
    sent: 'sluice sessions ls',
    got: `${sessions.length} sessions; the last one has ${entries.length} entries`,
    held: sessions.length >= 4 && answered,
  });
  show({
    title: 'The command line finds the gateway',
    sent: join(demo.folder, 'gateway.json'),
    got: readBeacon(demo.folder)?.url ?? 'nothing',
    held: readBeacon(demo.folder) !== undefined,
  });
}

function proof(folder: string, show: Show): string {
  const report = verify(join(folder, 'journal'));
  show({
    title: 'The record proves itself',
    sent: 'sluice audit verify',
    got: describeReport(report).split('\n').at(-1) ?? '',
    held: report.problems.length === 0 && report.unsealed === 0,
  });
  return paint.dim(describeReport(report));
}

async function connect({ gateway }: Demo, user: string, password: string, database = 'shop'): Promise<pg.Client> {
  const [host, port] = (gateway.addresses.get('postgres') ?? '').split(':');
  const client = new pg.Client({ ...(host && { host }), port: Number(port), user, password, database });
  await client.connect();
  return client;
}

async function refusedLogin(demo: Demo, user: string, password: string): Promise<string> {
  try {
    await (await connect(demo, user, password)).end();
    return 'logged in';
  } catch (error) {
    return inWords(error);
  }
}

async function tell(
  client: pg.Client,
  show: Show,
  title: string,
  sent: string,
  values: unknown[],
  holds: (answer: string) => boolean,
): Promise<void> {
  let got: string;
  try {
    const { command, rowCount, rows } = await client.query(sent, values.length > 0 ? values : undefined);
    got = rows.length > 0 ? JSON.stringify(rows) : `${command} ${rowCount ?? ''}`.trim();
  } catch (error) {
    got = inWords(error);
  }
  show({ title, sent: values.length > 0 ? `${sent}  ${JSON.stringify(values)}` : sent, got, held: holds(got) });
}

const inWords = (error: unknown): string => {
  const { code = '', message, detail } = error as pg.DatabaseError;
  return [code, message, detail].filter(Boolean).join('  ');
};

const refusedBy =
  (rule: string) =>
  (answer: string): boolean =>
    answer.startsWith('42501') && answer.includes(`"${rule}"`);
