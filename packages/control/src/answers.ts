/** What routes share in their answers: problems, and texts that are not JSON. Does not: what a route answers. */
import type { ServerResponse } from 'node:http';
import { Problem } from '@sluice/api';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

/** Statuses that a route says no with, besides those that every route may, see `describeApi`. */
export const problems = <const S extends number>(...statuses: readonly S[]): { [K in S]: typeof Problem } =>
  Object.fromEntries(statuses.map((status) => [status, Problem])) as { [K in S]: typeof Problem };

/** What a revocation is answered with that is in effect, status 202. */
export const NOT_STORED = {
  message: 'Revoked, and in effect. It could not be stored yet, which is tried again until it succeeds.',
  hint: 'The log of the gateway says why. /readyz is not ready before it is stored.',
} as const;

/** A response of another type than JSON. It is described, and sent as it is. */
export const textOf = (description: string, ...types: readonly string[]): object => ({
  description,
  content: Object.fromEntries(types.map((type) => [type, { schema: z.string() }])),
});

/** Begins an answer of server-sent events (WHATWG HTML section 9.2), with what every answer of the listener says to browsers. */
export function beginEvents(reply: FastifyReply): ServerResponse {
  const headers = Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined);
  const { raw } = reply.hijack();
  const own = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
  raw.writeHead(200, { ...(Object.fromEntries(headers) as Record<string, string>), ...own });
  raw.flushHeaders();
  return raw;
}
