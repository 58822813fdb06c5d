/** Agents in private networks. Owns: making the token that one enrols with, shown once, and revoking one. */
import { Alert, Button, Group, Stack, Table, Text, TextInput } from '@mantine/core';
import type { AgentRow, Problem, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { send } from '../data/api.js';
import { agentsQuery, queries } from '../data/queries.js';
import { Copy } from '../parts/copy.js';
import { Dialog } from '../parts/dialog.js';
import { Scroll } from '../parts/scroll.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { Sure } from '../parts/sure.js';
import { When } from '../parts/time.js';

export function Agents({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: rows, error, refetch } = useQuery(agentsQuery);
  const [enrolling, setEnrolling] = useState(false);
  const isAdmin = who.roles.includes('admin');
  return (
    <Stack gap="sm" align="flex-start">
      {error && <Fault error={error} again={() => void refetch()} />}
      {!rows && !error && <Waiting what="Asking for agents ..." />}
      {rows?.length === 0 && (
        <Empty title="No agent is enrolled">
          An agent dials the gateway from a private network, and reaches targets there that the gateway does not.
        </Empty>
      )}
      {rows && rows.length > 0 && <List rows={rows} isAdmin={isAdmin} />}
      {isAdmin && (
        <Button variant="default" onClick={() => setEnrolling(true)}>
          Enrol an agent ...
        </Button>
      )}
      {enrolling && <Enrol close={() => setEnrolling(false)} />}
    </Stack>
  );
}

const List = ({ rows, isAdmin }: { readonly rows: readonly AgentRow[]; readonly isAdmin: boolean }): ReactNode => (
  <Scroll label="Agents, which can be scrolled">
    <Table aria-label="Agents">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Name</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th>Last seen</Table.Th>
          <Table.Th>Links</Table.Th>
          <Table.Th>Reaches</Table.Th>
          {isAdmin && <Table.Th>Do</Table.Th>}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Agent key={row.id} row={row} isAdmin={isAdmin} />
        ))}
      </Table.Tbody>
    </Table>
  </Scroll>
);

const Agent = ({ row, isAdmin }: { readonly row: AgentRow; readonly isAdmin: boolean }): ReactNode => (
  <Table.Tr>
    <Table.Td>
      {row.name}
      <Text size="xs" c="dimmed">
        {row.id}
      </Text>
    </Table.Td>
    <Table.Td>
      <State of={row.state} />
    </Table.Td>
    <Table.Td>
      <When at={row.lastSeen} />
    </Table.Td>
    <Table.Td>
      {row.links.length === 0 && 'none'}
      {row.links.map(({ address, version, roundTrip, streams }) => (
        <Text key={address} size="sm">
          {printableLine(`${address}, ${version}`)}, {streams} {streams === 1 ? 'stream' : 'streams'}
          {roundTrip !== undefined && `, ${roundTrip} ms`}
        </Text>
      ))}
    </Table.Td>
    <Table.Td>{printableLine([...new Set(row.links.flatMap(({ allow }) => allow))].join(', '))}</Table.Td>
    {isAdmin && <Table.Td>{row.state !== 'revoked' && <Revoke row={row} />}</Table.Td>}
  </Table.Tr>
);

function Revoke({ row }: { readonly row: AgentRow }): ReactNode {
  const revoking = useMutation({
    mutationFn: () => send<AgentRow | Problem>('DELETE', `/v1/agents/${encodeURIComponent(row.id)}`),
    onSettled: () => queries.invalidateQueries({ queryKey: agentsQuery.queryKey }),
  });
  return <Sure ask={`Revoke agent ${row.name} ${row.id}`} sure="Revoke it, and cut its links" acting={revoking} />;
}

interface Made {
  readonly token: string;
  readonly gateway: string;
}

function Enrol({ close }: { readonly close: () => void }): ReactNode {
  const [name, setName] = useState('');
  const making = useMutation({ mutationFn: () => send<Made>('POST', '/v1/agents/tokens', { name }) });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <Dialog close={close} title="Enrol an agent">
      {making.data ? (
        <Alert variant="outline" title="Its token">
          <Stack gap="xs">
            <Text size="sm">
              It is shown this once, and good for one agent within the hour. It dials {making.data.gateway}.
            </Text>
            <Copy text={making.data.token} label="The token" />
          </Stack>
        </Alert>
      ) : (
        <form onSubmit={submit}>
          <Stack gap="md">
            <TextInput
              label="Name"
              description={'What "via" of connections calls it'}
              required
              maxLength={200}
              value={name}
              onChange={(event) => setName(event.currentTarget.value.trim())}
              data-autofocus
            />
            {making.error && <Fault error={making.error} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={making.isPending}>
                Make its token
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}
