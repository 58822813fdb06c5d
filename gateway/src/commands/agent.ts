/** `sluice agent`: runs an agent until a signal ends it. Owns: its options in words. Does not: what an agent does (agent). */
import { Agent, AllowList, Programs, RefusedByGateway, Secrets, checkUrl, checkedCa, ownKey } from '@sluice/agent';
import { CliError, note, readInput } from '@sluice/cli';
import { operatorLog } from '@sluice/audit';
import { VERSION } from '@sluice/api';

export interface AgentCommand {
  readonly gateway: string;
  readonly allow?: string;
  readonly key: string;
  readonly token?: string;
  readonly ca?: string;
  readonly secrets?: string;
  readonly programs?: string;
}

/** Runs an agent until a signal ends it. The first signal drains, the second does not wait. */
export async function runAgent(options: AgentCommand): Promise<void> {
  const log = operatorLog(process.stderr.isTTY);
  const agent = inWords(() => {
    const { ca, secrets } = options;
    const allow = new AllowList(options.allow === undefined ? '' : readInput(options.allow));
    const programs = new Programs(options.programs === undefined ? '' : readInput(options.programs));
    const lines = [
      ...allow.lines.map((line) => `may reach ${line}`),
      ...programs.lines.map((line) => `may run ${line}`),
    ];
    // Before anything is sent: a token is good for one enrolment.
    if (lines.length === 0) {
      const lists = [options.allow, options.programs].filter((one) => one !== undefined).join(' and ');
      const what = lists === '' ? 'Neither --allow nor --programs was given' : `${lists} names no target`;
      throw new Error(`${what}, so that this agent would reach nothing; no token was used.`);
    }
    for (const line of lines) log.info(line);
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
      programs,
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
