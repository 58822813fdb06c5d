/** Sessions, live and on record, a page at a time from the gateway. Owns: what is looked for, in the address. Does not: one session (session.tsx). */
import { Button, Group, SegmentedControl, Table, Text, TextInput } from '@mantine/core';
import type { SessionRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { ask } from '../data/api.js';
import { whoAmI } from '../data/queries.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import type { SessionSearch } from '../router.js';

const PAGE = 50;
/** The gateway has the rows; the page keeps so many of them. */
const MAX_PAGES = 20;

export function Sessions(): ReactNode {
  const search: SessionSearch = useSearch({ from: '/sessions' });
  const { data: who } = useQuery(whoAmI);
  const { state, principal, connection } = search;
  const listing = useInfiniteQuery({
    queryKey: ['sessions', 'list', state ?? '', principal ?? '', connection ?? ''],
    initialPageParam: '',
    maxPages: MAX_PAGES,
    queryFn: ({ pageParam, signal }) => {
      const query = new URLSearchParams({ limit: String(PAGE) });
      for (const [name, value] of Object.entries({ state, principal, connection, before: pageParam }))
        if (value) query.set(name, value);
      return ask<SessionRow[]>(`/v1/sessions?${query}`, signal);
    },
    // Of those that are open there is one page, the newest.
    getNextPageParam: (last) => (last.length < PAGE || state === 'open' ? undefined : last.at(-1)?.id),
  });
  const rows = listing.data?.pages.flat() ?? [];
  if (!who) return null;
  return (
    <>
      <PageTitle>Sessions</PageTitle>
      <Filter key={JSON.stringify(search)} search={search} />
      {listing.error && <Fault error={listing.error} again={() => void listing.refetch()} />}
      {listing.isPending && <Waiting what="Asking for sessions ..." />}
      {listing.isSuccess && rows.length === 0 && <Nothing search={search} who={who} />}
      {rows.length > 0 && <List rows={rows} />}
      {listing.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={listing.isFetchingNextPage}
          onClick={() => void listing.fetchNextPage()}
        >
          Earlier ones
        </Button>
      )}
    </>
  );
}

function Filter({ search }: { readonly search: SessionSearch }): ReactNode {
  const navigate = useNavigate({ from: '/sessions' });
  const [principal, setPrincipal] = useState(search.principal ?? '');
  const [connection, setConnection] = useState(search.connection ?? '');
  const go = (next: SessionSearch): void => void navigate({ search: next });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const { state } = search;
    go({ ...(state && { state }), ...(principal && { principal }), ...(connection && { connection }) });
  };
  const { state: _, ...rest } = search;
  return (
    <form onSubmit={submit}>
      <Group mb="md" align="flex-end">
        <SegmentedControl
          aria-label="Which sessions"
          value={search.state ?? 'all'}
          onChange={(value) => go(value === 'open' ? { ...rest, state: 'open' } : rest)}
          data={[
            { value: 'open', label: 'Open' },
            { value: 'all', label: 'All' },
          ]}
        />
        <TextInput
          label="Whose"
          value={principal}
          onChange={(event) => setPrincipal(event.currentTarget.value.trim())}
        />
        <TextInput
          label="Connection"
          value={connection}
          onChange={(event) => setConnection(event.currentTarget.value.trim())}
        />
        <Button type="submit" variant="default">
          Find
        </Button>
      </Group>
    </form>
  );
}

const List = ({ rows }: { readonly rows: readonly SessionRow[] }): ReactNode => (
  <div className="scroll">
    <Table highlightOnHover aria-label="Sessions">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Session</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Who</Table.Th>
          <Table.Th>Connection</Table.Th>
          <Table.Th>Began</Table.Th>
          <Table.Th>Passed</Table.Th>
          <Table.Th>Refused</Table.Th>
          <Table.Th>Client</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={row.id}>
            <Table.Td>
              <Link to="/sessions/$id" params={{ id: row.id }}>
                {row.id}
              </Link>
            </Table.Td>
            <Table.Td>
              <State of={row.state} />
            </Table.Td>
            <Table.Td>{printableLine(row.principal)}</Table.Td>
            <Table.Td>
              {row.connection}{' '}
              <Text span size="sm" c="dimmed">
                {printableLine(row.protocol)}
              </Text>
            </Table.Td>
            <Table.Td style={{ whiteSpace: 'nowrap' }}>
              <When at={row.started} />
            </Table.Td>
            <Table.Td>{row.commands.toLocaleString('en')}</Table.Td>
            <Table.Td>{row.denied.toLocaleString('en')}</Table.Td>
            <Table.Td>{printableLine(row.client)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  </div>
);

const Nothing = ({ search, who }: { readonly search: SessionSearch; readonly who: WhoAmI }): ReactNode => {
  const all = who.roles.includes('auditor') || who.roles.includes('admin');
  const looked = Object.keys(search).length > 0;
  return (
    <Empty title={looked ? 'No session is like that' : 'There is no session yet'}>
      {looked ? 'Look for less: names are compared as a whole.' : 'Sessions appear here when somebody connects.'}{' '}
      {!all && 'You see your own; auditors and administrators see all.'}
    </Empty>
  );
};
