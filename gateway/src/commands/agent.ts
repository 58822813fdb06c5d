/** `sluice agent`: runs an agent until a signal ends it. Owns: its options in words. Does not: what an agent does (agent). */
import { readFileSync } from 'node:fs';
import { Agent, AllowList, RefusedByGateway, Secrets, checkUrl, ownKey } from '@sluice/agent';
import { CliError, note } from '@sluice/cli';
import { operatorLog } from '@sluice/audit';
import { VERSION } from '@sluice/api';

export interface AgentCommand {
  readonly gateway: string;
  readonly allow: string;
  readonly key: string;
  readonly token?: string;
  readonly ca?: string;
  readonly secrets?: string;
}

/** Runs an agent until a signal ends it. The first signal drains, the second does not wait. */
export async function runAgent(options: AgentCommand): Promise<void> {
  const log = operatorLog(process.stderr.isTTY);
  const agent = inWords(() => {
    const { ca, secrets } = options;
    const allow = new AllowList(readFileSync(options.allow, 'utf8'));
    if (allow.lines.length === 0) log.warn('the allow-list is empty: this agent reaches nothing');
    for (const line of allow.lines) log.info(`may reach ${line}`);
    // A token in the environment is not in the list of processes.
    const token = options.token ?? process.env['SLUICE_AGENT_TOKEN'];
    return new Agent({
      gateway: { url: checkUrl(options.gateway), ca: ca === undefined ? undefined : readFileSync(ca, 'utf8') },
      identity: { key: ownKey(options.key), token, version: VERSION },
      allow,
      secrets: new Secrets(secrets === undefined ? '' : readFileSync(secrets, 'utf8')),
      log: (level, message) => log[level](message),
    });
  });
  let stopping: Promise<void> | undefined;
  const onSignal = (): void => {
    if (stopping) process.exit(130);
    note('Stopping: running connections may finish. Once more to stop at once.');
    stopping = agent.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // Started by a program that has gone: the demo, killed.
  process.once('disconnect', onSignal);
  process.channel?.unref();
  try {
    await agent.run();
    await stopping;
  } catch (error) {
    if (error instanceof RefusedByGateway) throw new CliError(`The gateway refuses this agent: ${error.message}.`);
    throw error;
  }
}

function inWords<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new CliError(`The agent does not start: ${(error as Error).message}`);
  }
}
