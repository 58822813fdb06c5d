/**
 * `sluice sessions`: lists, shows, replays, watches, exports and ends sessions. Owns: how entries are drawn. Does not: read the
 * record (packages/reading).
 */
import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { SessionRow, TimelineEntry } from '@sluice/api';
import type { CommandContext } from '../context.js';
import { note, oneLine, paint, print, printJson, printJsonText, printRows, table } from '../output.js';
import { printableLine } from '@sluice/printable';
import { SafeTerminal } from '../terminal.js';

/** Of an export that is not whole or was changed; that of `audit verify` which found something. */
const DAMAGED_STATUS = 4;

/** `sluice sessions ls|show|replay|watch|export|kill`. */
export function sessions(program: Command, context: CommandContext): void {
  const group = program.command('sessions').description('what people and agents did, and are doing');

  group
    .command('ls')
    .description('sessions, newest first')
    .option('--live', 'only those that are open now')
    .option('-n, --limit <count>', 'at most this many', '50')
    .option('--before <id>', 'those that began before this one: the next page')
    .option('--claim <name=value...>', 'only those whose principal had this claim, such as run_id=4711 of a pipeline')
    .action(async (options: { live?: boolean; limit: string; before?: string; claim?: string[] }) => {
      const before = options.before === undefined ? '' : `&before=${encodeURIComponent(options.before)}`;
      const live = options.live ? '&state=open' : '';
      const claims = (options.claim ?? []).map((one) => `&claim=${encodeURIComponent(one)}`).join('');
      const rows = await context
        .api()
        .get<SessionRow[]>(`/v1/sessions?limit=${encodeURIComponent(options.limit)}${live}${before}${claims}`);
      const columns = ['id', 'state', 'principal', 'connection', 'started', 'commands', 'denied', 'client'] as const;
      printRows(rows, [...columns], context.format());
    });

  group
    .command('show <id>')
    .description('every command of a session with its decision and outcome')
    .action(async (id: string): Promise<void> => {
      if (context.format() === 'json') return printArray(timeline(context, id));
      for await (const entry of timeline(context, id)) printEntry(entry, false);
    });

  group
    .command('replay <id>')
    .description('plays a session: commands and answers, in their own time')
    .option('--speed <factor>', 'faster (2) or slower (0.5); 0: no waiting', '1')
    .option('--longest <seconds>', 'no pause is longer than this', '2')
    .action(async (id: string, options: { speed: string; longest: string }) => {
      const speed = Number(options.speed);
      let at = 0;
      const player = new Player(context.format() === 'json');
      for await (const entry of timeline(context, id)) {
        if (speed > 0) await sleep(Math.min((entry.at - at) / speed, Number(options.longest) * 1000));
        at = entry.at;
        player.play(entry);
      }
      player.end();
    });

  group
    .command('watch <id>')
    .description('follows an open session: what was, then what happens, until it ends')
    .action(async (id: string) => {
      const player = new Player(context.format() === 'json');
      for await (const entry of context.api().events<TimelineEntry>(`/v1/sessions/${encodeURIComponent(id)}/watch`)) {
        player.play(entry);
      }
      player.end();
    });

  group
    .command('export <id>')
    .description(
      'for other tools: events, one a line, in the shape of OCSF; the screen, as an asciicast; requests, as HAR',
    )
    .addOption(new Option('--format <format>', 'what to write').choices(['ocsf', 'asciicast', 'har']).default('ocsf'))
    .option('--command <number>', 'asciicast and har: only this command of the session')
    .action(async (id: string, options: { format: string; command?: string }) => {
      const command = options.command === undefined ? '' : `&command=${encodeURIComponent(options.command)}`;
      const path = `/v1/sessions/${encodeURIComponent(id)}/export?format=${options.format}${command}`;
      const { text, damages } = await context.api().exported(path);
      printJsonText(text);
      for (const damage of damages) note(printableLine(damage));
      if (damages.length > 0) process.exitCode = DAMAGED_STATUS;
    });

  group
    .command('kill <id>')
    .description('ends a session now; its running statement is cancelled')
    .option('--reason <text>', 'told to the client and kept in the record')
    .option('--keep-out <seconds>', 'by HTTP: for so long its principal gets no other session on the connection', '60')
    .action(async (id: string, options: { reason?: string; keepOut: string }) => {
      const reason = options.reason ? `&reason=${encodeURIComponent(options.reason)}` : '';
      const query = `keepOut=${encodeURIComponent(options.keepOut)}${reason}`;
      await context.api().delete(`/v1/sessions/${encodeURIComponent(id)}?${query}`);
      print(`${printableLine(id)} ended`);
    });
}

