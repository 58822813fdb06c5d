/**
 * For whoever runs the gateway: what runs and what waits, and whether each target can be used from here. Does not:
 * try a target itself (gateway/src/reach.ts).
 */
import { join } from 'node:path';
import { Day, Finding, Status, VERSION } from '@sluice/api';
import { LOG_FILE } from '@sluice/audit';
import { z } from 'zod';
import { problems } from './answers.js';
import { ControlError, type Routes } from './routes.js';

const iso = (time: number): string => new Date(time).toISOString();
const STARTED = Date.now() - process.uptime() * 1000;

export function operatingRoutes({ app, gateway }: Routes): void {
  const config = { roles: ['admin', 'auditor'], about: 'gateway' } as const;
  const status = { tags: ['gateway'], summary: 'What runs, since when, and what waits', response: { 200: Status } };
  app.get('/v1/status', { config, schema: status }, (): Status => {
    const { ready, approvals, agents, sessions } = gateway;
    const links = agents.links();
    const wanted = new Set([...gateway.config.connections.values()].flatMap(({ via }) => via ?? []));
    return {
      version: VERSION,
      pid: process.pid,
      started: iso(STARTED),
      ready: ready.ok,
      ...(ready.reason !== undefined && { reason: ready.reason }),
      ...(ready.configuration && { configuration: ready.configuration.message }),
      ...(ready.record && { record: ready.record.message }),
      listeners: Object.fromEntries(gateway.addresses),
      data: gateway.config.data,
      log: join(gateway.config.data, LOG_FILE),
      sessions: [...sessions.values()].filter(({ connection }) => connection !== undefined).length,
      waiting: approvals.pending,
      ...(approvals.oldest !== undefined && { oldest: iso(approvals.oldest) }),
      reviews: approvals.reviews().map(({ number }) => number),
      agents: links.map(({ name, address, since }) => ({ name, address, since: iso(since) })),
      missing: [...wanted].filter((name) => !links.some((link) => link.name === name)),
      connections: gateway.config.connections.size,
    };
  });

  const day = {
    tags: ['gateway'],
    summary: 'What the gateway did in the last day, a value a minute',
    description: 'Since its start, where that is later: nothing of it is kept over a restart.',
    response: { 200: Day },
  };
  app.get('/v1/status/day', { config: { ...config, inTurn: true }, schema: day }, (): Day => gateway.day.curves());

  // One at a time: each is a login at the target.
  let examining = false;
  const targets = {
    tags: ['gateway'],
    summary: 'Whether each target can be reached and logged in at, as sessions would',
    response: { 200: z.array(Finding), ...problems(409) },
  };
  app.post('/v1/doctor', { config: { ...config, roles: ['admin'] }, schema: targets }, async (): Promise<Finding[]> => {
    if (examining) throw new ControlError(409, 'Targets are being looked at already.', 'Try again in a minute.');
    examining = true;
    try {
      const findings: Finding[] = [];
      for (const connection of gateway.config.connections.values())
        findings.push(...(await gateway.examine(connection)));
      return findings;
    } finally {
      examining = false;
    }
  });
}
