/**
 * The list of sessions as a page has it: a window of a few pages of the gateway, however many there are. Owns: which pages those are. Does
 * not: draw (pages/sessions.tsx).
 */
import type { SessionRow } from '@sluice/api';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import type { SessionSearch } from '../router.js';
import { ask } from './api.js';

const PAGE = 100;
/** Pages that are kept, and asked for anew when sessions change. */
const MAX_PAGES = 3;

/** A page: its number, and the session that it is behind. */
interface PageParam {
  readonly number: number;
  readonly before: string;
}

const FIRST: PageParam = { number: 0, before: '' };

export interface SessionList {
  readonly rows: readonly SessionRow[];
  /** How many there are in front of those. */
  readonly first: number;
  readonly error: Error | null;
  readonly isPending: boolean;
  readonly hasMore: boolean;
  readonly refetch: () => void;
  /** Asks for what is at a place of the list, where that is not there. */
  readonly reach: (at: number) => void;
}

export function useSessionList(search: SessionSearch): SessionList {
  /** Where each page began that was seen, to come back to it. */
  const begins = useRef(new Map([[0, '']]));
  const listing = useInfiniteQuery({
    queryKey: ['sessions', 'list', JSON.stringify(search)],
    initialPageParam: FIRST,
    maxPages: MAX_PAGES,
    queryFn: ({ pageParam: { before }, signal }) => {
      const query = new URLSearchParams({ limit: String(PAGE), ...search });
      if (before !== '') query.set('before', before);
      return ask<SessionRow[]>(`/v1/sessions?${query}`, signal);
    },
    getNextPageParam: (last, _, { number }): PageParam | undefined => {
      const before = last.at(-1)?.id;
      if (last.length < PAGE || before === undefined) return undefined;
      begins.current.set(number + 1, before);
      return { number: number + 1, before };
    },
    getPreviousPageParam: (_, __, { number }): PageParam | undefined =>
      number === 0 ? undefined : { number: number - 1, before: begins.current.get(number - 1) ?? '' },
  });
  const { data, isFetching, hasNextPage, hasPreviousPage } = listing;
  const rows = data?.pages.flat() ?? [];
  const [front = FIRST] = (data?.pageParams ?? []) as PageParam[];
  const first = front.number * PAGE;
  return {
    rows,
    first,
    error: listing.error,
    isPending: listing.isPending,
    hasMore: hasNextPage,
    refetch: () => void listing.refetch(),
    reach: (at) => {
      if (isFetching) return;
      if (at < first && hasPreviousPage) void listing.fetchPreviousPage();
      else if (at >= first + rows.length - 1 && hasNextPage) void listing.fetchNextPage();
    },
  };
}
