/** What a socket lends is what was sent, whatever becomes of each piece. */
import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Loan, connectLender } from '../src/lender.js';

let accepted: (socket: Socket) => void = () => undefined;
const server = createServer((socket) => accepted(socket));
beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
afterAll(() => void server.close());

const KIB = 1024;

async function pair(): Promise<{ far: Socket; near: ReturnType<typeof connectLender> }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  accepted = resolve;
  const near = connectLender({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  return { far: await promise, near };
}

test('pieces of every size come whole, and what is kept stays as it was', async () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 6 * KIB }), fc.integer({ min: 1, max: 400 * KIB }));
  const loans = fc.array(fc.constantFrom<Loan>('free', 'kept', 'paused'), { minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 8 }), loans, async (sizes, fates) => {
      const { far, near } = await pair();
      const sent = Buffer.concat(sizes.map((bytes, at) => Buffer.alloc(bytes, at + 1)));
      sent.forEach((byte, at) => void (sent[at] = (byte * 31 + at) & 0xff));
      const got: Buffer[] = [];
      const kept: { chunk: Buffer; was: Buffer }[] = [];
      let pieces = 0;
      near.lend((chunk) => {
        const fate = fates[pieces++ % fates.length] as Loan;
        const was = Buffer.from(chunk);
        if (fate === 'kept') kept.push({ chunk, was });
        if (fate !== 'paused') got.push(was);
        else {
          near.pause();
          // Its memory is as it was until the stream is resumed.
          setImmediate(() => {
            got.push(Buffer.from(chunk));
            near.resume();
          });
        }
        return fate;
      });
      far.end(sent);
      await once(near, 'close');
      expect(Buffer.concat(got).equals(sent)).toBe(true);
      for (const { chunk, was } of kept) expect(chunk.equals(was)).toBe(true);
    }),
    { numRuns: 30 },
  );
});
