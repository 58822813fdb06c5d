/**
 * `sluice approvals`: lists, shows, decides and watches requests. Owns: how a request is put to people. Does not: decide who
 * may (packages/control).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApprovalRow, Problem } from '@sluice/api';
import type { CommandContext } from '../context.js';
import { CliError } from '../errors.js';
import { confirmed, note, paint, print, printJson, printRows } from '../output.js';
import { hidesCharacters, printableLine } from '@sluice/printable';

/** How often `watch` looks, in milliseconds. */
const LOOK_MS = 1000;
const COLUMNS = ['number', 'state', 'principal', 'connection', 'text', 'expires'] as const;

/** `sluice approvals ls|show|approve|deny|revoke|break-glass|review|watch`. */
export function approvals(program: Command, context: CommandContext): void {
  const group = program.command('approvals').description('statements that wait for somebody to release them');
  const show = (row: ApprovalRow): void => (context.format() === 'json' ? printJson(row) : print(described(row)));

  group
    .command('ls')
    .description('requests, the newest first')
    .option('--pending', 'only those that wait for an answer')
    .option('--reviews', 'only those that passed by break-glass and that nobody else has looked at yet')
    .option('--before <number>', 'only those with a lower number: the next page')
    .action(async ({ pending, reviews, before }: { pending?: boolean; reviews?: boolean; before?: string }) => {
      const query = new URLSearchParams({
        ...(pending && { state: 'pending' }),
        ...(reviews && { review: 'open' }),
        ...(before && { before }),
      });
      printRows(await context.api().get<ApprovalRow[]>(`/v1/approvals?${query}`), [...COLUMNS], context.format());
    });

  group
    .command('show <number>')
    .description('one request: the whole statement, its values, who has said what')
    .action(async (number: string) => show(await context.api().get<ApprovalRow>(at(number))));

  group
    .command('approve <number>')
    .description('shows a statement, and releases it once you say so')
    .option('--reason <text>', 'for the record', '')
    .option('-y, --yes', 'without being asked')
    .action(async (number: string, { reason, yes }: { reason: string; yes?: boolean }) => {
      const row = await context.api().get<ApprovalRow>(at(number));
      // Also with --yes: whoever reads the output of a script sees what it released. Nothing but the answer is on stdout as JSON.
      note(described(row));
      // Of what waits no longer the gateway says why there is nothing to release.
      if (!yes && row.state === 'pending' && !(await confirmed(`Release request ${row.number}?`)))
        throw new CliError('Nothing was released.');
      show(await context.api().post<ApprovalRow>(`${at(number)}/approve`, { reason }));
    });

  group
    .command('revoke <number>')
    .description('takes your approval back, as long as it has not been used')
    .option('--reason <text>', 'for the record', '')
    .action(async (number: string, body: { reason: string }) => {
      const answer = await context.api().post<ApprovalRow | Problem>(`${at(number)}/revoke`, body);
      if ('message' in answer) return note(`${answer.message} ${answer.hint ?? ''}`);
      show(answer);
    });

  group
    .command('deny <number>')
    .description('refuses a statement')
    .requiredOption('--reason <text>', 'what the one who asked is told')
    .action(async (number: string, body: { reason: string }) =>
      show(await context.api().post<ApprovalRow>(`${at(number)}/deny`, body)),
    );

  group
    .command('break-glass <number>')
    .description('passes a request of your own at once, where its rules let you; everybody is told')
    .requiredOption(
      '--reason <text>',
      'why it cannot wait: it goes on record, and to everybody who looks after the gateway',
    )
    .action(async (number: string, body: { reason: string }) => {
      show(await context.api().post<ApprovalRow>(`${at(number)}/break-glass`, body));
      note('It passes. Its review is open until somebody else closes it.');
    });

  group
    .command('review <number>')
    .description('closes the review of what somebody else passed by break-glass')
    .requiredOption('--reason <text>', 'what came of looking at it')
    .action(async (number: string, body: { reason: string }) =>
      show(await context.api().post<ApprovalRow>(`${at(number)}/review`, body)),
    );

  group
    .command('watch')
    .description('prints requests as they come and as they are decided, until Ctrl+C')
    .action(async () => {
      const seen = new Map<number, string>();
      // Each word of several approvers is something new, and so is one that is taken back.
      const stateOf = ({ state, words, escalated, review }: ApprovalRow): string =>
        JSON.stringify([
          state,
          escalated,
          review,
          words.map(({ by, at: when, decision, takenBack }) => [by, when, decision, takenBack]),
        ]);
      for (;;) {
        const rows = await context.api().get<ApprovalRow[]>('/v1/approvals?limit=100');
        for (const row of rows.toReversed()) {
          if (seen.get(row.number) === stateOf(row) || (seen.size === 0 && row.state !== 'pending')) continue;
          if (context.format() === 'json') printJson(row, 'line');
          else print(described(row));
        }
        for (const row of rows) seen.set(row.number, stateOf(row));
        await sleep(LOOK_MS);
      }
    });
}