const timeline = (context: CommandContext, id: string): AsyncIterable<TimelineEntry> =>
  context.api().pages<TimelineEntry>(`/v1/sessions/${encodeURIComponent(id)}/timeline`);

/** An array of JSON, an element a line: a long session need not be in memory as a whole. */
async function printArray(entries: AsyncIterable<TimelineEntry>): Promise<void> {
  let before: TimelineEntry | undefined;
  print('[');
  for await (const entry of entries) {
    if (before) printJsonText(`  ${JSON.stringify(before)},\n`);
    before = entry;
  }
  if (before) printJsonText(`  ${JSON.stringify(before)}\n`);
  print(']');
}

/** Plays entries as they come: the screen of a terminal as it was, everything else as lines. */
class Player {
  readonly #json: boolean;
  readonly #screens = new Map<string, SafeTerminal>();
  /** The commands that are terminals, whose screen says all. */
  readonly #terminals = new Set<number>();
  /** Lines that were seen in one of them. */
  readonly #observed = new Set<number>();
  /** Requests by HTTP, whose answers are lines among those of others. */
  readonly #requests = new Set<number>();

  constructor(json: boolean) {
    this.#json = json;
  }

  play(entry: TimelineEntry): void {
    if (this.#json) return printJson(entry, 'line');
    if (entry.type === 'output') return this.#draw(entry);
    if (entry.kind === 'shell' && entry.command !== undefined && entry.decision !== 'deny') {
      this.#terminals.add(entry.command);
      if (entry.text !== '') {
        this.#observed.add(entry.command);
        return;
      }
    }
    if (entry.kind === 'request') this.#requests.add(entry.command ?? 0);
    if (entry.type === 'response' && this.#observed.delete(entry.command ?? 0)) return;
    if (entry.type === 'response') this.#requests.delete(entry.command ?? 0);
    printEntry(entry, true);
  }

  end(): void {
    if (this.#terminals.size > 0 && !this.#json) process.stdout.write(new SafeTerminal().end());
  }

  #draw({ command, stream, data }: TimelineEntry): void {
    if (stream === 'request' || stream === 'head' || stream === 'in') return printExchange(stream, data ?? '');
    if (stream !== 'out' && stream !== 'err') return;
    if (this.#requests.has(command ?? 0)) return printExchange('out', data ?? '');
    const key = `${command} ${stream}`;
    let screen = this.#screens.get(key);
    if (!screen) this.#screens.set(key, (screen = new SafeTerminal()));
    process.stdout.write(screen.push(Buffer.from(data ?? '', 'base64')));
  }
}

function printEntry(entry: TimelineEntry, withAnswer: boolean): void {
  const time = paint.dim(`${(entry.at / 1000).toFixed(3).padStart(9)}s`);
  switch (entry.type) {
    case 'command': {
      const mark =
        entry.decision === 'deny'
          ? paint.red('✗')
          : entry.decision === 'hold'
            ? paint.yellow('?')
            : entry.phase === 'prepare'
              ? paint.dim('·')
              : paint.green('✓');
      // So that no line of a text looks like one of the replay.
      const words = withAnswer ? wordsOf(entry).replaceAll('\n', `\n${INDENT}  `) : oneLine(wordsOf(entry));
      print(`${time}  ${mark} ${words}${parameters(entry)}`);
      if (withAnswer && entry.request) printHeaders(entry.request.headers);
      if (entry.decision === 'deny')
        print(`${' '.repeat(12)}${paint.red(printableLine(`refused by ${entry.rule}: ${entry.message}`))}`);
      break;
    }
    case 'output':
      if (entry.stream === 'line')
        print(`${time}    ${paint.dim(oneLine(Buffer.from(entry.data ?? '', 'base64').toString()))}`);
      break;
    case 'response':
      if (withAnswer && entry.result) printResult(entry.result);
      if (entry.outcome) print(`${time}    ${outcome(entry)}`);
      break;
    case 'gap':
      print(`${time}  ${paint.red(printableLine(`! ${entry.summary ?? ''}`))}`);
      break;
    default:
      print(`${time}  ${paint.dim(printableLine(`${entry.type}${entry.summary ? `: ${entry.summary}` : ''}`))}`);
  }
}

const INDENT = ' '.repeat(12);

function printHeaders(headers: readonly (readonly [string, string])[]): void {
  for (const [name, value] of headers) print(`${INDENT}${paint.dim(`> ${oneLine(`${name}: ${value}`, 200)}`)}`);
}

/** What a client sent by HTTP besides its head, and what it was answered; `data` is base64. */
function printExchange(stream: 'request' | 'head' | 'in' | 'out', data: string): void {
  const bytes = Buffer.from(data, 'base64');
  const mark = stream === 'head' || stream === 'out' ? '<' : '>';
  const text = isUtf8(bytes) ? bytes.toString('utf8') : `(${bytes.length} bytes)`;
  for (const line of text.split(/\r?\n/))
    if (line !== '') print(`${INDENT}${paint.dim(`${mark} ${oneLine(line, 200)}`)}`);
}

function printResult(result: NonNullable<TimelineEntry['result']>): void {
  if (result.columns.length > 0) {
    const rows = result.rows.map((row) => row.map((cell) => (cell === null ? paint.dim('NULL') : oneLine(cell, 60))));
    print(
      table(
        result.columns.map((column) => oneLine(column, 60)),
        rows,
      ).replaceAll(/^/gm, ' '.repeat(12)),
    );
  }
  for (const text of [...result.copied, ...result.messages]) print(`${' '.repeat(12)}${text.trimEnd()}`);
}

const outcome = (entry: TimelineEntry): string => {
  const what = printableLine(entry.summary || (entry.outcome ?? ''));
  const counts = paint.dim(`${rowsOf(entry)}${entry.bytes ?? 0} bytes`);
  return `${entry.outcome === 'error' ? paint.red(what) : paint.dim('→ ') + what}  ${counts}${hidden(entry)}`;
};

/** What has no columns has no rows either: a program, a request by HTTP. */
const rowsOf = ({ rows = 0, result }: TimelineEntry): string =>
  rows > 0 || (result?.columns.length ?? 0) > 0 ? `${rows} rows, ` : '';

/** Columns that were NULL because nothing better is known of them. */
function hidden({ hidden: columns = {} }: TimelineEntry): string {
  const reasons = Object.entries(columns).map(([reason, count]) => `${count} ${reason}`);
  return reasons.length === 0 ? '' : paint.yellow(printableLine(`  columns hidden: ${reasons.join(', ')}`));
}

function parameters(entry: TimelineEntry): string {
  const { parameters: values } = entry;
  if (!values || (Array.isArray(values) && values.length === 0)) return '';
  return paint.dim(`  ${oneLine(JSON.stringify(values), 80)}`);
}

/** A terminal has no text of its own. */
const wordsOf = ({ text = '', kind, account = '' }: TimelineEntry): string =>
  kind === 'shell' && text === '' ? `a terminal as ${account}` : text;
