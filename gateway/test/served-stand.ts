/** A gateway in front of a PostgreSQL of its own with a schema, and what people were asked of a statement that a rule holds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRequest } from '@sluice/approvals';
import { type PostgresServer, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { type Stand, type StandOptions, openStand, targetOf } from './stand.js';

export interface ServedStand {
  readonly server: PostgresServer;
  /** At the server itself, as its superuser. */
  readonly direct: pg.Client;
  readonly stand: Stand;
  stop(): Promise<void>;
}

/** `schema`: texts that are run one after the other. `login`: of the gateway at the server; absent: its superuser's. */
export async function openServedStand(
  major: 15 | 18,
  schema: readonly string[],
  { login, ...options }: Omit<StandOptions, 'target'> & { readonly login?: { user: string; password: string } },
): Promise<ServedStand> {
  const server = await startPostgres({ major });
  const direct = new pg.Client({ ...server, database: 'postgres' });
  try {
    await direct.connect();
    for (const text of schema) await direct.query(text);
    const stand = await openStand({ target: targetOf({ ...server, ...login }), ...options });
    const stop = async (): Promise<void> => {
      await direct.end();
      await stand.stop();
      await server.stop();
    };
    return { server, direct, stand, stop };
  } catch (error) {
    await direct.end();
    await server.stop();
    throw error;
  }
}

/**
 * What people are asked of a statement, which is then withdrawn.
 *
 * @throws Error what the client was told instead, where nobody was asked
 */
export async function askedOf(
  { gateway: { approvals } }: Stand,
  client: pg.Client,
  text: string,
  values?: unknown[],
): Promise<ApprovalRequest> {
  const result = client.query({ text, ...(values && { values }) }).catch((error: unknown) => error);
  let request: ApprovalRequest | undefined;
  for (let n = 0; n < 900 && !request; n++) {
    request = (await approvals.recent(1)).find(({ state }) => state === 'pending');
    await sleep(10);
  }
  if (request) approvals.withdraw(request.number, 'the test has seen it');
  const outcome = await result;
  if (!request) throw outcome;
  return request;
}
