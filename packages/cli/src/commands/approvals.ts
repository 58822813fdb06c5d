import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApprovalRow } from '../api.js';
import type { Context } from '../context.js';
import { paint, print, printJson, printRows } from '../output.js';
import { hidesCharacters, printableLine } from '../printable.js';

/** How often `watch` looks, in milliseconds. */
const LOOK = 1000;
const COLUMNS = ['number', 'state', 'principal', 'connection', 'text', 'expires'] as const;

/** `sluice approvals ls|show|approve|deny|watch`. */
export function approvals(program: Command, context: Context): void {
  const group = program.command('approvals').description('statements that wait for somebody to release them');
  const all = (): Promise<ApprovalRow[]> => context.api().get<ApprovalRow[]>('/v1/approvals');
  const show = (row: ApprovalRow): void => (context.format() === 'json' ? printJson(row) : print(described(row)));

  group
    .command('ls')
    .description('requests, the newest first')
    .option('--pending', 'only those that wait for an answer')
    .action(async ({ pending }: { pending?: boolean }) => {
      const rows = await all();
      printRows(pending ? rows.filter(({ state }) => state === 'pending') : rows, [...COLUMNS], context.format());
    });

  group
    .command('show <number>')
    .description('one request: the whole statement, its values, who has said what')
    .action(async (number: string) => show(await context.api().get<ApprovalRow>(at(number))));

  group
    .command('approve <number>')
    .description('releases a statement')
    .option('--reason <text>', 'for the record', '')
    .action(async (number: string, body: { reason: string }) =>
      show(await context.api().post<ApprovalRow>(`${at(number)}/approve`, body)),
    );

  group
    .command('deny <number>')
    .description('refuses a statement')
    .requiredOption('--reason <text>', 'what the one who asked is told')
    .action(async (number: string, body: { reason: string }) =>
      show(await context.api().post<ApprovalRow>(`${at(number)}/deny`, body)),
    );

  group
    .command('watch')
    .description('prints requests as they come and as they are decided, until Ctrl+C')
    .action(async () => {
      const seen = new Map<number, string>();
      for (;;) {
        const rows = await all();
        for (const row of rows.toReversed()) {
          if (seen.get(row.number) === row.state || (seen.size === 0 && row.state !== 'pending')) continue;
          if (context.format() === 'json') printJson(row, 'line');
          else print(described(row));
        }
        for (const { number, state } of rows) seen.set(number, state);
        await sleep(LOOK);
      }
    });
}

const at = (number: string): string => `/v1/approvals/${encodeURIComponent(number)}`;

const COLOURS = {
  pending: paint.yellow,
  approved: paint.green,
  denied: paint.red,
  withdrawn: paint.dim,
  expired: paint.dim,
} as const;

function described(row: ApprovalRow): string {
  const { number, state, principal, connection, session, text, parameters, requirements, words, expires, why } = row;
  const { tables = [], unknown } = row.impact ?? {};
  return [
    `${paint.bold(`request ${number}`)}  ${COLOURS[state](state)}  ${printableLine(`${principal} on ${connection}, session ${session}, until ${expires}`)}`,
    ...text.split('\n').map((line) => `    ${line}`),
    ...([text, ...parameters].some(hidesCharacters)
      ? [paint.yellow('  it has characters that do not show; they are written out, as \\x1b or \\u{202e}')]
      : []),
    ...parameters.map((value, index) => `    $${index + 1} = ${printableLine(value)}`),
    ...tables.map((one) => `  ${impactOf(one)}`),
    ...(unknown === undefined ? [] : [`  no estimate of rows: ${printableLine(unknown)}`]),
    ...(row.transaction ? ['  a transaction is open meanwhile, and may hold locks'] : []),
    ...(row.unanswered === 'allow' ? ['  it passes when nobody answers'] : []),
    ...requirements.map(({ rule, count, approvers }) =>
      printableLine(`rule ${rule}: ${count} of ${approvers.join(', ')}`),
    ),
    ...words.map(({ by, at: when, says, reason }) =>
      printableLine(`  ${when}  ${by}: ${says}${reason && `, ${reason}`}`),
    ),
    ...(why === undefined ? [] : [`  ${printableLine(why)}`]),
  ].join('\n');
}

type TableImpact = NonNullable<ApprovalRow['impact']>['tables'][number];

/** `delete on orders: about 1,200 of 5,000 rows (24 %), 1.2 MB; also items; triggers audit` */
function impactOf({ verb, table, rows, of, bytes, cascades, triggers }: TableImpact): string {
  const count = (value: number): string => value.toLocaleString('en');
  const share = rows !== undefined && of ? ` (${Math.min(100, Math.round((100 * rows) / of))} %)` : '';
  const size = bytes === undefined ? '' : `, ${count(Math.ceil(bytes / 1024))} KiB`;
  const amount =
    rows === undefined
      ? of === undefined
        ? ''
        : `: the table has about ${count(of)} rows${size}`
      : `: about ${count(rows)}${of === undefined ? '' : ` of ${count(of)}`} rows${share}${size}`;
  return [
    `${verb} on ${printableLine(table)}${amount}`,
    ...(cascades.length > 0 ? [`reaches ${printableLine(cascades.join(', '))}`] : []),
    ...(triggers.length > 0 ? [`fires ${printableLine(triggers.join(', '))}`] : []),
  ].join('; ');
}
