/** One's own security keys. Owns: registering and removing them. Does not: talk to the browser (security-keys.ts). */
import { Button, Group, Stack, Table, Text, TextInput } from '@mantine/core';
import type { SecurityKeyRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { queries, whoAmI } from '../data/queries.js';
import { addKey, keysQuery, removeKey } from '../data/security-keys.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';

export function Keys(): ReactNode {
  const { data: who } = useQuery(whoAmI);
  const { data, error, refetch } = useQuery(keysQuery);
  if (!who) return null;
  return (
    <Stack gap="md" maw="44rem">
      <PageTitle>Your security keys</PageTitle>
      <Text>Some requests are decided with a security key only: it signs the one decision, and nothing else.</Text>
      {error && <Fault error={error} again={() => void refetch()} />}
      {!data && !error && <Waiting what="Asking for your keys ..." />}
      {data && <Registered keys={data.keys} fresh={data.fresh} />}
      {data && (data.fresh ? <Add first={data.keys.length === 0} /> : <LogInAgain who={who} />)}
    </Stack>
  );
}

function Registered({ keys, fresh }: { readonly keys: readonly SecurityKeyRow[]; readonly fresh: boolean }): ReactNode {
  if (keys.length === 0) return <Empty title="You have no security key">One is registered once, on this page.</Empty>;
  return (
    <div className="scroll">
      <Table aria-label="Your security keys">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Registered</Table.Th>
            <Table.Th>Last used</Table.Th>
            <Table.Th>Do</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {keys.map((key) => (
            <Row key={key.id} row={key} fresh={fresh} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Row({ row, fresh }: { readonly row: SecurityKeyRow; readonly fresh: boolean }): ReactNode {
  const removing = useMutation({
    mutationFn: () => removeKey(row.id),
    onSettled: () => queries.invalidateQueries({ queryKey: keysQuery.queryKey }),
  });
  const name = printableLine(row.name);
  return (
    <Table.Tr>
      <Table.Td>{name}</Table.Td>
      <Table.Td>
        <When at={row.created} />
      </Table.Td>
      <Table.Td>{row.lastUsed === undefined ? 'never' : <When at={row.lastUsed} />}</Table.Td>
      <Table.Td>
        <Button
          size="xs"
          variant="default"
          aria-label={`Remove ${name}`}
          disabled={!fresh}
          loading={removing.isPending}
          onClick={() => removing.mutate()}
        >
          Remove
        </Button>
        {removing.error && <Fault error={removing.error} />}
      </Table.Td>
    </Table.Tr>
  );
}

const LogInAgain = ({ who }: { readonly who: WhoAmI }): ReactNode => (
  <Stack gap="xs" align="flex-start">
    <Text>
      To register or remove a key, show your identity provider again who you are. It is good for five minutes.
    </Text>
    <Button
      variant="default"
      component="a"
      href={`/auth/login?issuer=${encodeURIComponent(who.issuer ?? '')}&fresh=yes&to=%2Fkeys`}
    >
      Log in again
    </Button>
  </Stack>
);

function Add({ first }: { readonly first: boolean }): ReactNode {
  const [name, setName] = useState('');
  const adding = useMutation({
    mutationFn: () => addKey(name.trim()),
    onSuccess: () => setName(''),
    onSettled: () => queries.invalidateQueries({ queryKey: keysQuery.queryKey }),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!adding.isPending) adding.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label="Name of the new key"
          description={
            first ? 'So that you know it again' : 'So that you know it again. You show a key that you have as well.'
          }
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          maxLength={100}
          required
        />
        {adding.error && <Fault error={adding.error} />}
        <Group>
          <Button type="submit" loading={adding.isPending}>
            Register a key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
