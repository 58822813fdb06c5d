/** Which state of a session channel follows which, whole: what is not in the table changes nothing. */
import { expect, test } from 'vitest';
import type { Channel } from '../src/channel.js';
import type { WindowRelay } from '../src/window-relay.js';
import type { Program } from '../src/program.js';
import { type SessionEvent, type SessionState, nextState } from '../src/session-state.js';

const program = {} as Program;
const target = {} as Channel;
const window = {} as WindowRelay;
const keys = (): void => undefined;
const stopWaiting = (): void => undefined;
const waiter = new AbortController();
const exit = { summary: 'exit 0', failed: false };

const STATES: readonly SessionState[] = [
  { type: 'collecting' },
  { type: 'choosing', keys },
  { type: 'asking', waiter },
  { type: 'opening', program },
  { type: 'running', program, target, window },
  { type: 'leaving', program, target, window, stopWaiting },
  { type: 'ended' },
];
const EVENTS: readonly SessionEvent[] = [
  { type: 'choose', keys },
  { type: 'ask', waiter },
  { type: 'allow', program },
  { type: 'open', target, window },
  { type: 'exit', exit },
  { type: 'leave', stopWaiting },
  { type: 'end' },
];
const FOLLOWS: Readonly<Record<string, SessionState>> = {
  'collecting choose': { type: 'choosing', keys },
  'choosing choose': { type: 'choosing', keys },
  'collecting ask': { type: 'asking', waiter },
  'choosing ask': { type: 'asking', waiter },
  'asking allow': { type: 'opening', program },
  'opening open': { type: 'running', program, target, window },
  'running exit': { type: 'running', program, target, window, exit },
  'leaving exit': { type: 'leaving', program, target, window, stopWaiting, exit },
  'running leave': { type: 'leaving', program, target, window, stopWaiting },
};

const pairs = STATES.flatMap((state) => EVENTS.map((event) => ({ state, event, name: `${state.type} ${event.type}` })));

test.each(pairs)('$name', ({ state, event, name }) => {
  const next = nextState(state, event);
  if (FOLLOWS[name]) expect(next).toEqual(FOLLOWS[name]);
  else if (event.type === 'end') expect(next).toEqual({ type: 'ended' });
  else expect(next).toBe(state);
});
