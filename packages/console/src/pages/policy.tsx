/** The rules in force, and what they would say of something. Owns: the order on the page. Does not: the question (explain.tsx). */
import { Group, Select, Stack, Switch, Table, Text, Title } from '@mantine/core';
import type { Rules, WhoAmI } from '@sluice/api';
import { printable, printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { rulesQuery, whoAmI } from '../data/queries.js';
import { ConditionOf } from '../parts/code.js';
import { Scroll } from '../parts/scroll.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import { Explain } from './explain.js';

export function Policy(): ReactNode {
  const { data: who } = useQuery(whoAmI);
  if (!who) return null;
  return (
    <Stack gap="xl">
      <section>
        <PageTitle>Policy</PageTitle>
        <Explain who={who} />
      </section>
      <section>
        <Title order={2} size="h4" mb="sm">
          Rules in force
        </Title>
        <InForce who={who} />
      </section>
    </Stack>
  );
}

function InForce({ who }: { readonly who: WhoAmI }): ReactNode {
  const sees = who.roles.includes('admin') || who.roles.includes('auditor');
  const { data, error, refetch } = useQuery({ ...rulesQuery, enabled: sees });
  if (!sees)
    return (
      <Empty title="Rules are shown to administrators and auditors">
        What they say of something that you want to do is told to everybody: ask above.
      </Empty>
    );
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!data) return <Waiting what="Asking for the rules ..." />;
  return <List of={data} />;
}

function List({ of: { since, rules } }: { readonly of: Rules }): ReactNode {
  const connections = [...new Set(rules.map(({ connection }) => connection))];
  const [chosen, setChosen] = useState<string | null>(null);
  const [unused, setUnused] = useState(false);
  const shown = rules.filter(
    ({ connection, matched }) => (chosen ?? connection) === connection && (!unused || matched === 0),
  );
  if (rules.length === 0)
    return (
      <Empty title="No connection has a rule">What no rule refuses passes; see "policies" in the documentation.</Empty>
    );
  return (
    <Stack gap="sm">
      <Group align="flex-end">
        <Select label="Connection" placeholder="all" data={connections} value={chosen} onChange={setChosen} clearable />
        <Switch
          label="Only those that have not matched"
          checked={unused}
          onChange={(event) => setUnused(event.currentTarget.checked)}
        />
        <Text size="sm" c="dimmed">
          Counted since the gateway started, <When at={since} />.
        </Text>
      </Group>
      {shown.length === 0 && <Empty title="Every rule has matched">There is none that nothing came to.</Empty>}
      {shown.length > 0 && (
        <Scroll label="Rules in force, which can be scrolled">
          <Table aria-label="Rules in force">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Rule</Table.Th>
                <Table.Th>Does</Table.Th>
                <Table.Th>When</Table.Th>
                <Table.Th>Matched</Table.Th>
                <Table.Th>Last</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((row) => (
                <Row key={`${row.connection} ${row.place}`} row={row} />
              ))}
            </Table.Tbody>
          </Table>
        </Scroll>
      )}
    </Stack>
  );
}

const Row = ({ row }: { readonly row: Rules['rules'][number] }): ReactNode => (
  <Table.Tr>
    <Table.Td>
      <Text fw={600} size="sm">
        {printableLine(row.rule)}
      </Text>
      <Text size="xs" c="dimmed">
        {row.connection}, {printableLine(row.place)}
      </Text>
    </Table.Td>
    <Table.Td>
      <b>{row.effect}</b>
      {row.mode === 'observe' && ', observed only'}
      <Text size="sm">{printable(row.does)}</Text>
    </Table.Td>
    <Table.Td>{row.when === undefined ? 'always' : <ConditionOf text={row.when} />}</Table.Td>
    <Table.Td>{row.matched.toLocaleString('en')}</Table.Td>
    <Table.Td>{row.last === undefined ? 'never' : <When at={row.last} />}</Table.Td>
  </Table.Tr>
);
