/**
 * A session that is over, as it is on record: a page at a time from the gateway, whatever its length. Owns: which page, and what is looked
 * for in it. Does not: one entry (entry.tsx).
 */
import { Button, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import type { SessionRow, TimelineEntry } from '@sluice/api';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { askFilledPage } from '../data/api.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { ToTerminal } from '../parts/titles.js';
import type { Decision, EntrySearch } from '../router.js';
import { Entries, showsScreen } from './entry.js';

/** Entries of a page. */
const PAGE = 500;

export function Recorded({ row }: { readonly row: SessionRow }): ReactNode {
  const search: EntrySearch = useSearch({ from: '/sessions/$id' });
  return (
    <Stack gap="sm" align="stretch">
      <Sought key={JSON.stringify(search)} search={search} />
      <Pages key={`pages ${JSON.stringify(search)}`} row={row} search={search} />
    </Stack>
  );
}

const timelineOf = ({ id }: SessionRow): string => `/v1/sessions/${encodeURIComponent(id)}/timeline`;

function Pages({ row, search }: { readonly row: SessionRow; readonly search: EntrySearch }): ReactNode {
  const first = `${timelineOf(row)}?${new URLSearchParams({ limit: String(PAGE), ...search })}`;
  /** Addresses of the pages that led here; the last is the one that is shown. */
  const [path, setPath] = useState<readonly string[]>([first]);
  const at = path.at(-1) ?? first;
  const reading = useQuery({
    queryKey: ['timeline', row.id, at],
    queryFn: ({ signal }) => askFilledPage<TimelineEntry>(at, signal),
    // It does not change, and each reading is on record.
    staleTime: Number.POSITIVE_INFINITY,
  });
  const { rows = [], next } = reading.data ?? {};
  const isSought = Object.keys(search).length > 0;
  const go = (to: readonly string[]): void => {
    setPath(to);
    window.scrollTo({ top: 0 });
  };
  const turn = (label: string): ReactNode => (
    <Group component="nav" gap="sm" aria-label={label}>
      {(path.length > 1 || next !== undefined) && (
        <>
          <Button variant="default" disabled={path.length === 1} onClick={() => go(path.slice(0, -1))}>
            What came before
          </Button>
          <Button
            variant="default"
            disabled={next === undefined}
            loading={reading.isFetching}
            onClick={() => next !== undefined && go([...path, next])}
          >
            What came after
          </Button>
        </>
      )}
      <Text size="sm">{rangeOf(rows)}</Text>
    </Group>
  );
  return (
    <>
      {reading.error && <Fault error={reading.error} again={() => void reading.refetch()} />}
      {reading.isPending && <Waiting what={isSought ? 'Looking through the record ...' : 'Reading the record ...'} />}
      {rows.some(showsScreen) && <ToTerminal id={row.id}>Play its terminals</ToTerminal>}
      {turn('Pages of this session')}
      {reading.isSuccess && rows.length === 0 && <Nothing isSought={isSought} more={next !== undefined} />}
      {rows.length > 0 && <Entries key={at} of={rows} first={0} />}
      {reading.isSuccess && <Exports id={row.id} rows={rows} />}
      {next !== undefined && rows.length > 20 && turn('Pages of this session, at the end')}
    </>
  );
}

function rangeOf(rows: readonly TimelineEntry[]): string {
  const numbers = rows.flatMap(({ type, command }) => (type === 'command' && command !== undefined ? [command] : []));
  const [first, last] = [numbers[0], numbers.at(-1)];
  if (first === undefined || last === undefined) return '';
  return first === last ? `Command ${first}` : `Commands ${first} to ${last}`;
}

const Nothing = ({ isSought, more }: { readonly isSought: boolean; readonly more: boolean }): ReactNode => {
  if (more)
    return (
      <Empty title="Nothing so far">This session is long: go on with what came after, which is looked through.</Empty>
    );
  return isSought ? (
    <Empty title="No command of this session is like that">Look for less, or for all of it.</Empty>
  ) : (
    <Empty title="Nothing happened">It was opened and closed, and nothing was asked in it.</Empty>
  );
};

/** What is looked for, in the address, so that it can be sent to somebody. */
function Sought({ search }: { readonly search: EntrySearch }): ReactNode {
  const navigate = useNavigate({ from: '/sessions/$id' });
  const [text, setText] = useState(search.text ?? '');
  const [from, setFrom] = useState(search.from ?? '');
  const go = (decision: Decision | undefined): void =>
    void navigate({
      search: {
        ...(decision !== undefined && { decision }),
        ...(text !== '' && { text }),
        ...(/^\d+$/.test(from) && { from }),
      },
      resetScroll: false,
    });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    go(search.decision);
  };
  return (
    <form onSubmit={submit}>
      <Group align="flex-end">
        <SegmentedControl
          aria-label="Which commands"
          value={search.decision ?? 'all'}
          onChange={(value) => go(value === 'all' ? undefined : (value as Decision))}
          data={[
            { value: 'all', label: 'All' },
            { value: 'deny', label: 'Refused' },
            { value: 'hold', label: 'Held' },
          ]}
        />
        <TextInput label="With this text" value={text} onChange={(event) => setText(event.currentTarget.value)} />
        <TextInput
          label="From command"
          inputMode="numeric"
          pattern="\d*"
          w="8rem"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value.trim())}
        />
        <Button type="submit" variant="default">
          Find
        </Button>
      </Group>
    </form>
  );
}

/** By what is on record, whichever protocol it came by. */
function formatsOf(rows: readonly TimelineEntry[]): (readonly [format: string, ending: string, words: string])[] {
  return [
    ['ocsf', 'ndjson', 'as OCSF'],
    ...(rows.some(showsScreen) ? [['asciicast', 'cast', 'as asciicast, for players of terminals'] as const] : []),
    ...(rows.some(({ request }) => request) ? [['har', 'har', 'as HTTP Archive'] as const] : []),
  ];
}

const Exports = ({ id, rows }: { readonly id: string; readonly rows: readonly TimelineEntry[] }): ReactNode => (
  <Group gap="md">
    {formatsOf(rows).map(([format, ending, words]) => (
      <a
        key={format}
        href={`/v1/sessions/${encodeURIComponent(id)}/export?format=${format}`}
        download={`${id}.${ending}`}
      >
        Export {words}
      </a>
    ))}
  </Group>
);
