/** People, agents and groups as the gateway last saw them, and everybody's tokens. Owns: what is looked for. Does not: revoke or make a token (tokens.tsx). */
import { Button, Checkbox, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import type { PersonRow, TokenRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { peopleQuery, tokensQuery, whoAmI } from '../data/queries.js';
import { Scroll } from '../parts/scroll.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import { MakeToken, RevokeToken, isGood } from './tokens.js';

/** In a table: whoever has more looks for fewer. */
const MAX_ROWS = 200;

export function People(): ReactNode {
  const { data: who } = useQuery(whoAmI);
  const [wanted, setWanted] = useState('');
  if (!who) return null;
  if (!who.roles.includes('admin') && !who.roles.includes('auditor'))
    return (
      <>
        <PageTitle>People</PageTitle>
        <Empty title="This page is for administrators and auditors">
          Your own tokens are among <Link to="/">your connections</Link>.
        </Empty>
      </>
    );
  return (
    <Stack gap="xl">
      <section>
        <PageTitle>People</PageTitle>
        <TextInput
          label="Name, group or role"
          maw="20rem"
          mb="sm"
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
        <Known who={who} wanted={wanted.trim().toLowerCase()} />
      </section>
      {who.roles.includes('admin') && (
        <section>
          <Title order={2} size="h4" mb="sm">
            Tokens
          </Title>
          <Tokens wanted={wanted.trim().toLowerCase()} />
        </section>
      )}
    </Stack>
  );
}

function Known({ who, wanted }: { readonly who: WhoAmI; readonly wanted: string }): ReactNode {
  const { data: people, error, refetch } = useQuery(peopleQuery);
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!people) return <Waiting what="Asking who is known ..." />;
  const found = people.filter(({ name, groups, roles }) =>
    [name, ...groups, ...roles].some((text) => text.toLowerCase().includes(wanted)),
  );
  const groups = groupsOf(found);
  return (
    <Stack gap="sm">
      {found.length === 0 && (
        <Empty title="Nobody is like that">
          People of an issuer are known once they have logged in since the gateway started, or have a token.
        </Empty>
      )}
      {found.length > 0 && (
        <Scroll label="People and agents, which can be scrolled">
          <Table aria-label="People and agents">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Groups</Table.Th>
                <Table.Th>Roles</Table.Th>
                <Table.Th>Known by</Table.Th>
                <Table.Th>Seen</Table.Th>
                <Table.Th>Sessions</Table.Th>
                <Table.Th>Tokens</Table.Th>
                {who.roles.includes('admin') && <Table.Th>Do</Table.Th>}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.slice(0, MAX_ROWS).map((row) => (
                <Person key={`${row.issuer ?? ''} ${row.name}`} row={row} isAdmin={who.roles.includes('admin')} />
              ))}
            </Table.Tbody>
          </Table>
        </Scroll>
      )}
      <More of={found.length} />
      {groups.length > 0 && (
        <Text size="sm">Groups: {groups.map(([name, count]) => `${printableLine(name)} (${count})`).join(', ')}</Text>
      )}
    </Stack>
  );
}

const More = ({ of }: { readonly of: number }): ReactNode =>
  of > MAX_ROWS && (
    <Text size="sm">
      The first {MAX_ROWS} of {of.toLocaleString('en')}: look for a name.
    </Text>
  );

/** By the number of people in them. */
function groupsOf(people: readonly PersonRow[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { groups } of people) for (const name of groups) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([, one], [, other]) => other - one).slice(0, MAX_ROWS);
}

