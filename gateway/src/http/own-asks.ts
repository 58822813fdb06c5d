/** What the gateway itself asks a target by HTTP for a command of somebody. Owns: that it is on record before it is sent. Does not: ask. */
import type { Log, SessionView } from '@sluice/audit';
import type { HttpCommand } from '@sluice/contract';

/** Of what is asked. */
const MAX_NOTED_CHARACTERS = 1_000;

/** The command, with whatever is asked for it put on record. */
export function notingAsks(
  command: HttpCommand,
  { id: session, connection }: Pick<SessionView, 'id' | 'connection'>,
  log: Pick<Log, 'admin' | 'flush'>,
): HttpCommand {
  const { askTarget, id } = command;
  if (!askTarget) return command;
  return {
    ...command,
    askTarget: (question) => {
      const body = question.body.slice(0, MAX_NOTED_CHARACTERS);
      log.admin('gateway', 'target.ask', `${connection?.name ?? ''}, for command ${id} of session ${session}: ${body}`);
      log.flush();
      return askTarget(question);
    },
  };
}
