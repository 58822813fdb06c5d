/** Routes about agents. Owns: who may list, enrol and revoke. Does not: keep them (packages/agents). */
import { AgentRow } from '@sluice/api';
import type { AgentRecord } from '@sluice/store';
import { z } from 'zod';
import { actorOf } from '@sluice/audit';
import { NOT_STORED, problems } from './answers.js';
import { ById } from './openapi.js';
import { ControlError, type Routes } from './routes.js';
import { enrolmentLifeOf } from './token-life.js';

const Wish = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][\w.@-]*$/, 'a name begins with a letter or digit, and has letters, digits and . _ @ - only')
    .describe('What "via" calls the agent.'),
  expires: z.string().optional().describe('A duration: how long the token is good for enrolling. Default: 1h.'),
});

const Made = z.strictObject({
  name: z.string(),
  token: z.string(),
  expires: z.string(),
  gateway: z.string().describe('host:port that the agent dials.'),
});

/** Agents: listed for auditors too; enrolled and revoked by administrators. */
export function agentRoutes({ app, gateway, caller }: Routes): void {
  const toRow = ({ id, name, enrolled, lastSeen, revoked }: AgentRecord): AgentRow => {
    const links = gateway.agents.links(id);
    return {
      id,
      name,
      state: revoked !== undefined ? 'revoked' : links.length > 0 ? 'connected' : 'away',
      enrolled: iso(enrolled),
      lastSeen: iso(links.length > 0 ? Date.now() : (lastSeen ?? enrolled)),
      ...(revoked !== undefined && { revoked: iso(revoked) }),
      connects: gateway.agents.connects.get(id) ?? 0,
      links: links.map(({ tunnel, address, version, since, allow }) => ({
        address,
        version,
        since: iso(since),
        ...(tunnel.roundTrip !== undefined && { roundTrip: Math.round(tunnel.roundTrip * 1000) / 1000 }),
        streams: tunnel.streams,
        opened: tunnel.opened,
        refused: tunnel.refused,
        received: tunnel.bytesReceived,
        sent: tunnel.bytesSent,
        draining: tunnel.draining,
        allow,
      })),
    };
  };

  app.get(
    '/v1/agents',
    {
      config: { roles: ['admin', 'auditor'], about: 'gateway' },
      schema: { tags: ['agents'], summary: 'All agents', response: { 200: z.array(AgentRow) } },
    },
    (): AgentRow[] => gateway.agents.all().map(toRow),
  );

  app.post(
    '/v1/agents/tokens',
    {
      config: { roles: ['admin'], about: 'gateway' },
      schema: {
        tags: ['agents'],
        summary: 'Make a token that one agent enrols with',
        body: Wish,
        response: { 200: Made, ...problems(409) },
      },
    },
    async (request) => {
      const { name, expires } = request.body;
      const proven = caller(request);
      const time = enrolmentLifeOf(gateway, proven, expires);
      const address = gateway.addresses.get('agents');
      if (address === undefined)
        throw new ControlError(409, 'No agent can dial in at this gateway.', 'Add listeners.agents.');
      const until = Date.now() + time;
      const token = await gateway.agents.token(name, until);
      gateway.log.admin(actorOf(proven), 'agent.token', `for ${name}, until ${iso(until)}`);
      return { name, token, expires: iso(until), gateway: address };
    },
  );

  const removal = {
    tags: ['agents'],
    summary: 'Revoke an agent, and cut its links',
    params: ById,
    response: { 200: AgentRow, ...problems(202, 404) },
  };
  app.delete(
    '/v1/agents/:id',
    { config: { roles: ['admin'], about: 'gateway' }, schema: removal },
    async (request, reply) => {
      const revoked = gateway.agents.revoke(request.params.id);
      if (!revoked)
        throw new ControlError(404, `There is no agent ${request.params.id}.`, '"sluice agents ls" lists them by id.');
      gateway.log.admin(actorOf(caller(request)), 'agent.revoke', `${revoked.id} of ${revoked.name}`);
      const { agents, revocations } = gateway;
      const stored = await revocations.keep(`agent:${revoked.id}`, () => agents.storeRevocation(revoked));
      return stored ? toRow(revoked) : reply.code(202).send(NOT_STORED);
    },
  );
}

const iso = (time: number): string => new Date(time).toISOString();
