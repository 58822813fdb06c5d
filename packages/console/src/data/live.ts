/**
 * What happens at the gateway, as it happens. Owns: the stream of events, and that it is there again after the gateway was not. Does not:
 * know what changed: the questions that it concerns are asked anew.
 */
import { useEffect, useState } from 'react';
import { queries, whoAmI } from './queries.js';

/** How long until the next try where the browser makes none by itself, in milliseconds; doubled each time. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 8_000;

/** Questions whose answers change by themselves, by the first word of their names. */
const CHANGING = ['approvals', 'sessions', 'connections', 'tokens'];

export type Liveness = 'opening' | 'live' | 'broken';

/** Follows the gateway while somebody is logged in. */
export function useEvents(on: boolean): Liveness {
  const [state, setState] = useState<Liveness>('opening');
  useEffect(() => {
    if (!on) return undefined;
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wait = RETRY_MS;
    const open = (): void => {
      source = new EventSource('/v1/events');
      source.addEventListener('open', () => {
        wait = RETRY_MS;
        setState('live');
        // What happened before it was open was told to nobody, also while the page was loaded.
        for (const name of CHANGING) void queries.invalidateQueries({ queryKey: [name] });
      });
      source.addEventListener('approval', () => void queries.invalidateQueries({ queryKey: ['approvals'] }));
      // An answer that is on its way is not begun anew: one that takes longer than the next event would never come.
      source.addEventListener(
        'sessions',
        () => void queries.invalidateQueries({ queryKey: ['sessions'] }, { cancelRefetch: false }),
      );
      source.addEventListener('error', () => {
        setState('broken');
        // Whether the login is over is another question, which the stream cannot answer.
        void queries.invalidateQueries({ queryKey: whoAmI.queryKey });
        if (source?.readyState !== EventSource.CLOSED) return;
        timer = setTimeout(open, wait);
        wait = Math.min(MAX_RETRY_MS, wait * 2);
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      source?.close();
    };
  }, [on]);
  return state;
}
