/**
 * `sluice up`: runs a gateway until a signal ends it. Owns: signals, and the sentence when it cannot start. Does not: what it
 * is made of (components.ts).
 */
import { CliError, note } from '@sluice/cli';
import { OPERATOR } from '@sluice/identity';
import { readConfiguration } from '../configuration.js';
import { Gateway } from '../gateway.js';
import { LogFile, operatorLog } from '@sluice/audit';
import { mkdirSync } from 'node:fs';
import { reloadFrom } from '../reload.js';

/** Runs a gateway until a signal ends it. The first signal drains, the second does not wait. */
export async function up(file: string, pretty: boolean): Promise<void> {
  const { config, warnings } = readConfiguration(file);
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  const log = operatorLog(pretty, undefined, new LogFile(config.data));
  for (const warning of warnings) log.warn(warning);
  const gateway = await start(() => Gateway.start(config, log));
  for (const [protocol, address] of gateway.addresses) log.info(`${protocol} on ${address}`);
  log.info(`control API on ${gateway.url}, data in ${config.data}; "sluice logs -f" shows this log`);
  // Not in the log, which others read.
  if (process.stderr.isTTY && gateway.identity.tokens().every(({ principal }) => principal === OPERATOR))
    note(
      `To set it up from elsewhere, give this to "sluice login --setup", once, within ten minutes: ${gateway.setupToken.issue()}`,
    );
  const reloading = reloadFrom(gateway, file, () => {
    const again = readConfiguration(file);
    for (const warning of again.warnings) log.warn(warning);
    return again.config;
  });
  await untilSignal(() => gateway.stop());
  reloading.stop();
  // A part that did not end, and was left, may have a thread or a socket.
  setTimeout(() => process.exit(1), MAX_LEFTOVER_MS).unref();
}

/** How long what is left of a gateway that has stopped may keep the process, in milliseconds. */
const MAX_LEFTOVER_MS = 5_000;

/** What keeps a gateway from starting is the user's to mend: a sentence, not a stack. */
export async function start(starting: () => Promise<Gateway>): Promise<Gateway> {
  try {
    return await starting();
  } catch (error) {
    throw new CliError((error as Error).message);
  }
}

export async function untilSignal(stop: () => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let stopping = false;
  const onSignal = (): void => {
    if (stopping) process.exit(130);
    stopping = true;
    note('Stopping: running statements may finish. Once more to stop at once.');
    void stop().then(resolve, reject);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  await promise;
}
