/**
 * The states of a session channel (RFC 4254 section 6), and what leads from one to the next. Does not: send, ask or record;
 * `session-channel.ts` does that, and has the one state of a channel.
 *
 *     collecting -> choosing -> asking -> opening -> running -> leaving
 *          \___________________/                                         any -> ended
 */
import type { Channel } from './channel.js';
import type { WindowRelay } from './window-relay.js';
import type { Program } from './program.js';

export type SessionState =
  /** Nothing has started: a terminal and variables may be asked for. */
  | { readonly type: 'collecting' }
  /** A person chooses a machine, and `keys` takes what is typed. */
  | { readonly type: 'choosing'; readonly keys: (bytes: Buffer) => void }
  /** The gate judges, or people are asked. `waiter` is aborted when the client waits no longer. */
  | { readonly type: 'asking'; readonly waiter: AbortController }
  /** The answer was yes: from here on the record waits for an end. The target's channel is on its way. */
  | { readonly type: 'opening'; readonly program: Program }
  | ({ readonly type: 'running' } & AtTarget)
  /** The client has closed its channel, and the target is still to close its own. `stopWaiting` ends our waiter with it. */
  | ({ readonly type: 'leaving'; readonly stopWaiting: () => void } & AtTarget)
  | { readonly type: 'ended' };

/** A program that the target has been asked to run. */
export interface AtTarget {
  readonly program: Program;
  readonly target: Channel;
  /** Gives the target window as its output leaves. */
  readonly window: WindowRelay;
  /** How it ended, once the target has said so. */
  readonly exit?: Exit;
}

export interface Exit {
  /** As the record has it: `exit 0`, `signal TERM`. */
  readonly summary: string;
  readonly failed: boolean;
}

export type SessionEvent =
  | { readonly type: 'choose'; readonly keys: (bytes: Buffer) => void }
  | { readonly type: 'ask'; readonly waiter: AbortController }
  | { readonly type: 'allow'; readonly program: Program }
  | { readonly type: 'open'; readonly target: Channel; readonly window: WindowRelay }
  | { readonly type: 'exit'; readonly exit: Exit }
  /** The client has closed its channel while the program runs. */
  | { readonly type: 'leave'; readonly stopWaiting: () => void }
  | { readonly type: 'end' };

const ENDED: SessionState = { type: 'ended' };

/** The state after an event; the same object where the event has no place in this state and changes nothing. */
export function nextState(state: SessionState, event: SessionEvent): SessionState {
  switch (event.type) {
    case 'choose':
      return state.type === 'collecting' || state.type === 'choosing' ? { type: 'choosing', keys: event.keys } : state;
    case 'ask':
      return state.type === 'collecting' || state.type === 'choosing'
        ? { type: 'asking', waiter: event.waiter }
        : state;
    case 'allow':
      return state.type === 'asking' ? { type: 'opening', program: event.program } : state;
    case 'open': {
      const { target, window } = event;
      return state.type === 'opening' ? { type: 'running', program: state.program, target, window } : state;
    }
    case 'exit':
      return state.type === 'running' || state.type === 'leaving' ? { ...state, exit: event.exit } : state;
    case 'leave':
      return state.type === 'running' ? { ...state, type: 'leaving', stopWaiting: event.stopWaiting } : state;
    default:
      return state.type === 'ended' ? state : ENDED;
  }
}