const at = (number: string): string => `/v1/approvals/${encodeURIComponent(number)}`;

const COLOURS = {
  pending: paint.yellow,
  approved: paint.green,
  passed: paint.yellow,
  denied: paint.red,
  withdrawn: paint.dim,
  expired: paint.dim,
} as const;

function described(row: ApprovalRow): string {
  const { number, state, principal, connection, session, text, textBytes, parameters, values } = row;
  const { requirements, words, expires, why, escalated, review } = row;
  const { tables = [], unknown, locks = [], waiting = [], preview } = row.impact ?? {};
  return [
    `${paint.bold(`request ${number}`)}  ${COLOURS[state](state)}  ${printableLine(`${principal} on ${connection}, session ${session}, until ${expires}`)}`,
    ...text.split('\n').map((line) => `    ${line}`),
    ...(textBytes > Buffer.byteLength(text) || values > parameters.length
      ? [`  only the start is shown, of ${textBytes} bytes and ${values} values: sluice approvals show ${number}`]
      : []),
    ...longLines(text, parameters),
    ...([text, ...parameters].some(hidesCharacters)
      ? [paint.yellow('  it has characters that do not show; they are written out, as \\x1b or \\u{202e}')]
      : []),
    ...parameters.map((value, index) => `    $${index + 1} = ${printableLine(value)}`),
    ...sinceLines(row.since),
    ...tables.map((one) => `  ${impactOf(one)}`),
    ...(unknown === undefined ? [] : [`  no estimate of rows: ${printableLine(unknown)}`]),
    ...previewLines(preview),
    ...locks.map((one) => `  locks ${printableLine(one)}`),
    ...waiting.map((one) => paint.yellow(`  keeps waiting: ${printableLine(one)}`)),
    ...(row.transaction ? ['  a transaction is open meanwhile, and may hold locks'] : []),
    ...(row.onTimeout === 'allow' ? ['  it passes when nobody answers'] : []),
    ...requirements.map(
      ({ rule, count, approvers, ...how }) =>
        `  ${printableLine(`rule ${rule}: ${count} of ${approvers.join(', ')}${howOf(how)}`)}`,
    ),
    ...(escalated === undefined
      ? []
      : [`  ${printableLine(escalated)}  nobody had answered: further approvers were asked`]),
    ...words.map(({ by, at: when, decision, reason, takenBack }) => {
      const after = takenBack === undefined ? '' : `, taken back ${takenBack}`;
      return `  ${when}  ${printableLine(`${by}: ${decision}${reason && `, ${reason}`}${after}`)}`;
    }),
    ...(review ? [`  ${reviewOf(number, review)}`] : []),
    ...(why === undefined ? [] : [`  ${printableLine(why)}`]),
    ...(row.page === undefined ? [] : [`  in a browser: ${printableLine(row.page)}`]),
  ].join('\n');
}

/** Longer ones have left the screen by the time that somebody is asked. Characters. */
const MAX_AT_A_GLANCE = 4_000;

