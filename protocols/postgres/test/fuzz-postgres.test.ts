import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, type Masking, type SqlCommand, Unmasked } from '@sluice/contract';
import { type Exchange, joined, parseTranscript, random } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { F, message } from '../src/messages.js';
import * as t from './talk.js';
import { type Talk, deny, maskedSession, sensible, talk } from './talk.js';

/**
 * Real sessions, damaged: bytes flipped, cut, doubled, swapped, lengths that lie, statements from elsewhere put in.
 * Whatever a peer sends, the conversation does not throw, says nothing after its end, and lets no text reach the target
 * that was not asked about and allowed, nor a row to the client that a mask has stopped.
 *
 * `pnpm fuzz postgres [--seconds N] [--seed S]` runs it for longer.
 */
const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 2);
const FIXED = 20_261;
const FRESH = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'transcripts', 'postgres');
const sessions = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => joined(parseTranscript(readFileSync(join(FOLDER, file), 'utf8'))).slice(2));
const spices = [
  t.query('drop table accounts'),
  t.batch('drop table accounts'),
  t.query('select 1'),
  t.parse('s', 'drop table accounts'),
  t.bind('', 's'),
  t.execute(''),
  t.sync,
  t.copyData('x'),
  t.copyDone,
  t.query('copy a from stdin'),
  t.close('S', 's'),
  message(F.functionCall, 952, Buffer.alloc(2), Buffer.alloc(2), Buffer.alloc(2)),
];

type Random = (below: number) => number;

function damaged(exchanges: readonly Exchange[], pick: Random): Exchange[] {
  const made: Exchange[] = exchanges.map(({ from, bytes }) => ({ from, bytes: Buffer.from(bytes) }));
  for (let left = 1 + pick(4); left > 0; left--) {
    const at = pick(made.length);
    const { bytes, from } = made[at] as Exchange;
    const place = pick(Math.max(1, bytes.length));
    switch (pick(8)) {
      case 0:
        if (bytes.length > 0) bytes[place] = pick(256);
        break;
      case 1:
        made.splice(at, 1, { from, bytes: bytes.subarray(0, place) }, { from, bytes: bytes.subarray(place) });
        break;
      case 2:
        made.splice(at, 0, made[pick(made.length)] as (typeof made)[number]);
        break;
      case 3:
        if (made.length > 1) made.splice(at, 1);
        break;
      case 4:
        if (bytes.length > 5)
          bytes.writeInt32BE([-1, 0, 3, 4, 0x7fffffff, pick(1000)][pick(6)] as number, Math.min(1, bytes.length - 4));
        break;
      case 5:
        made.splice(at, 1, { from, bytes: bytes.subarray(0, place) });
        break;
      default:
        made.splice(at, 0, { from: 'client', bytes: Buffer.from(spices[pick(spices.length)] as Buffer) });
    }
  }
  return made;
}

/** Masks that let no row through at all. */
const NOTHING_PASSES: Masking = {
  changesSession: false,
  runsCode: false,
  rows: () => {
    throw new Unmasked('Nothing passes.');
  },
  copy: () => {
    throw new Unmasked('Nothing passes.');
  },
  texts: { hidden: false, clean: (text) => text },
  failed: () => undefined,
  completed: () => undefined,
};

function play(exchanges: readonly Exchange[], hidden: boolean): Talk {
  const judge = (command: SqlCommand): Answer => {
    const answer = sensible(command);
    return hidden && answer.type === 'allow' && command.phase === 'run'
      ? { ...answer, masking: NOTHING_PASSES }
      : answer;
  };
  const session = talk({ message: 64 * 1024, judge, ...(hidden && { masks: maskedSession() }) });
  for (const { from, bytes } of exchanges) {
    if (from === 'client') session.client(bytes);
    else session.replies(bytes);
  }
  session.hangUp('client');
  return session;
}

/** The tags of whole messages, and of one that was begun. */
function tags(bytes: Buffer): string {
  let found = '';
  for (let at = 0; at + 5 <= bytes.length; at += 1 + Math.max(4, bytes.readInt32BE(at + 1))) {
    found += String.fromCharCode(bytes[at] as number);
  }
  return found;
}

/** Every statement that the target was sent, in the order of its messages. */
function statements(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const next = at + 1 + bytes.readInt32BE(at + 1);
    if (next > bytes.length) break;
    const tag = String.fromCharCode(bytes[at] as number);
    expect('QPBDECSHXdcf').toContain(tag);
    const [first = '', second = ''] = bytes.toString('utf8', at + 5, next).split('\0');
    if (tag === 'Q') found.push(first);
    if (tag === 'P') found.push(second);
    at = next;
  }
  return found;
}

test.each([
  ['fixed', FIXED],
  ['fresh', FRESH],
])(
  `damaged sessions, %s seed %i`,
  (_, seed) => {
    const pick = random(seed);
    const until = Date.now() + (SECONDS * 1000) / 2;
    // The fixed seed runs a fixed number, so that what it finds it finds everywhere.
    for (let n = 0; seed === FIXED ? n < 1500 : Date.now() < until; n++) {
      const exchanges = damaged(sessions[pick(sessions.length)] as Exchange[], pick);
      const hidden = n % 3 === 0;
      const session = play(exchanges, hidden);
      if (hidden) expect(tags(Buffer.concat(session.sent.client)), `run ${n}`).not.toMatch(/[Dd]/);
      const allowed = new Set(session.asked.filter(({ text }) => !/\bdrop\b/i.test(text)).map(({ text }) => text));
      const past = statements(Buffer.concat(session.sent.upstream)).filter(
        (text) => !allowed.has(text) && !/^\W*Sluice refused|nowhere/.test(text),
      );
      expect(past, `run ${n}`).toEqual([]);
      expect(session.finished).toBe(true);
      const before = session.sent.client.length + session.sent.upstream.length;
      session.client(t.query('select 1'));
      session.replies(t.reply.ready('I'));
      session.answer(deny);
      expect(session.sent.client.length + session.sent.upstream.length).toBe(before);
      // A portal may be executed again when it is done; what has ended is not lost or skipped after that.
      const ended = new Set<number>();
      for (const event of session.recorded) {
        if (event.type !== 'end' || event.outcome === 'suspended') continue;
        const again = ended.has(event.command) && event.outcome !== 'ok' && event.outcome !== 'error';
        expect(again, `run ${n}: ${event.outcome}`).toBe(false);
        ended.add(event.command);
      }
    }
  },
  SECONDS * 1000 + 60_000,
);
