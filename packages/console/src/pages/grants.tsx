/** Grants at targets that want to know people. Owns: that one sees what is asked for before one goes there, and taking grants back. Does not: get one: the gateway does. */
import { Button, Group, Stack, Table, Text } from '@mantine/core';
import type { GrantRow } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { queryOptions, useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { type ReactNode, useEffect, useRef } from 'react';
import { ask, send } from '../data/api.js';
import { queries, whoAmI } from '../data/queries.js';
import { Facts } from '../parts/facts.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { Sure } from '../parts/sure.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';

const grantsQuery = queryOptions({
  queryKey: ['grants'],
  queryFn: ({ signal }) => ask<GrantRow[]>('/v1/grants', signal),
});

interface Wanted {
  readonly connection: string;
  readonly resource: string;
  readonly issuer?: string;
  readonly scope?: string;
  readonly given: boolean;
}

/** All of one's own; of those who look after the gateway, everybody's. */
export function Grants(): ReactNode {
  const { data, error, refetch } = useQuery(grantsQuery);
  return (
    <Stack gap="md" maw="44rem">
      <PageTitle>Grants</PageTitle>
      <Text>Services that the gateway uses in the name of somebody, because they want to know who it is.</Text>
      {error && <Fault error={error} again={() => void refetch()} />}
      {!data && !error && <Waiting what="Asking for grants ..." />}
      {data?.length === 0 && (
        <Empty title="There is no grant">Whoever needs one is given a link to this console.</Empty>
      )}
      {data && data.length > 0 && (
        <div className="scroll">
          <Table aria-label="Grants">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Connection</Table.Th>
                <Table.Th>Whose</Table.Th>
                <Table.Th>Since</Table.Th>
                <Table.Th>Do</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.map((row) => (
                <Row key={`${row.connection} ${row.principal}`} row={row} />
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Stack>
  );
}

function Row({ row }: { readonly row: GrantRow }): ReactNode {
  const taking = useMutation({
    mutationFn: () =>
      send('DELETE', `/v1/grants/${encodeURIComponent(row.connection)}?principal=${encodeURIComponent(row.principal)}`),
    onSettled: () => queries.invalidateQueries({ queryKey: grantsQuery.queryKey }),
  });
  const [connection, principal] = [printableLine(row.connection), printableLine(row.principal)];
  return (
    <Table.Tr>
      <Table.Td>{connection}</Table.Td>
      <Table.Td>{principal}</Table.Td>
      <Table.Td>
        <When at={row.since} />
      </Table.Td>
      <Table.Td>
        <Sure ask={`Revoke ${connection} of ${principal}`} sure="Yes, take it back" acting={taking} />
      </Table.Td>
    </Table.Tr>
  );
}

/** One that is asked for. */
export function GiveGrant(): ReactNode {
  const { connection } = useParams({ from: '/grants/$connection' });
  const { data: who } = useQuery(whoAmI);
  const { data: wanted, error } = useQuery({
    queryKey: ['grant', connection],
    queryFn: ({ signal }) => ask<Wanted>(`/auth/grants?connection=${encodeURIComponent(connection)}`, signal),
  });
  const giving = useMutation({
    mutationFn: () => send<{ readonly url: string }>('POST', '/auth/grants', { connection }),
    onSuccess: ({ url }) => location.assign(url),
  });
  return (
    <Stack gap="md" maw="36rem">
      <PageTitle>Let the gateway act for you</PageTitle>
      {error && <Fault error={error} />}
      {!wanted && !error && <Waiting what="Looking for the connection ..." />}
      {wanted && who && (
        <>
          <Text>
            What you send by the connection {printableLine(connection)} is done there in your own name. You log in at
            the service once; the gateway keeps what it gives for {printableLine(who.name)} alone, encrypted, until you
            take it back.
          </Text>
          <Facts
            of={[
              ['Service', printableLine(wanted.resource)],
              ['You log in at', printableLine(wanted.issuer ?? 'where the service says')],
              ['Asked for', printableLine(wanted.scope ?? 'what the service gives')],
              ['Given', wanted.given ? 'yes: this would replace it' : 'no'],
            ]}
          />
          {giving.error && <Fault error={giving.error} />}
          <Group>
            <Button loading={giving.isPending || giving.isSuccess} onClick={() => giving.mutate()}>
              Go there and log in
            </Button>
          </Group>
        </>
      )}
    </Stack>
  );
}

/** The browser is back. */
export function GrantGiven(): ReactNode {
  const navigate = useNavigate();
  const began = useRef(false);
  const finishing = useMutation({
    mutationFn: (query: string) => send<{ readonly connection: string }>('POST', '/auth/grants/back', { query }),
    // What the issuer says is good once, and nothing for the history.
    onSettled: () => navigate({ to: '/grants/back', replace: true }),
    onSuccess: () => queries.invalidateQueries({ queryKey: grantsQuery.queryKey }),
  });
  const { mutate } = finishing;
  useEffect(() => {
    if (began.current || location.search === '') return;
    began.current = true;
    mutate(location.search);
  }, [mutate]);
  return (
    <Stack gap="md" maw="36rem">
      <PageTitle>Let the gateway act for you</PageTitle>
      {finishing.isPending && <Waiting what="Taking what you gave ..." />}
      {finishing.error && <Fault error={finishing.error} />}
      {finishing.data && (
        <Text role="status">
          The gateway may use {printableLine(finishing.data.connection)} in your name. You can go back to your program.
        </Text>
      )}
      <Text>
        <Link to="/grants">All grants</Link>
      </Text>
    </Stack>
  );
}
