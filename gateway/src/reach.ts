/** The ways to a target that are tried for an operator, as sessions use them. Does not: say what is wrong with it (packages/doctor). */
import { type ConnectionConfig, hasHostKeys } from '@sluice/config';
import { type TargetReach, httpAnswer } from '@sluice/doctor';
import { rowsFaults } from '@sluice/sql-postgres';
import { HttpTargets } from './http/credentials.js';
import { hasLookup } from './protocols.js';
import { type Reach, TargetDialer, openTargetLookup } from './target.js';

/** How long a login that is tried may take, in milliseconds. */
const MAX_LOGIN_MS = 10_000;

export function reachOf(connection: ConnectionConfig, services: Reach): TargetReach {
  const way = new TargetDialer(connection, services, 'doctor');
  const dial = async (): Promise<void> => void (await way.dial()).destroy();
  const { rows } = connection;
  if (hasLookup(connection.protocol))
    return {
      dial,
      lookup: () => openTargetLookup(connection, services),
      ...(rows && { faults: (lookup) => rowsFaults(lookup, rows) }),
    };
  if (hasHostKeys(connection)) return { dial, login: () => loginBySsh(way) };
  // Nobody's grant is used to try whether a target answers.
  const isTried = connection.http && connection.http.credential.type !== 'grant';
  const { http } = isTried ? way.login : {};
  return { dial, ...(http && { login: () => httpAnswer(way, http) }) };
}

/** The same from a process that is no gateway: it has no agents, and no keys of SSH to log in with. */
export function reachAlone(connection: ConnectionConfig): TargetReach {
  const log = { targetFailed: () => undefined };
  // Neither is asked: the connection goes by no agent, and nobody logs in by SSH.
  const services = { log, httpTargets: new HttpTargets() } as unknown as Reach;
  if (!hasHostKeys(connection)) return reachOf(connection, services);
  const way = new TargetDialer(connection, services, 'doctor');
  return { dial: async () => void (await way.dial()).destroy() };
}

async function loginBySsh(way: TargetDialer): Promise<string> {
  const { tryLogin } = await import('@sluice/ssh');
  const limits = { message: 0, recordedAnswer: 0, terminal: 0, upstreamLogin: MAX_LOGIN_MS };
  await tryLogin({ dial: () => way.dial(), limits }, way.login);
  way.arrived();
  return 'reached, its host key is the right one, and logged in';
}
