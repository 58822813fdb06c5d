/**
 * Sessions with peers that send anything: packets of both sides at random and real ones damaged. Whatever comes, the conversation
 * does not throw, sends the target no statement that was not let through, and holds no more than its bounds.
 */
import type { Answer } from '@sluice/contract';
import { random } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { uint } from '../src/packets.js';
import { allowed, packet, payload, payloadsOf, query, reply, rows, talk } from './talk.js';

const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 2);
const SEED = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const denied: Answer = { type: 'deny', rule: 'r', message: 'no' };
const prepared = Buffer.concat([Buffer.from([0]), uint(7, 4), uint(1, 2), uint(1, 2), Buffer.alloc(3)]);

const FROM_CLIENT: readonly Buffer[] = [
  query('SELECT 1'),
  query('forbidden'),
  query('SELECT 1; forbidden; SELECT 2'),
  packet(0x02, 'shop'),
  packet(0x04, 't\0'),
  packet(0x0e),
  packet(0x16, 'SELECT ?'),
  packet(0x17, uint(7, 4), Buffer.from([0]), uint(1, 4), Buffer.from([0, 1, 3, 0, 1, 0, 0, 0])),
  packet(0x17, uint(7, 4), Buffer.from([1]), uint(1, 4), Buffer.from([0, 0, 1, 0, 0, 0])),
  packet(0x18, uint(7, 4), uint(0, 2), 'long'),
  packet(0x1c, uint(7, 4), uint(10, 4)),
  packet(0x19, uint(7, 4)),
  packet(0x1a, uint(7, 4)),
  packet(0x1b, uint(0, 2)),
  packet(0x1f),
  packet(0x0c, uint(9, 4)),
];
const FROM_TARGET: readonly Buffer[] = [
  reply(payload.ok()),
  reply(payload.ok(0x4002 | 8, 'more')),
  reply(payload.error(1064, 'what')),
  reply(...rows(['a', 'b'], ['1', null])),
  reply(payload.eof(0x42)),
  reply(prepared, payload.column('?'), payload.column('a')),
  reply(payload.file('/etc/passwd')),
  reply(payload.oldEof()),
];

test(`a session survives whatever comes, seed ${SEED}`, () => {
  const pick = random(SEED);
  const bytes = (list: readonly Buffer[]): Buffer => {
    const one = Buffer.from(list[pick(list.length)] as Buffer);
    if (pick(4) === 0 && one.length > 0) one[pick(one.length)] = pick(256);
    return pick(20) === 0 ? one.subarray(0, pick(one.length)) : one;
  };
  let sessions = 0;
  for (const end = Date.now() + SECONDS * 1000; Date.now() < end; sessions++) {
    const judge = ({ text }: { text: string }): Answer | undefined => {
      if (text.includes('forbidden')) return denied;
      return pick(10) === 0 ? undefined : allowed;
    };
    const made = talk({ judge, message: 4096 });
    for (let step = 0; step < 60 && !made.finished; step++) {
      const waits = Buffer.concat(made.sent.upstream).toString('latin1').endsWith('DATABASE()');
      try {
        if (waits && pick(8) > 0) made.ready();
        else if (pick(2) === 0) made.client(bytes(FROM_CLIENT));
        else made.replies(bytes(FROM_TARGET));
      } catch (error) {
        if (!(error as Error).message.startsWith('the gateway asked')) throw error;
      }
      if (pick(6) === 0) made.answer(allowed);
    }
    made.hangUp(pick(2) ? 'client' : 'upstream');
    const commands = payloadsOf(Buffer.concat(made.sent.upstream)).filter(
      ({ body }) => body[0] === 3 || body[0] === 0x16,
    );
    const texts = commands.map(({ body }) => body.toString('latin1', 1));
    expect(texts.filter((text) => text.includes('forbidden'))).toEqual([]);
    expect(made.recorded.filter(({ type }) => type === 'end').length).toBeLessThanOrEqual(60 * 3);
  }
  expect(sessions).toBeGreaterThan(20);
});
