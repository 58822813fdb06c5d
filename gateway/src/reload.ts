/**
 * Takes a changed configuration file into use. Owns: when it is looked at. Does not: what a new configuration changes
 * (gateway.ts).
 */
import { unwatchFile, watchFile } from 'node:fs';
import { CliError } from '@sluice/cli';
import type { Config } from '@sluice/config';
import { UnusableConfiguration } from '@sluice/control';
import type { Gateway } from './gateway.js';

/** How often the file is looked at, in milliseconds. Looking works on every file system, and whatever an editor does. */
const LOOK_MS = 1000;

/**
 * Takes a changed configuration file into use while sessions run: when it changes, on SIGHUP, and when an administrator asks.
 * One that has a mistake leaves the one before it in force.
 *
 * @param read throws with a sentence when the file cannot be used
 */
export function reloadFrom(gateway: Gateway, file: string, read: () => Config): { stop(): void } {
  let last = Promise.resolve();
  const reload = (actor: string): Promise<void> => {
    const attempt = async (): Promise<void> => {
      let config: Config;
      try {
        config = read();
      } catch (error) {
        gateway.refuseReload(actor, (error as Error).message);
        throw error;
      }
      await gateway.reload(config, actor);
    };
    // One after the other, also when one fails.
    const done = last.then(attempt);
    last = done.catch(() => undefined);
    return done;
  };
  gateway.onReload = async (actor) => {
    try {
      await reload(actor);
    } catch (error) {
      throw error instanceof CliError ? new UnusableConfiguration(error.message) : error;
    }
  };
  const onChange = (now: { mtimeMs: number; size: number }, before: { mtimeMs: number; size: number }): void => {
    if (now.mtimeMs !== before.mtimeMs || now.size !== before.size) void reload('the file').catch(() => undefined);
  };
  const onSignal = (): void => void reload('SIGHUP').catch(() => undefined);
  watchFile(file, { interval: LOOK_MS, persistent: false }, onChange);
  process.on('SIGHUP', onSignal);
  return {
    stop() {
      unwatchFile(file, onChange);
      process.off('SIGHUP', onSignal);
    },
  };
}
