/** `sluice agent`: runs an agent until a signal ends it. Owns: its options in words. Does not: what an agent does (agent). */
import { Agent, AllowList, RefusedByGateway, Secrets, checkUrl, checkedCa, ownKey } from '@sluice/agent';
import { CliError, note, readInput } from '@sluice/cli';
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
    const allow = new AllowList(readInput(options.allow));
    // Before anything is sent: a token is good for one enrolment.
    if (allow.lines.length === 0)
      throw new Error(`${options.allow} names no target, so that this agent would reach nothing; no token was used.`);
    for (const line of allow.lines) log.info(`may reach ${line}`);
    // A token in the environment is not in the list of processes.
    const token = options.token ?? process.env['SLUICE_AGENT_TOKEN'];
    return new Agent({
      gateway: {
        url: checkUrl(options.gateway),
        ca: ca === undefined ? undefined : checkedCa(readInput(ca), ca),
      },
      identity: { key: ownKey(options.key), token, version: VERSION },
      allow,
      secrets: new Secrets(secrets === undefined ? '' : readInput(secrets)),
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
