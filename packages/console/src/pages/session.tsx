/** One session: who, what happened in it, and its end. Owns: following it while it is open. Does not: one entry (entry.tsx). */
import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import type { SessionRow, TimelineEntry } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { ApiError, askEvents, askPage, send } from '../data/api.js';
import { queries, sessionQuery, whoAmI } from '../data/queries.js';
import { Dialog } from '../parts/dialog.js';
import { Facts } from '../parts/facts.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { Back, PageTitle } from '../parts/titles.js';
import { Entries } from './entry.js';

/** Entries of a page of what is over. */
const PAGE = 200;
/** Entries that are kept of one that is watched: its page has all once it is over. */
const MAX_WATCHED = 2_000;
/** What came meanwhile is drawn this often, in milliseconds. */
const DRAWN_MS = 100;
/** Until it is followed again after the gateway was away, in milliseconds. */
const RETRY_MS = 1_500;

export function SessionPage(): ReactNode {
  const { id } = useParams({ from: '/sessions/$id' });
  const { data: who } = useQuery(whoAmI);
  const { data: row, error, refetch } = useQuery(sessionQuery(id));
  return (
    <Stack gap="md">
      <div>
        <Back to="/sessions">All sessions</Back>
        <PageTitle>Session {id}</PageTitle>
      </div>
      {error && <Fault error={error} again={() => void refetch()} />}
      {!row && !error && <Waiting what="Asking for the session ..." />}
      {row && (
        <>
          <Facts
            of={[
              ['State', <State key="state" of={row.state} />],
              ['Who', printableLine(row.principal)],
              ['Connection', `${row.connection} (${printableLine(row.protocol)})`],
              ['Client', printableLine(row.client)],
              ['Began', <When key="began" at={row.started} />],
              ['Ended', row.ended && <When at={row.ended} />],
              ['Why it ended', row.reason && printableLine(row.reason)],
              ['Commands', `${row.commands.toLocaleString('en')} passed, ${row.denied.toLocaleString('en')} refused`],
              ...Object.entries(row.claims ?? {}).map(
                ([name, values]) => [name, values.map(printableLine).join(', ')] as const,
              ),
            ]}
          />
          {row.state === 'open' && who?.roles.includes('admin') && <End row={row} />}
          {row.state === 'ended' ? <Recorded row={row} /> : <Watched row={row} />}
        </>
      )}
    </Stack>
  );
}

/** One that is over, a page at a time. */
function Recorded({ row }: { readonly row: SessionRow }): ReactNode {
  const reading = useInfiniteQuery({
    queryKey: ['timeline', row.id],
    initialPageParam: `/v1/sessions/${encodeURIComponent(row.id)}/timeline?limit=${PAGE}`,
    queryFn: ({ pageParam, signal }) => askPage(pageParam, signal),
    getNextPageParam: ({ next }) => next,
    // It does not change, and each reading is on record.
    staleTime: Number.POSITIVE_INFINITY,
  });
  const entries = reading.data?.pages.flatMap(({ rows }) => rows) ?? [];
  return (
    <Stack gap="sm" align="stretch">
      {reading.error && <Fault error={reading.error} again={() => void reading.refetch()} />}
      {reading.isPending && <Waiting what="Reading the record ..." />}
      {reading.isSuccess && <Shown entries={entries} />}
      {reading.hasNextPage && (
        <Button variant="default" loading={reading.isFetchingNextPage} onClick={() => void reading.fetchNextPage()}>
          What came after
        </Button>
      )}
      {reading.isSuccess && (
        <Text size="sm">
          <a href={`/v1/sessions/${encodeURIComponent(row.id)}/export?format=ocsf`} download={`${row.id}.ndjson`}>
            Export as OCSF
          </a>
        </Text>
      )}
    </Stack>
  );
}

const Shown = ({ entries }: { readonly entries: readonly TimelineEntry[] }): ReactNode =>
  entries.length === 0 ? (
    <Empty title="Nothing happened yet">What is asked in this session appears here.</Empty>
  ) : (
    <Entries of={entries} />
  );

/** One that is open, as it happens. */
function Watched({ row: { id } }: { readonly row: SessionRow }): ReactNode {
  const [entries, setEntries] = useState<readonly TimelineEntry[]>();
  const [error, setError] = useState<ApiError>();
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const follow = async (): Promise<void> => {
      const seen: TimelineEntry[] = [];
      const draw = setInterval(() => seen.length > 0 && setEntries(seen.slice(-MAX_WATCHED)), DRAWN_MS);
      try {
        for await (const entry of askEvents<TimelineEntry>(
          `/v1/sessions/${encodeURIComponent(id)}/watch`,
          stop.signal,
        )) {
          seen.push(entry);
          if (seen.length > 2 * MAX_WATCHED) seen.splice(0, MAX_WATCHED);
        }
        setEntries(seen.slice(-MAX_WATCHED));
        setError(undefined);
        await queries.invalidateQueries({ queryKey: ['sessions'] });
      } catch (fault) {
        if (stop.signal.aborted) return;
        if (fault instanceof ApiError) setError(fault);
        await queries.invalidateQueries({ queryKey: ['sessions'] });
      } finally {
        clearInterval(draw);
      }
      // Where it is over, the page of the record takes its place; else the gateway was away.
      if (!stop.signal.aborted) timer = setTimeout(() => void follow(), RETRY_MS);
    };
    void follow();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [id]);
  return (
    <Stack gap="sm">
      <Text size="sm" role="status">
        You are watching: what happens appears here.
      </Text>
      {error && <Fault error={error} />}
      {entries && entries.length >= MAX_WATCHED && (
        <Alert variant="outline">
          The last {MAX_WATCHED.toLocaleString('en')} entries. All of them are here once the session is over.
        </Alert>
      )}
      <Shown entries={entries ?? []} />
    </Stack>
  );
}

/** Ends a session, in words that its user is told. */
function End({ row }: { readonly row: SessionRow }): ReactNode {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const ending = useMutation({
    mutationFn: () => send('DELETE', `/v1/sessions/${encodeURIComponent(row.id)}?reason=${encodeURIComponent(reason)}`),
    onSuccess: () => setOpen(false),
    onSettled: () => queries.invalidateQueries({ queryKey: ['sessions'] }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    ending.mutate();
  };
  return (
    <div>
      <Button color="red" variant="outline" onClick={() => setOpen(true)}>
        End this session ...
      </Button>
      {open && (
        <Dialog close={() => setOpen(false)} title={`End session ${row.id}`}>
          <form onSubmit={submit}>
            <Stack gap="md">
              <TextInput
                label="Reason"
                description="Its user is told."
                required
                maxLength={500}
                value={reason}
                onChange={(event) => setReason(event.currentTarget.value)}
                data-autofocus
              />
              {ending.error && <Fault error={ending.error} />}
              <Group justify="flex-end">
                <Button variant="default" onClick={() => setOpen(false)}>
                  Cancel
                </Button>
                <Button type="submit" color="red" loading={ending.isPending}>
                  End it
                </Button>
              </Group>
            </Stack>
          </form>
        </Dialog>
      )}
    </div>
  );
}
