/** Tokens: what each is for, making one, and the end of it. Owns: one's own, and the dialog that makes one for somebody. Does not: list those of others (people.tsx). */
import { Alert, Button, Group, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import type { MadeToken, Problem, TokenRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { send } from '../data/api.js';
import { connectionsQuery, queries, tokensQuery } from '../data/queries.js';
import { Dialog } from '../parts/dialog.js';
import { Copy } from '../parts/copy.js';
import { Scroll } from '../parts/scroll.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { Sure } from '../parts/sure.js';
import { When } from '../parts/time.js';

export const isGood = ({ revoked, expires }: TokenRow): boolean =>
  revoked === undefined && (expires === undefined || Date.parse(expires) > Date.now());

export function Tokens({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: rows, error, refetch } = useQuery(tokensQuery);
  const [making, setMaking] = useState(false);
  const good = rows?.filter((row) => row.principal === who.name && isGood(row)) ?? [];
  return (
    <Stack gap="sm">
      <Group justify="space-between">
        <Title order={2} size="h4">
          Your tokens
        </Title>
        <Button variant="default" onClick={() => setMaking(true)}>
          Make a token ...
        </Button>
      </Group>
      {error && <Fault error={error} again={() => void refetch()} />}
      {!rows && !error && <Waiting what="Asking for your tokens ..." />}
      {rows && good.length === 0 && (
        <Empty title="You have no token">
          A token is the password of programs that come through the gateway as you.
        </Empty>
      )}
      {good.length > 0 && (
        <Scroll label="Your tokens, which can be scrolled">
          <Table aria-label="Your tokens">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>For</Table.Th>
                <Table.Th>Made</Table.Th>
                <Table.Th>Last used</Table.Th>
                <Table.Th>Ends</Table.Th>
                <Table.Th>Do</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {good.map((row) => (
                <Token key={row.id} row={row} />
              ))}
            </Table.Tbody>
          </Table>
        </Scroll>
      )}
      {making && <MakeToken close={() => setMaking(false)} />}
    </Stack>
  );
}

/** `withChildren`: and those that were made with it for others. */
export function RevokeToken({
  row,
  withChildren = false,
}: {
  readonly row: TokenRow;
  readonly withChildren?: boolean;
}): ReactNode {
  const revoking = useMutation({
    mutationFn: () =>
      send<TokenRow | Problem>(
        'DELETE',
        `/v1/tokens/${encodeURIComponent(row.id)}${withChildren ? '?children=true' : ''}`,
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  return (
    <Sure
      ask={`Revoke ${printableLine(row.name)} ${row.id}`}
      sure={withChildren ? 'Revoke it, those made with it, and end their sessions' : 'Revoke, and end its sessions'}
      acting={revoking}
    />
  );
}

function Token({ row }: { readonly row: TokenRow }): ReactNode {
  return (
    <Table.Tr>
      <Table.Td>
        {printableLine(row.name) || row.id}
        <Text size="xs" c="dimmed">
          {row.id}
        </Text>
      </Table.Td>
      <Table.Td>{row.connections?.join(', ') ?? 'all that you may use'}</Table.Td>
      <Table.Td>
        <When at={row.created} />
      </Table.Td>
      <Table.Td>{row.lastUsed === undefined ? 'never' : <When at={row.lastUsed} />}</Table.Td>
      <Table.Td>{row.expires === undefined ? 'never' : <When at={row.expires} />}</Table.Td>
      <Table.Td>
        <RevokeToken row={row} />
      </Table.Td>
    </Table.Tr>
  );
}

/** `principal`: whose it is; absent: one's own. */
export function MakeToken({
  close,
  principal,
}: {
  readonly close: () => void;
  readonly principal?: string;
}): ReactNode {
  const { data: connections = [] } = useQuery(connectionsQuery);
  const [name, setName] = useState('');
  const [connection, setConnection] = useState<string | null>(null);
  const [expires, setExpires] = useState('');
  const making = useMutation({
    mutationFn: () =>
      send<MadeToken>('POST', '/v1/tokens', {
        name,
        ...(principal !== undefined && { principal }),
        ...(connection !== null && { connections: [connection] }),
        ...(expires !== '' && { expires }),
      }),
    onSettled: () => queries.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    making.mutate();
  };
  return (
    <Dialog
      close={close}
      title={principal === undefined ? 'Make a token' : `Make a token for ${printableLine(principal)}`}
    >
      {making.data ? (
        <Alert
          variant="outline"
          title={principal === undefined ? 'Your token' : `The token of ${printableLine(principal)}`}
        >
          <Stack gap="xs">
            <Text size="sm">It is shown this once. Log in as {making.data.user}.</Text>
            <Copy text={making.data.token} label="The token" />
          </Stack>
        </Alert>
      ) : (
        <form onSubmit={submit}>
          <Stack gap="md">
            <TextInput
              label="Name"
              description="So that you know it again"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              maxLength={200}
              data-autofocus
            />
            <Select
              label="For"
              placeholder="all that its owner may use"
              data={connections.map((one) => one.name)}
              value={connection}
              onChange={setConnection}
              clearable
            />
            <TextInput
              label="Ends after"
              description="12h or 30d; empty: for as long as it may be"
              value={expires}
              onChange={(event) => setExpires(event.currentTarget.value)}
            />
            {making.error && <Fault error={making.error} />}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={making.isPending}>
                Make it
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Dialog>
  );
}
