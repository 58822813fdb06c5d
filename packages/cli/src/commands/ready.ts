/**
 * `sluice ready`: whether a gateway lets commands through, by exit status, for health checks. Shows no token to it. Does not:
 * decide what ready is (packages/control).
 */
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { CliError } from '../errors.js';
import { note, oneLine, printJson } from '../output.js';

/** A gateway on this machine answers within milliseconds. */
const MAX_WAIT_MS = 5000;
const MAX_REASON_CHARACTERS = 300;

interface ReportedReadiness {
  readonly ok: boolean;
  readonly reason: string | undefined;
  /** What is wrong with a newer configuration file, while the one before it is in force. */
  readonly mistake: string | undefined;
}

export function ready(program: Command, context: CommandContext): void {
  program
    .command('ready')
    .description('ends with status 0 if the gateway lets commands through, else with 1 and the reason')
    .action(async () => {
      const url = context.url();
      const { ok, reason, mistake } = await readinessOf(url);
      if (!ok) throw new CliError(`The gateway at ${url} is not ready: ${reason ?? 'it does not say why'}.`);
      if (context.format() === 'json') return printJson({ ok, ...(mistake !== undefined && { mistake }) });
      note(mistake === undefined ? 'The gateway is ready.' : `The gateway is ready. ${mistake}`);
    });
}

/**
 * Asks `/readyz`.
 *
 * @throws CliError where nobody answers, or not as a gateway does
 */
async function readinessOf(url: string): Promise<ReportedReadiness> {
  let status: number;
  let answer: unknown;
  try {
    const response = await fetch(new URL('/readyz', url), {
      redirect: 'error',
      signal: AbortSignal.timeout(MAX_WAIT_MS),
    });
    status = response.status;
    answer = await response.json();
  } catch {
    throw new CliError(
      `No gateway answers at ${url} within ${MAX_WAIT_MS / 1000} s.`,
      'Is it running? "sluice up" starts it.',
    );
  }
  const { ok, reason, configuration } = (answer ?? {}) as Record<string, unknown>;
  if (typeof ok !== 'boolean' || (status !== 200 && status !== 503)) {
    throw new CliError(
      `What answers at ${url} is no gateway: status ${status}.`,
      'Name the gateway: --url or SLUICE_URL.',
    );
  }
  const { message } = (configuration ?? {}) as Record<string, unknown>;
  return { ok: ok && status === 200, reason: lineOf(reason), mistake: lineOf(message) };
}

const lineOf = (text: unknown): string | undefined =>
  typeof text === 'string' ? oneLine(text, MAX_REASON_CHARACTERS) : undefined;
