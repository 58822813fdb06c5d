/** Garbage of a gateway that was started with `inspect`. Owns: having it collected. Does not: measure what is left (measure.ts). */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one collection leaves to be found by the next. */
const COLLECTIONS = 3;
/** Between them, so that the pages go back to the kernel. */
const PAUSE_MS = 700;

/** By Chrome's DevTools protocol, at the port of Node's inspector. */
export async function collectGarbage(port: number): Promise<void> {
  const [target] = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { webSocketDebuggerUrl: string }[];
  if (!target) throw new Error('nothing is inspected there');
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await once(socket, 'open');
  for (let id = 1; id <= COLLECTIONS; id++) {
    const answered = once(socket, 'message');
    socket.send(JSON.stringify({ id, method: 'HeapProfiler.collectGarbage' }));
    await answered;
    await sleep(PAUSE_MS);
  }
  socket.close();
}
