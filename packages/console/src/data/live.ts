/**
 * What happens at the gateway, as it happens. Owns: the stream of events, and that it is there again after the gateway was not. Does not:
 * know what changed: the questions that it concerns are asked anew.
 */
import type { Query } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { queries, whoAmI } from './queries.js';

/** How long until the next try where the browser makes none by itself, in milliseconds; doubled each time. */
const RETRY_MS = 500;
const MAX_RETRY_MS = 8_000;

/** Questions whose answers change by themselves, by the first word of their names. */
const CHANGING = ['approvals', 'sessions', 'connections', 'tokens'];

export type Liveness = 'opening' | 'live' | 'broken';

/** Questions whose answers are on their way, and were perhaps made before something changed. */
const outdated = new Set<string>();

/**
 * Asks anew. An answer that is on its way is waited for: one that takes longer than the next event would never come, and the library
 * takes it for the new one, whenever it was made.
 */
function changed(name: string): void {
  const isOnItsWay = ({ state }: Query): boolean => state.fetchStatus === 'fetching';
  for (const query of queries.getQueryCache().findAll({ queryKey: [name], predicate: isOnItsWay }))
    outdated.add(query.queryHash);
  void queries.invalidateQueries({ queryKey: [name], predicate: (query) => !isOnItsWay(query) });
}

queries.getQueryCache().subscribe((event) => {
  if (event.type !== 'updated' || (event.action.type !== 'success' && event.action.type !== 'error')) return;
  const { queryHash, queryKey } = event.query;
  if (outdated.delete(queryHash)) void queries.invalidateQueries({ queryKey, exact: true });
});

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
        for (const name of CHANGING) changed(name);
      });
      source.addEventListener('approval', () => changed('approvals'));
      source.addEventListener('sessions', () => changed('sessions'));
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
