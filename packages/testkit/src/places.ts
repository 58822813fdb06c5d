import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A loopback port where nobody listens and nobody will: only root may listen below 1024, no service
 * has this one, and fetch does not refuse it by itself as it does 1. A port that was free a moment ago does not serve for that,
 * since another test may have it by now.
 */
export const CLOSED_PORT = 4;

/** Ports below those that systems hand out by themselves (Linux from 32768, macOS from 49152), so that no other socket gets one of them meanwhile. */
const FREE_PORTS = { from: 10_000, below: 32_768 };

/** Each worker of the tests has a part of them to itself, so that none finds a port free which a server of another one is about to take. */
const PARTS = 8;
const PART = Math.floor((FREE_PORTS.below - FREE_PORTS.from) / PARTS);

const given = new Set<number>();

/** A loopback port that was free a moment ago, for a server that is about to listen there. No port is given twice. */
export async function freePort(): Promise<number> {
  const from = FREE_PORTS.from + (Number(process.env['VITEST_POOL_ID'] ?? 0) % PARTS) * PART;
  for (;;) {
    const port = randomInt(from, from + PART);
    if (given.has(port)) continue;
    given.add(port);
    const server = createServer();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    if (await promise) return port;
  }
}

export function temporaryFolder(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