function Person({ row, isAdmin }: { readonly row: PersonRow; readonly isAdmin: boolean }): ReactNode {
  const [making, setMaking] = useState(false);
  return (
    <Table.Tr>
      <Table.Td>
        {printableLine(row.name)}
        {row.kind === 'agent' && (
          <Text size="xs" c="dimmed">
            an agent (a program)
          </Text>
        )}
      </Table.Td>
      <Table.Td>{row.groups.map(printableLine).join(', ')}</Table.Td>
      <Table.Td>{row.roles.join(', ') || 'none'}</Table.Td>
      <Table.Td>{row.issuer === undefined ? 'the configuration' : printableLine(row.issuer)}</Table.Td>
      <Table.Td>{row.seen === undefined ? 'not since the start' : <When at={row.seen} />}</Table.Td>
      <Table.Td>
        {row.sessions > 0 ? (
          <Link to="/sessions" search={{ state: 'open', principal: row.name }}>
            {row.sessions} open
          </Link>
        ) : (
          '0'
        )}
      </Table.Td>
      <Table.Td>{row.tokens}</Table.Td>
      {isAdmin && (
        <Table.Td>
          {/* People of an issuer make their own, after they have logged in. */}
          {row.issuer === undefined && (
            <Button
              size="xs"
              variant="default"
              aria-label={`Make a token for ${printableLine(row.name)}`}
              onClick={() => setMaking(true)}
            >
              Make a token ...
            </Button>
          )}
          {making && <MakeToken close={() => setMaking(false)} principal={row.name} />}
        </Table.Td>
      )}
    </Table.Tr>
  );
}

/** Everybody's, those that were made with another one below it. */
function Tokens({ wanted }: { readonly wanted: string }): ReactNode {
  const { data: rows, error, refetch } = useQuery(tokensQuery);
  const [withChildren, setWithChildren] = useState(false);
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!rows) return <Waiting what="Asking for tokens ..." />;
  const good = rows.filter(isGood);
  const found = inTree(good).filter(({ row }) =>
    [row.principal, row.name, row.id].some((text) => text.toLowerCase().includes(wanted)),
  );
  if (found.length === 0)
    return <Empty title="There is no such token">Those that were revoked or have run out are not shown.</Empty>;
  return (
    <Stack gap="sm">
      <Checkbox
        label="Revoke also those that were made with a token for others"
        checked={withChildren}
        onChange={(event) => setWithChildren(event.currentTarget.checked)}
      />
      <Scroll label="Tokens of everybody, which can be scrolled">
        <Table aria-label="Tokens of everybody">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Whose</Table.Th>
              <Table.Th>Name</Table.Th>
              <Table.Th>For</Table.Th>
              <Table.Th>Made by</Table.Th>
              <Table.Th>Last used</Table.Th>
              <Table.Th>Ends</Table.Th>
              <Table.Th>Do</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.slice(0, MAX_ROWS).map(({ row, depth }) => (
              <Table.Tr key={row.id}>
                <Table.Td>
                  {'↳ '.repeat(depth)}
                  {printableLine(row.principal)}
                </Table.Td>
                <Table.Td>
                  {printableLine(row.name)}
                  <Text size="xs" c="dimmed">
                    {row.id}
                  </Text>
                </Table.Td>
                <Table.Td>{row.connections?.join(', ') ?? 'all that they may use'}</Table.Td>
                <Table.Td>
                  {row.madeBy === undefined ? 'the gateway' : printableLine(row.madeBy)}
                  {row.madeWith !== undefined && (
                    <Text size="xs" c="dimmed">
                      with {printableLine(row.madeWith)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td>{row.lastUsed === undefined ? 'never' : <When at={row.lastUsed} />}</Table.Td>
                <Table.Td>{row.expires === undefined ? 'never' : <When at={row.expires} />}</Table.Td>
                <Table.Td>
                  <RevokeToken row={row} withChildren={withChildren} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scroll>
      <More of={found.length} />
    </Stack>
  );
}

/** In the order of a tree: each followed by those that were made with it. */
function inTree(rows: readonly TokenRow[]): { readonly row: TokenRow; readonly depth: number }[] {
  const byMaker = Map.groupBy(rows, ({ madeWith }) => madeWith ?? '');
  const known = new Set(rows.map(({ id }) => id));
  const below = (row: TokenRow, depth: number): { row: TokenRow; depth: number }[] => [
    { row, depth },
    ...(byMaker.get(row.id) ?? []).flatMap((child) => below(child, depth + 1)),
  ];
  return rows.filter(({ madeWith }) => madeWith === undefined || !known.has(madeWith)).flatMap((row) => below(row, 0));
}
