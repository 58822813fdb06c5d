/** A session that is open, as it happens. Owns: that it is followed over a restart of the gateway, and how much of it is kept. */
import { Alert, Checkbox, Group, Stack, Text } from '@mantine/core';
import type { TimelineEntry } from '@sluice/api';
import { type ReactNode, useEffect, useLayoutEffect, useState } from 'react';
import { ApiError, askEvents } from '../data/api.js';
import { queries } from '../data/queries.js';
import { Empty, Fault } from '../parts/states.js';
import { ToTerminal } from '../parts/titles.js';
import { Entries, showsScreen } from './entry.js';

/** Entries that are kept of one that is watched: its page has all once it is over. */
const MAX_WATCHED = 2_000;
/** What came meanwhile is drawn this often, in milliseconds. */
const DRAWN_MS = 100;
/** Until it is followed again after the gateway was away, in milliseconds. */
const RETRY_MS = 1_500;

export function Watched({ id }: { readonly id: string }): ReactNode {
  const { entries, first, error } = useFollowed(id);
  const [follows, setFollows] = useState(true);
  useLayoutEffect(() => {
    if (follows && entries.length > 0) window.scrollTo({ top: document.documentElement.scrollHeight });
  }, [follows, entries]);
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Text size="sm" role="status">
          You are watching: what happens appears here.
        </Text>
        <Checkbox
          label="Keep the newest in view"
          checked={follows}
          onChange={(event) => setFollows(event.currentTarget.checked)}
        />
      </Group>
      {error && <Fault error={error} />}
      {entries.some(showsScreen) && <ToTerminal id={id}>Watch its terminals</ToTerminal>}
      {first > 0 && (
        <Alert variant="outline">
          The last {MAX_WATCHED.toLocaleString('en')} entries. All of them are here once the session is over.
        </Alert>
      )}
      {entries.length === 0 ? (
        <Empty title="Nothing happened yet">What is asked in this session appears here.</Empty>
      ) : (
        <Entries of={entries} first={first} />
      )}
    </Stack>
  );
}

interface Followed {
  readonly entries: readonly TimelineEntry[];
  /** How many were left out in front of them. */
  readonly first: number;
}

const NOTHING: Followed = { entries: [], first: 0 };

function useFollowed(id: string): Followed & { readonly error: ApiError | undefined } {
  const [shown, setShown] = useState(NOTHING);
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const follow = async (): Promise<void> => {
      const seen: TimelineEntry[] = [];
      let [count, drawn] = [0, 0];
      const draw = (): void => {
        if (count === drawn) return;
        drawn = count;
        const entries = seen.slice(-MAX_WATCHED);
        setShown({ entries, first: count - entries.length });
      };
      const drawing = setInterval(draw, DRAWN_MS);
      try {
        const path = `/v1/sessions/${encodeURIComponent(id)}/watch`;
        for await (const entry of askEvents<TimelineEntry>(path, stop.signal)) {
          seen.push(entry);
          count++;
          if (seen.length > 2 * MAX_WATCHED) seen.splice(0, MAX_WATCHED);
        }
        draw();
        setError(undefined);
      } catch (fault) {
        if (stop.signal.aborted) return;
        if (fault instanceof ApiError) setError(fault);
      } finally {
        clearInterval(drawing);
      }
      await queries.invalidateQueries({ queryKey: ['sessions'] });
      // Where it is over, the page of the record takes its place; else the gateway was away.
      if (!stop.signal.aborted) timer = setTimeout(() => void follow(), RETRY_MS);
    };
    void follow();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [id]);
  return { ...shown, error };
}
