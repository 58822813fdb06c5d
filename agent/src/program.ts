/**
 * One running program. Owns: its start without a shell, its lines and how long they may be, and that it ends with all that it has started.
 * Does not: know whose it is, or what a line says (program-session.ts).
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { printableLine } from '@sluice/printable';
import type { ProgramLine } from './programs.js';

/** The longest line of a program, and what may wait for it to read, in bytes. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024 + 64 * 1024;
const MAX_UNREAD_BYTES = 2 * MAX_LINE_BYTES;
/** What of its standard error goes into the log: lines, and characters of each. */
const MAX_ERROR_LINES = 20;
const MAX_ERROR_CHARACTERS = 300;
/** After its input has ended it may go by itself for so long, then it is told to, then it has to. Milliseconds. */
const OWN_END_MS = 1_000;
const TERM_MS = 2_000;
/** What it has written may still come for so long after its end; somebody else may hold its output open. Milliseconds. */
const LAST_OUTPUT_MS = 2_000;

export interface ProgramEvents {
  /** A line without its end. */
  readonly onLine: (line: string) => void;
  /** Once, when nothing of it runs any more. `why`: a phrase of which the program is the subject. */
  readonly onEnd: (why: string) => void;
  readonly log: (message: string) => void;
}

type State =
  | { readonly type: 'running' }
  /** It was told to end, and why. */
  | { readonly type: 'ending'; readonly why: string }
  | { readonly type: 'over' };

export class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #events: ProgramEvents;
  readonly #line: Buffer[] = [];
  #lineBytes = 0;
  #errorLines = 0;
  #state: State = { type: 'running' };
  readonly #timers: NodeJS.Timeout[] = [];

  constructor({ name, file, args, env }: ProgramLine, events: ProgramEvents) {
    this.#events = events;
    // In a group of its own, so that what it starts ends with it; in no folder of anybody's.
    this.#child = spawn(file, args, { env, cwd: '/', shell: false, detached: true, stdio: 'pipe' });
    const { stdin, stdout, stderr } = this.#child;
    // A program that has gone has no input; its end is told by itself.
    stdin.on('error', () => undefined);
    stdout.on('error', () => undefined);
    stderr.on('error', () => undefined);
    stdout.on('data', (bytes: Buffer) => this.#came(bytes));
    stderr.setEncoding('utf8').on('data', (text: string) => this.#complained(name, text));
    this.#child.once('error', ({ message }) => this.#over(`cannot be started: ${message}`));
    const ended = (code: number | null, signal: string | null): void =>
      this.#over(signal === null ? `has ended with code ${code ?? 0}` : `was ended by ${signal}`);
    this.#child.once('exit', (code, signal) => {
      // Whatever it has started goes with it. What has left its group may hold its output open for ever.
      this.#signal('SIGKILL');
      this.#timers.push(setTimeout(() => ended(code, signal), LAST_OUTPUT_MS));
    });
    this.#child.once('close', ended);
  }

  get running(): boolean {
    return this.#state.type === 'running';
  }

  /** One line for it to read. False: it does not read, and too much waits already. */
  say(line: string): boolean {
    const { stdin } = this.#child;
    if (!this.running || stdin.writableLength > MAX_UNREAD_BYTES) return false;
    stdin.write(`${line}\n`);
    return true;
  }

  /** Nobody can take what it says now: it waits, as at a full pipe. */
  pause(): void {
    this.#child.stdout.pause();
  }

  resume(): void {
    this.#child.stdout.resume();
  }

  /** Ends it: by the end of its input, then by signals to all that it has started. `why`: as in `onEnd`. */
  end(why: string): void {
    if (!this.running) return;
    this.#state = { type: 'ending', why };
    this.#line.length = 0;
    this.#child.stdin.end();
    this.#child.stdout.resume();
    this.#timers.push(
      setTimeout(() => this.#signal('SIGTERM'), OWN_END_MS),
      setTimeout(() => this.#signal('SIGKILL'), OWN_END_MS + TERM_MS),
    );
  }

  /** At once, for an agent that ends itself. */
  kill(): void {
    this.#signal('SIGKILL');
  }

  #came(bytes: Buffer): void {
    let rest = bytes;
    while (this.running) {
      const at = rest.indexOf(0x0a);
      const part = at < 0 ? rest : rest.subarray(0, at);
      this.#lineBytes += part.length;
      if (this.#lineBytes > MAX_LINE_BYTES) return this.end(`has written a line of more than ${MAX_LINE_BYTES} bytes`);
      if (part.length > 0) this.#line.push(part);
      if (at < 0) return;
      const line = Buffer.concat(this.#line.splice(0)).toString('utf8');
      this.#lineBytes = 0;
      this.#events.onLine(line);
      rest = rest.subarray(at + 1);
    }
  }

  #complained(name: string, text: string): void {
    for (const line of text.split('\n')) {
      if (line.trim() === '' || this.#errorLines > MAX_ERROR_LINES) continue;
      this.#errorLines++;
      const shown = printableLine(line).slice(0, MAX_ERROR_CHARACTERS);
      this.#events.log(
        this.#errorLines > MAX_ERROR_LINES ? `${name}: further lines are not shown` : `${name}: ${shown}`,
      );
    }
  }

  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nothing of the group is left.
    }
  }

  #over(why: string): void {
    const before = this.#state;
    if (before.type === 'over') return;
    this.#state = { type: 'over' };
    for (const timer of this.#timers) clearTimeout(timer);
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
    this.#events.onEnd(before.type === 'ending' ? before.why : why);
  }
}
