/** Sessions, live and on record. Owns: what is looked for, in the address. Does not: one session (session.tsx), which are there (data/session-list.ts). */
import { Button, Group, SegmentedControl, Table, Text, TextInput } from '@mantine/core';
import type { SessionRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type FormEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { whoAmI } from '../data/queries.js';
import { type SessionList, useSessionList } from '../data/session-list.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import type { SessionSearch } from '../router.js';

export function Sessions(): ReactNode {
  const search: SessionSearch = useSearch({ from: '/sessions' });
  const { data: who } = useQuery(whoAmI);
  const list = useSessionList(search);
  if (!who) return null;
  return (
    <>
      <Group justify="space-between" align="baseline">
        <PageTitle>Sessions</PageTitle>
        <Link to="/commands">Find a command</Link>
      </Group>
      <Filter key={JSON.stringify(search)} search={search} />
      {list.error && <Fault error={list.error} again={list.refetch} />}
      {list.isPending && <Waiting what="Asking for sessions ..." />}
      {!list.isPending && !list.error && list.rows.length === 0 && <Nothing search={search} who={who} />}
      {list.rows.length > 0 && <Rows key={JSON.stringify(search)} list={list} />}
    </>
  );
}

function Filter({ search }: { readonly search: SessionSearch }): ReactNode {
  const navigate = useNavigate({ from: '/sessions' });
  const [principal, setPrincipal] = useState(search.principal ?? '');
  const [connection, setConnection] = useState(search.connection ?? '');
  const [claim, setClaim] = useState(search.claim ?? '');
  const go = (next: SessionSearch): void => void navigate({ search: next });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const { state } = search;
    go({
      ...(state && { state }),
      ...(principal && { principal }),
      ...(connection && { connection }),
      ...(claim && { claim }),
    });
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
        <TextInput
          label="Claim"
          placeholder="name=value"
          pattern="[^=]+=.*"
          value={claim}
          onChange={(event) => setClaim(event.currentTarget.value.trim())}
        />
        <Button type="submit" variant="default">
          Find
        </Button>
      </Group>
    </form>
  );
}

/** Every row has it, so that the place of each is known. Pixels. */
const ROW_HEIGHT = 42;
const COLUMNS = ['Session', 'State', 'Who', 'Connection', 'Began', 'Passed', 'Refused', 'Client'] as const;

/** Of a table that may have thousands of rows, those that are on the screen. */
function Rows({ list }: { readonly list: SessionList }): ReactNode {
  const table = useRef<HTMLDivElement>(null);
  const [above, setAbove] = useState(0);
  useLayoutEffect(() => {
    const top = table.current?.getBoundingClientRect().top;
    if (top !== undefined) setAbove(top + window.scrollY + ROW_HEIGHT);
  }, []);
  const count = list.first + list.rows.length;
  const drawn = useWindowVirtualizer({ count, estimateSize: () => ROW_HEIGHT, overscan: 15, scrollMargin: above });
  const items = drawn.getVirtualItems();
  const [from, to] = [items[0], items.at(-1)];
  useEffect(() => {
    if (from && from.index < list.first) list.reach(from.index);
    else if (to) list.reach(to.index);
  });
  const [before, after] = [(from?.start ?? above) - above, drawn.getTotalSize() - ((to?.end ?? above) - above)];
  return (
    <div className="scroll" ref={table}>
      <Table highlightOnHover aria-label="Sessions" aria-rowcount={list.hasMore ? -1 : count + 1}>
        <Table.Thead>
          <Table.Tr aria-rowindex={1}>
            {COLUMNS.map((name) => (
              <Table.Th key={name}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          <Spacer height={before} />
          {items.map(({ index }) => {
            const row = list.rows[index - list.first];
            return row ? <Row key={row.id} row={row} at={index + 2} /> : <Spacer key={index} height={ROW_HEIGHT} />;
          })}
          <Spacer height={after} />
        </Table.Tbody>
      </Table>
    </div>
  );
}

/** In place of rows that are not drawn. */
const Spacer = ({ height }: { readonly height: number }): ReactNode =>
  height > 0 && (
    <tr className="spacer" aria-hidden>
      <td colSpan={COLUMNS.length} style={{ height }} />
    </tr>
  );

const Row = ({ row, at }: { readonly row: SessionRow; readonly at: number }): ReactNode => (
  <Table.Tr aria-rowindex={at} className="fixed">
    <Table.Td>
      <Link to="/sessions/$id" params={{ id: row.id }} search={{}}>
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
    <Table.Td>
      <When at={row.started} />
    </Table.Td>
    <Table.Td>{row.commands.toLocaleString('en')}</Table.Td>
    <Table.Td>{row.denied.toLocaleString('en')}</Table.Td>
    <Table.Td>{printableLine(row.client)}</Table.Td>
  </Table.Tr>
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