function longLines(text: string, parameters: readonly string[]): string[] {
  const characters = parameters.reduce((sum, value) => sum + value.length, text.length);
  if (characters <= MAX_AT_A_GLANCE) return [];
  return [
    paint.yellow(
      `  it is long: ${characters.toLocaleString('en')} characters; look through all of it above: the decision is about all`,
    ),
  ];
}

const reviewOf = (number: number, review: NonNullable<ApprovalRow['review']>): string =>
  review.state === 'open'
    ? paint.yellow(
        `passed by break-glass; somebody else closes the review: sluice approvals review ${number} --reason ...`,
      )
    : printableLine(`reviewed ${review.at} by ${review.by}: ${review.reason}`);

type How = Pick<ApprovalRow['requirements'][number], 'stepUp' | 'escalate' | 'breakGlass'>;

const howOf = ({ stepUp, escalate, breakGlass }: How): string =>
  [
    stepUp === undefined ? '' : ', with a security key in the console',
    breakGlass ? `; ${breakGlass.join(', ')} may pass what they asked themselves (break-glass)` : '',
    escalate ? `; after ${Math.round(escalate.afterMs / 1000)} s of ${escalate.to.join(', ')} as well` : '',
  ].join('');

function sinceLines(since: ApprovalRow['since']): string[] {
  if (!since) return [];
  const { request, lines } = since;
  if (lines.length === 0) return [`  the same as request ${request}, which was approved`];
  return [`  since request ${request}, which was approved:`, ...lines.map((line) => `    ${printableLine(line)}`)];
}

type Preview = NonNullable<NonNullable<ApprovalRow['impact']>['preview']>;
type Cells = readonly (string | null)[];

/** How many rows it changed when it was tried; of some of them each column that changed, or all of what is new or gone. */
function previewLines(preview: Preview | undefined): string[] {
  if (!preview) return [];
  if ('unknown' in preview) return [`  not tried: ${printableLine(preview.unknown)}`];
  const { rows, columns, sample } = preview;
  const cell = (cells: Cells | undefined, at: number): string => printableLine(cells?.[at] ?? 'NULL');
  const lines = sample.map(({ before, after }) => {
    const isChanged = before && after;
    const shown = columns.flatMap((name, at) => {
      const is = `${printableLine(name)}=${cell(after ?? before, at)}`;
      if (!isChanged) return [is];
      return before[at] === after[at] ? [] : [`${printableLine(name)}: ${cell(before, at)} -> ${cell(after, at)}`];
    });
    const sign = isChanged ? '~' : after ? '+' : '-';
    const first = isChanged ? `${printableLine(columns[0] ?? '')}=${cell(before, 0)}  ` : '';
    return `    ${sign} ${first}${shown.length > 0 ? shown.join(', ') : 'nothing that shows'}`;
  });
  return [`  tried and rolled back: ${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'} changed`, ...lines];
}

type TableImpact = NonNullable<ApprovalRow['impact']>['tables'][number];

/** `delete on orders: about 1,200 of 5,000 rows (24 %), 1.2 MB; also items; triggers audit` */
function impactOf({ verb, table, rows, totalRows, bytes, cascades, triggers }: TableImpact): string {
  const count = (value: number): string => value.toLocaleString('en');
  const share = rows !== undefined && totalRows ? ` (${Math.min(100, Math.round((100 * rows) / totalRows))} %)` : '';
  const size = bytes === undefined ? '' : `, ${count(Math.ceil(bytes / 1024))} KiB`;
  // Statistics of a table that has just been filled may say less than the planner does.
  const known = totalRows === undefined || (rows !== undefined && totalRows < rows) ? undefined : totalRows;
  const total = known === undefined ? undefined : count(known);
  let amount = '';
  if (rows !== undefined)
    amount = `: about ${count(rows)}${total === undefined ? '' : ` of ${total}`} rows${share}${size}`;
  else if (total !== undefined) amount = `: the table has about ${total} rows${size}`;
  return [
    `${verb} on ${printableLine(table)}${amount}`,
    ...(cascades.length > 0 ? [`reaches ${printableLine(cascades.join(', '))}`] : []),
    ...(triggers.length > 0 ? [`fires ${printableLine(triggers.join(', '))}`] : []),
  ].join('; ');
}
