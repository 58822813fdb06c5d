/**
 * From a call to a session, and what became of it in the words of a tool. Owns: that a session ends when nobody waits for it any more. Does not: speak
 * a protocol, which the clients do.
 */
import { type Noun, noticeInWords } from '@sluice/contract';
import { type OpenCall, openCall } from './call-gate.js';
import { ClientError } from './clients/statement.js';
import type { ToolConnection } from './host.js';
import { type ToolCall, ToolError, deniedError, failedError, refusedError } from './tool.js';

export interface Bounds {
  readonly wait_s: number;
  readonly timeout_s: number;
}

/** Runs something in a session of the caller. `act` leaves the session open if it gives what still needs it. */
export async function inSession<Value>(
  { caller, signal, progress }: ToolCall,
  { name }: ToolConnection,
  { wait_s: wait, timeout_s: timeout }: Bounds,
  noun: Noun,
  act: (call: OpenCall) => Promise<Value>,
): Promise<Value> {
  const session = await caller.begin(name);
  if (!session) throw new ToolError({ message: `Connection "${name}" is no longer yours to use.` });
  const call = openCall(session, name, {
    holdWait: wait * 1000,
    notice: (notice) => {
      const { message, hint } = noticeInWords(notice, noun);
      progress(`${message} ${hint}`);
    },
  });
  try {
    return await bounded(call, { signal, timeout }, () => act(call));
  } catch (error) {
    call.stream.destroy();
    throw inWords(error, call, noun);
  }
}

/** Has the session end when nobody waits any more, or when it has taken too long. */
export async function bounded<Value>(
  call: Pick<OpenCall, 'giveUp' | 'stream'>,
  { signal, timeout }: { readonly signal: AbortSignal; readonly timeout: number },
  act: () => Promise<Value>,
): Promise<Value> {
  const late = AbortSignal.timeout(timeout * 1000);
  const stop = AbortSignal.any([signal, late]);
  const gone = Promise.withResolvers<never>();
  const giveUp = (): void => {
    call.giveUp();
    const message = late.aborted
      ? `It took longer than ${timeout} s and was cancelled.`
      : 'The call was cancelled, and what it had begun was stopped.';
    const hint = late.aborted ? 'Ask for less, or for more time with "timeout_s".' : undefined;
    gone.reject(new ToolError({ message, hint }));
  };
  stop.addEventListener('abort', giveUp, { once: true });
  if (stop.aborted) giveUp();
  try {
    return await Promise.race([act(), gone.promise]);
  } finally {
    stop.removeEventListener('abort', giveUp);
  }
}

/** What the gate has said is more than what the client of the protocol was told. */
export function inWords(error: unknown, { heard }: Pick<OpenCall, 'heard'>, noun: Noun): unknown {
  if (error instanceof ToolError) return error;
  if (heard.refused) return refusedError(heard.refused);
  if (heard.denied) return deniedError(heard.denied, noun);
  if (error instanceof ClientError) return failedError(error.failure);
  return new ToolError({ message: 'The session ended before the answer was whole.', hint: 'Try again.' });
}
