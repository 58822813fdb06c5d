/**
 * The API document without a running gateway, for docs/openapi.json. Owns: reading it off the routes. Does not own: what it says
 * (openapi.ts, and the schemas of each route).
 */
import { fastify } from 'fastify';
import { Counters } from '@sluice/audit';
import type { Controlled } from './controlled.js';
import { documentOf } from './openapi.js';
import type { App } from './routes.js';
import { addRoutes } from './server.js';

/** What `/v1/openapi.json` of a running gateway answers, indented by two blanks, with a line break at its end. */
export async function apiDocument(): Promise<string> {
  const app: App = fastify();
  // No route is asked anything, so nothing of a gateway is read but the histogram that is added to the metrics.
  await addRoutes(app, { counters: new Counters() } as Controlled);
  await app.ready();
  try {
    return `${JSON.stringify(documentOf(app), null, 2)}\n`;
  } finally {
    await app.close();
  }
}
