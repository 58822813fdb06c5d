/** One request, with all that one needs to decide. Owns: what is shown of it, and in which order. Does not: send the decision (decide.tsx). */
import { Alert, List, Paper, Stack, Table, Text, Title } from '@mantine/core';
import type { ApprovalRow, WhoAmI } from '@sluice/api';
import { printable, printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { ApiError } from '../data/api.js';
import { approvedBy } from '../data/deciding.js';
import { approvalQuery, contextQuery } from '../data/queries.js';
import { Facts } from '../parts/facts.js';
import { State } from '../parts/state.js';
import { Code } from '../parts/code.js';
import { Fault, Waiting } from '../parts/states.js';
import { Left, When, lasting } from '../parts/time.js';
import { Back } from '../parts/titles.js';
import { Decide } from './decide.js';

export function Request({ number, who }: { readonly number: number; readonly who: WhoAmI }): ReactNode {
  const { data: row, error, refetch } = useQuery(approvalQuery(number));
  return (
    <Paper component="section" withBorder p="md" aria-label={`Request ${number}`}>
      <Stack gap="md">
        <div>
          <Back to="/approvals">All requests</Back>
        </div>
        {error && <Fault error={error} again={() => void refetch()} />}
        {!row && !error && <Waiting what={`Asking for request ${number} ...`} />}
        {row && <Shown row={row} who={who} />}
      </Stack>
    </Paper>
  );
}

const Shown = ({ row, who }: { readonly row: ApprovalRow; readonly who: WhoAmI }): ReactNode => (
  <>
    <Stack gap={4}>
      <Title order={2} size="h4">
        Request {row.number}: {printableLine(row.principal)} on {row.connection}
      </Title>
      <Text component="div">
        <State of={row.state} /> {row.state === 'pending' && <Left until={row.expires} />}
        {row.closed !== undefined && <When at={row.closed} />}
        {row.why !== undefined && ` · ${printableLine(row.why)}`}
      </Text>
    </Stack>
    <Code text={row.text} label={row.kind === 'session' ? 'What is asked' : 'Statement'} />
    {row.parameters.length > 0 && <Values of={row.parameters} all={row.values} />}
    <Decide row={row} who={who} />
    <Part title={row.state === 'pending' ? 'Why it waits' : 'Why it waited'}>
      <List size="sm" spacing={2}>
        {row.requirements.map(({ rule, approvers, count, stepUp, escalate, breakGlass }) => (
          <List.Item key={rule}>
            Rule <b>{printableLine(rule)}</b>: {count === 1 ? 'one' : count} of{' '}
            {approvers.map(printableLine).join(', ')}
            {stepUp !== undefined && ', with a security key'}
            {breakGlass &&
              `; ${breakGlass.map(printableLine).join(', ')} may pass what they asked themselves (break-glass)`}
            {escalate &&
              `, and without an outcome after ${lasting(escalate.afterMs / 1000)} of ${escalate.to.map(printableLine).join(', ')} as well`}
          </List.Item>
        ))}
        {row.escalated !== undefined && (
          <List.Item>
            Nobody had answered by then: further approvers were asked <When at={row.escalated} />.
          </List.Item>
        )}
        {row.onTimeout === 'allow' && <List.Item>It passes when nobody answers in time.</List.Item>}
        {row.transaction && <List.Item>A transaction is open meanwhile, and may hold locks.</List.Item>}
        {!row.waits && row.kind === 'command' && (
          <List.Item>The client does not wait: the identical command passes once after an approval.</List.Item>
        )}
      </List>
    </Part>
    <Impact row={row} />
    <Since row={row} />
    <Words row={row} />
    <Context row={row} />
  </>
);

const Part = ({ title, children }: { readonly title: string; readonly children: ReactNode }): ReactNode => (
  <section>
    <Title order={3} size="h6" mb={4}>
      {title}
    </Title>
    {children}
  </section>
);

const Values = ({ of, all }: { readonly of: readonly string[]; readonly all: number }): ReactNode => (
  <Part title="Its values">
    <pre className="code">
      {of.map((value, at) => `$${at + 1} = ${printable(value).replaceAll('\n', '\n    ')}`).join('\n')}
      {all > of.length && `\n... ${all - of.length} more`}
    </pre>
  </Part>
);

function Impact({ row: { impact } }: { readonly row: ApprovalRow }): ReactNode {
  if (!impact) return null;
  const many = (count: number): string => count.toLocaleString('en');
  return (
    <Part title="What it would touch, by estimate">
      <List size="sm" spacing={2}>
        {impact.tables.map(({ verb, table, rows, totalRows, cascades, triggers }) => (
          <List.Item key={`${verb} ${table}`}>
            {printableLine(`${verb} on ${table}`)}
            {rows !== undefined &&
              `: about ${many(rows)}${totalRows === undefined || totalRows < rows ? '' : ` of ${many(totalRows)}`} rows`}
            {rows === undefined && totalRows !== undefined && `: the table has about ${many(totalRows)} rows`}
            {cascades.length > 0 && `; reaches ${printableLine(cascades.join(', '))}`}
            {triggers.length > 0 && `; fires ${printableLine(triggers.join(', '))}`}
          </List.Item>
        ))}
        {impact.locks?.map((one) => (
          <List.Item key={one}>Locks {printableLine(one)}</List.Item>
        ))}
        {impact.waiting?.map((one) => (
          <List.Item key={one}>Keeps waiting: {printableLine(one)}</List.Item>
        ))}
        {impact.preview && <List.Item>{previewInWords(impact.preview)}</List.Item>}
        {impact.unknown !== undefined && <List.Item>No estimate of rows: {printableLine(impact.unknown)}</List.Item>}
      </List>
      {impact.preview && 'rows' in impact.preview && <Sample of={impact.preview} />}
    </Part>
  );
}

type Preview = NonNullable<NonNullable<ApprovalRow['impact']>['preview']>;

const previewInWords = (preview: Preview): string =>
  'unknown' in preview
    ? `Not tried: ${printableLine(preview.unknown)}`
    : `Tried and rolled back: ${preview.rows.toLocaleString('en')} ${preview.rows === 1 ? 'row' : 'rows'} changed`;

/** Some of the rows that it changed when it was tried, as they were and as they became. */
function Sample({ of: { columns, sample } }: { readonly of: Extract<Preview, { rows: number }> }): ReactNode {
  if (sample.length === 0) return null;
  const cells = (all: readonly (string | null)[] | undefined): string[] =>
    (all ?? []).map((value) => printableLine(value ?? 'NULL'));
  const lines = sample.flatMap(({ before, after }) => [
    ...(before ? [['-', ...cells(before)]] : []),
    ...(after ? [['+', ...cells(after)]] : []),
  ]);
  return (
    <Table.ScrollContainer minWidth={400}>
      <Table fz="xs" aria-label="Rows before (-) and after (+)">
        <Table.Thead>
          <Table.Tr>
            <Table.Th />
            {columns.map((name) => (
              <Table.Th key={name}>{printableLine(name)}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {lines.map((line, at) => (
            <Table.Tr key={`${at} ${line[0]}`}>
              {line.map((value, place) => (
                <Table.Td key={columns[place - 1] ?? ''}>{value}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** How it differs from the last one of its shape that was approved, for those who may see that one. */
function Since({ row: { since } }: { readonly row: ApprovalRow }): ReactNode {
  if (!since) return null;
  return (
    <Part title="Since the last one like it">
      <Text size="sm">
        {since.lines.length === 0 ? 'It is the same as ' : 'It differs from '}
        <Link to="/approvals/$number" params={{ number: String(since.request) }}>
          request {since.request}
        </Link>
        , which was approved{since.lines.length === 0 ? '.' : ':'}
      </Text>
      {since.lines.length > 0 && <pre className="code">{since.lines.map(printable).join('\n')}</pre>}
    </Part>
  );
}

const SAID = { approve: 'approved', deny: 'denied', 'break-glass': 'passed it by break-glass' } as const;

function Words({ row }: { readonly row: ApprovalRow }): ReactNode {
  const needed = Math.max(...row.requirements.map(({ count }) => count), 1);
  const by = approvedBy(row);
  if (row.words.length === 0 && needed === 1) return null;
  return (
    <Part title={needed > 1 && !row.review ? `Approved by ${by.length} of ${needed}` : 'What was said'}>
      {row.words.length === 0 && <Text size="sm">Nobody has said anything yet.</Text>}
      <List size="sm" spacing={2}>
        {row.words.map(({ by: name, at, decision, reason, key, takenBack }) => (
          <List.Item key={`${name} ${at}`}>
            <b>{printableLine(name)}</b> {SAID[decision]} <When at={at} />
            {key !== undefined && ' with a security key'}
            {reason !== '' && `: ${printableLine(reason)}`}
            {takenBack !== undefined && ' (taken back)'}
          </List.Item>
        ))}
      </List>
    </Part>
  );
}

/** Who asks, and what their session did before it. */
function Context({ row }: { readonly row: ApprovalRow }): ReactNode {
  const { data, error } = useQuery(contextQuery(row.number));
  // Those who may not know are told why, and nothing is wrong.
  if (error instanceof ApiError && error.status === 403) return <Text size="sm">{error.message}</Text>;
  if (error) return <Fault error={error} />;
  if (!data) return <Waiting what="Asking what came before ..." />;
  const others = (data.makers ?? []).filter((name) => name !== row.principal);
  const counted = data.commands === undefined ? undefined : `${data.commands} passed, ${data.denied ?? 0} refused`;
  return (
    <>
      <Part title="Who asks">
        <Facts
          of={[
            ['Name', printableLine(row.principal)],
            ['Kind', data.kind === 'agent' ? 'an agent (a program)' : data.kind && 'a person'],
            ['Its owner', data.owner && printableLine(data.owner)],
            ['Groups', data.groups?.map(printableLine).join(', ')],
            ['Known by', data.issuer && printableLine(data.issuer)],
            ['Token made by', others.map(printableLine).join(', ')],
            [
              'Client',
              [data.client, data.protocol]
                .filter(Boolean)
                .map((one) => printableLine(one ?? ''))
                .join(', '),
            ],
            ['In this session', counted],
            [
              'Session',
              <Link key="session" to="/sessions/$id" params={{ id: row.session }} search={{}}>
                {row.session}
              </Link>,
            ],
          ]}
        />
        {!data.open && <Text size="sm">The session is over: what is left of it is on record.</Text>}
      </Part>
      <Part title="What the session did before">
        {data.more && (
          <Alert variant="outline">It did too much to show here. The page of the session has all of it.</Alert>
        )}
        {!data.more && data.before.length === 0 && <Text size="sm">Nothing: this is the first thing it asks.</Text>}
        <ul className="plain">
          {data.before.map((one, at) => (
            // oxlint-disable-next-line react/no-array-index-key
            <li key={at}>
              <Text size="sm" component="div">
                <State of={one.decision ?? 'over'} /> after {lasting(one.at / 1_000)}
                {one.rule !== undefined && ` · ${printableLine(one.rule)}`}
              </Text>
              <div className="one-line" title={printable(one.text)}>
                {printableLine(one.text)}
              </div>
            </li>
          ))}
        </ul>
      </Part>
    </>
  );
}
