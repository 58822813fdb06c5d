/** `/healthz` and `/readyz`. Does not: find out what is ready (gateway). */
import { z } from 'zod';
import { OPEN } from './openapi.js';
import type { Routes } from './routes.js';

const Ready = z.strictObject({
  ok: z.boolean(),
  reason: z.string().optional(),
  configuration: z
    .strictObject({ ok: z.literal(false), since: z.string(), message: z.string() })
    .optional()
    .describe('There when the file has mistakes, so that the one before it is in force.'),
  record: z
    .strictObject({ ok: z.literal(false), message: z.string() })
    .optional()
    .describe('There when the record needs an operator, although commands are let through.'),
});

/** For whoever watches over the gateway, and load balancers. */
export function healthRoutes({ app, gateway }: Routes): void {
  app.get(
    '/healthz',
    {
      config: { unpaced: true },
      schema: {
        ...OPEN,
        tags: ['gateway'],
        summary: 'Whether the process lives',
        response: { 200: z.strictObject({ ok: z.literal(true) }) },
      },
    },
    () => ({ ok: true as const }),
  );

  app.get(
    '/readyz',
    {
      config: { unpaced: true },
      schema: {
        ...OPEN,
        tags: ['gateway'],
        summary: 'Whether commands can be let through',
        response: { 200: Ready, 503: Ready },
      },
    },
    (_request, reply) => {
      const ready = gateway.ready;
      void reply.code(ready.ok ? 200 : 503);
      return ready;
    },
  );
}
