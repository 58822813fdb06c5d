/** Session channels under events in any order: what must hold whatever happens, from the same seeds each time. */
import { random } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { PTY, type Talk, allow, editor, facts, talk } from './talk.js';

const SEEDS = 400;
const STEPS = 60;

type Step = (session: Talk, pick: (below: number) => number) => void | Promise<void>;

const STEPS_OF: readonly Step[] = [
  ({ client }) => void client.asks('exec', 'id'),
  ({ client }) => void client.asks('shell'),
  ({ client }) => void client.asks('pty-req', ...PTY),
  ({ client }) => void client.asks('env', 'LANG', 'C'),
  ({ client }, pick) => void client.writes('x'.repeat(1 + pick(50))),
  ({ client }) => void client.writes('\x03'),
  ({ client }) => void client.writes('ls\r'),
  ({ client }) => void client.tells('signal', 'INT'),
  ({ client }) => void client.tells('window-change', 90, 30, 0, 0),
  ({ client }, pick) => void client.widens(pick(100)),
  ({ client }) => void client.eof(),
  ({ client }) => void client.closes(),
  (session) => (session.open > 0 ? session.answer(allow) : undefined),
  (session) => (session.open > 0 ? session.answer({ type: 'allow', facts, stream: () => editor(3) }) : undefined),
  (session) => (session.open > 0 ? session.answer({ type: 'deny', rule: 'no', message: 'No.' }) : undefined),
  (session) => (session.open > 0 ? session.answer(new Error('broken')) : undefined),
  ({ target }) => void (target.theirs >= 0 && target.confirms()),
  ({ target }) => void (target.theirs >= 0 && target.refuses('no')),
  ({ target }) => void target.grants(),
  ({ target }) => void target.grants(false),
  ({ target }, pick) => void target.writes('y'.repeat(1 + pick(50))),
  ({ target }) => void target.complains('oh'),
  ({ target }, pick) => void target.exits(pick(3)),
  ({ target }) => void target.tells('exit-signal', 'TERM', false, '', ''),
  ({ target }, pick) => void target.widens(pick(100)),
  ({ target }) => void target.eof(),
  ({ target }) => void target.closes(),
  (session, pick) => session.clock.pass(pick(6_000)),
  (session) => session.clock.endTurn(),
  (session) => session.turn(),
];
/** Rare ones, after which little else happens. */
const LAST_STEPS: readonly Step[] = [
  (session) => session.kill({ code: 'ended-by-administrator' }),
  (session) => session.targetGone(new Error('reset')),
  (session) => session.clientGone(),
];

/** Plays a session to its end. */
async function play(
  seed: number,
): Promise<{ readonly session: Talk; readonly client: string[]; readonly target: string[] }> {
  const pick = random(seed);
  const session = talk({
    clientWindow: pick(2) * 20,
    targetWindow: pick(2) * 20,
    limits: { recordedAnswer: 60, terminal: 200 },
  });
  session.client.opens();
  // Most sessions get as far as a program that runs.
  if (pick(4) > 0) {
    session.client.asks('exec', 'id');
    if (pick(4) > 0) await session.answer(allow);
    if (pick(4) > 0 && session.target.theirs >= 0) session.target.confirms().grants();
  }
  for (let step = 0; step < STEPS; step++) {
    const steps = pick(40) === 0 ? LAST_STEPS : STEPS_OF;
    await steps[pick(steps.length)]?.(session, pick);
  }
  const [client, target] = [session.client.got(), session.target.got()];
  session.clientGone();
  while (session.open > 0) await session.answer(allow);
  session.clock.endTurn();
  session.clock.pass(10_000);
  await session.turn();
  return { session, client, target };
}

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))('seed %i', async (seed) => {
  const { session, client, target } = await play(seed);
  const recorded = session.recorded();
  const ends = recorded.flatMap((line) => (/ end /.test(line) ? [line.split(' ')[0]] : []));
  const commands = session.asked.filter(({ command }) => command.type !== 'shell' || command.text === '');
  const allowed = commands
    .filter((_, at) => {
      const answered = session.answered[at];
      return answered !== undefined && 'type' in answered && answered.type === 'allow';
    })
    .map(({ command }) => String(command.id));
  const programs = new Set(commands.map(({ command }) => String(command.id)));
  // Each program that was let through has one end on record, and no other one has any.
  expect(ends.filter((id) => programs.has(id as string)).sort()).toEqual(allowed.sort());
  // Nothing is on record of a program behind its end.
  for (const id of allowed) {
    const own = recorded.filter((line) => line.startsWith(`${id} `));
    expect(own.findIndex((line) => line.startsWith(`${id} end`))).toBe(own.length - 1);
  }
  // A peer hears nothing on a channel behind its close.
  expect(client.indexOf('close')).toBeOneOf([-1, client.length - 1]);
  expect(target.filter((line) => line === 'close').length).toBeLessThanOrEqual(1);
  // The target hears of nothing that was not let through, and nobody waits for anything any more.
  if (allowed.length === 0) expect(target).toEqual([]);
  expect(session.clock.pending).toBe(0);
});
