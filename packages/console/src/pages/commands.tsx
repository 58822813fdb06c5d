/** Commands on record, over all sessions: who did this? Owns: what is looked for, in the address. Does not: one session (session.tsx). */
import { Button, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import type { FoundCommand, WhoAmI } from '@sluice/api';
import { printable, printableLine } from '@sluice/printable';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { askFilledPage } from '../data/api.js';
import { whoAmI } from '../data/queries.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { When } from '../parts/time.js';
import { Back, PageTitle } from '../parts/titles.js';
import { Missing } from './entry.js';
import type { CommandSearch, Decision } from '../router.js';

const PAGE = 50;
/** Older ones are a matter of looking for less. */
const MAX_PAGES = 20;
/** Of a command in the list. Characters. */
const MAX_LINE = 300;

export function Commands(): ReactNode {
  const search: CommandSearch = useSearch({ from: '/commands' });
  const { data: who } = useQuery(whoAmI);
  if (!who) return null;
  return (
    <Stack gap="md">
      <div>
        <Back to="/sessions">All sessions</Back>
        <PageTitle>Find a command</PageTitle>
      </div>
      <Sought key={JSON.stringify(search)} search={search} />
      {Object.keys(search).length === 0 ? (
        <Empty title="What do you look for?">
          A word of the statement, command or request: a table, a program, a path. {reachOf(who)}
        </Empty>
      ) : (
        <Found search={search} who={who} />
      )}
    </Stack>
  );
}

const seesAll = (who: WhoAmI): boolean => who.roles.includes('auditor') || who.roles.includes('admin');

const reachOf = (who: WhoAmI): string =>
  seesAll(who)
    ? 'You find those of everybody, and that you read them is on record.'
    : 'You find your own; auditors and administrators find those of everybody.';

function Found({ search, who }: { readonly search: CommandSearch; readonly who: WhoAmI }): ReactNode {
  const finding = useInfiniteQuery({
    queryKey: ['commands', JSON.stringify(search)],
    initialPageParam: `/v1/commands?${new URLSearchParams({ limit: String(PAGE), ...search })}`,
    queryFn: ({ pageParam, signal }) => askFilledPage<FoundCommand>(pageParam, signal),
    getNextPageParam: ({ next }, pages) => (pages.length < MAX_PAGES ? next : undefined),
    // Each reading is on record, and what is new is asked for by "Find".
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const rows = finding.data?.pages.flatMap((page) => page.rows) ?? [];
  const damages = new Set(finding.data?.pages.flatMap((page) => page.damages));
  const isAll = !finding.hasNextPage;
  return (
    <>
      {finding.error && <Fault error={finding.error} again={() => void finding.refetch()} />}
      {[...damages].map((one) => (
        <Missing key={one} what={one} />
      ))}
      {finding.isPending && <Waiting what="Looking through the record ..." />}
      {finding.isSuccess && rows.length === 0 && (
        <Empty title={isAll ? 'No command is like that' : 'Nothing so far'}>
          {isAll
            ? `A text is looked for as it stands, blanks too: try one word of it, or a longer time. ${reachOf(who)}`
            : 'The record is long: look further back.'}
        </Empty>
      )}
      <ol className="plain" aria-label="Commands">
        {rows.map((row) => (
          <li key={`${row.session} ${row.command} ${row.at}`}>
            <Line row={row} />
          </li>
        ))}
      </ol>
      {finding.hasNextPage && (
        <Group>
          <Button variant="default" loading={finding.isFetchingNextPage} onClick={() => void finding.fetchNextPage()}>
            Look further back
          </Button>
        </Group>
      )}
    </>
  );
}

const Line = ({ row }: { readonly row: FoundCommand }): ReactNode => (
  <Link className="row" to="/sessions/$id" params={{ id: row.session }} search={{ from: String(row.command) }}>
    <Group justify="space-between" gap="xs">
      <Text fw={600}>
        {printableLine(row.principal)} on {row.connection}
      </Text>
      <Group gap="sm">
        <State of={row.decision} />
        <Text size="sm" c="dimmed">
          <When at={row.at} />
        </Text>
      </Group>
    </Group>
    <div className="one-line" title={printable(row.text)}>
      {printableLine(row.text.slice(0, MAX_LINE))}
    </div>
    <Text size="sm" c="dimmed">
      Session {row.session}, command {row.command}
      {row.rule !== undefined && `, by rule ${printableLine(row.rule)}`}
    </Text>
  </Link>
);

/** Days that people mean, as times in their own zone. */
const DAYS = {
  today: 0,
  yesterday: 1,
  week: 7,
} as const;

/** The beginning of a day of the viewer, so many days ago. */
function dayAgo(days: number): Date {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - days);
  return day;
}

function timesOf(when: string): Pick<CommandSearch, 'since' | 'until'> {
  if (!(when in DAYS)) return {};
  const days = DAYS[when as keyof typeof DAYS];
  const since = dayAgo(days).toISOString();
  return when === 'yesterday' ? { since, until: dayAgo(0).toISOString() } : { since };
}

const whenOf = (search: CommandSearch): string =>
  Object.keys(DAYS).find((name) => {
    const { since, until } = timesOf(name);
    return since === search.since && until === search.until;
  }) ?? (search.since === undefined && search.until === undefined ? 'ever' : 'other');

function Sought({ search }: { readonly search: CommandSearch }): ReactNode {
  const navigate = useNavigate({ from: '/commands' });
  const [texts, setTexts] = useState({
    text: search.text ?? '',
    principal: search.principal ?? '',
    connection: search.connection ?? '',
  });
  const go = (next: CommandSearch): void => {
    const known = Object.entries(texts).filter(([, value]) => value !== '');
    void navigate({ search: { ...next, ...Object.fromEntries(known) } });
  };
  const { since, until, decision } = search;
  const times = { ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
  const decided = decision === undefined ? {} : { decision };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    go({ ...times, ...decided });
  };
  const when = whenOf(search);
  return (
    <form onSubmit={submit} role="search">
      <Stack gap="sm">
        <Group align="flex-end">
          {(
            [
              ['text', 'With this text'],
              ['principal', 'Whose'],
              ['connection', 'Connection'],
            ] as const
          ).map(([name, label]) => (
            <TextInput
              key={name}
              label={label}
              maxLength={300}
              placeholder={name === 'text' ? 'id = 300' : ''}
              value={texts[name]}
              onChange={(event) => setTexts({ ...texts, [name]: event.currentTarget.value })}
            />
          ))}
          <Button type="submit">Find</Button>
        </Group>
        <Group>
          <SegmentedControl
            aria-label="When"
            value={when}
            onChange={(value) => go({ ...decided, ...timesOf(value) })}
            data={[
              { value: 'ever', label: 'Ever' },
              { value: 'today', label: 'Today' },
              { value: 'yesterday', label: 'Yesterday' },
              { value: 'week', label: 'Last 7 days' },
              ...(when === 'other' ? [{ value: 'other', label: 'As in the address' }] : []),
            ]}
          />
          <SegmentedControl
            aria-label="What became of it"
            value={decision ?? 'all'}
            onChange={(value) => go({ ...times, ...(value !== 'all' && { decision: value as Decision }) })}
            data={[
              { value: 'all', label: 'All' },
              { value: 'allow', label: 'Passed' },
              { value: 'deny', label: 'Refused' },
              { value: 'hold', label: 'Held' },
            ]}
          />
        </Group>
      </Stack>
    </form>
  );
}
