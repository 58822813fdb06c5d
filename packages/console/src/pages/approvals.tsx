/** The inbox of requests, and one of them beside it. Owns: which is shown, and keys that move between them. Does not: one request (request.tsx). */
import { Alert, Button, Group, Kbd, SegmentedControl, Text } from '@mantine/core';
import type { ApprovalRow, WhoAmI } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { mayDecide } from '../data/deciding.js';
import {
  MAX_OF_ONE,
  MAX_PENDING,
  pendingOfQuery,
  pendingQuery,
  recentQuery,
  reviewsQuery,
  whoAmI,
} from '../data/queries.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { Left, When } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import type { RequestSearch } from '../router.js';
import { Request } from './request.js';

/** Waiting for an answer; passed by break-glass, and nobody else has looked; all of them. */
type Which = 'pending' | 'reviews' | 'recent';

/** Of a statement in the list. Characters. */
const MAX_LINE = 300;

export function Approvals(): ReactNode {
  const { number } = useParams({ strict: false });
  const { show }: RequestSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const chosen = number === undefined ? undefined : Number(number);
  const which: Which = show ?? 'pending';
  const { data: who } = useQuery(whoAmI);
  /** Somebody who has asked more than the list has of each. */
  const [only, setOnly] = useState<string>();
  const all = useQuery(pendingQuery);
  const own = useQuery({ ...pendingOfQuery(only ?? ''), enabled: only !== undefined });
  const recent = useQuery({ ...recentQuery, enabled: which === 'recent' });
  const reviews = useQuery(reviewsQuery);
  const pending = only === undefined ? all : own;
  const { data: rows, error, refetch } = { pending, reviews, recent }[which];
  useMoving(rows ?? [], chosen, which);
  if (!who) return null;
  const mine = (rows ?? []).filter((row) => mayDecide(row, who));
  const ordered = which === 'pending' ? [...mine, ...(rows ?? []).filter((row) => !mine.includes(row))] : (rows ?? []);
  return (
    <>
      <PageTitle>Approvals</PageTitle>
      <div className="two" data-both={chosen !== undefined}>
        <section className="list" aria-label="Requests">
          <Group justify="space-between" mb="sm">
            <SegmentedControl
              aria-label="Which requests"
              value={which}
              onChange={(value) => void navigate({ to: '.', search: searchFor(value as Which), replace: true })}
              data={[
                { value: 'pending', label: 'Waiting' },
                { value: 'reviews', label: reviews.data?.length ? `Reviews (${reviews.data.length})` : 'Reviews' },
                { value: 'recent', label: 'All' },
              ]}
            />
            <Text size="xs" c="dimmed" visibleFrom="sm">
              <Kbd>j</Kbd> <Kbd>k</Kbd> move
            </Text>
          </Group>
          {error && <Fault error={error} again={() => void refetch()} />}
          {!rows && !error && <Waiting what="Asking for requests ..." />}
          {which === 'pending' && rows && rows.length >= MAX_PENDING && (
            <Alert variant="outline" color="yellow" mb="sm" role="status">
              The newest {MAX_PENDING} are shown: others may wait behind them. A notice has the address of its request.
            </Alert>
          )}
          {which === 'pending' && rows && <Crowded rows={rows} only={only} show={setOnly} />}
          {rows?.length === 0 && <Nothing which={which} who={who} />}
          <ul className="plain" aria-live="polite">
            {ordered.map((row) => (
              <li key={row.number}>
                <Line row={row} current={row.number === chosen} mine={mine.includes(row)} which={which} />
              </li>
            ))}
          </ul>
        </section>
        {chosen !== undefined && Number.isSafeInteger(chosen) && <Request key={chosen} number={chosen} who={who} />}
      </div>
    </>
  );
}

/** Who has asked so much that the list has not all of it. */
const Crowded = ({
  rows,
  only,
  show,
}: {
  readonly rows: readonly ApprovalRow[];
  readonly only: string | undefined;
  readonly show: (principal: string | undefined) => void;
}): ReactNode => {
  if (only !== undefined)
    return (
      <Button size="xs" variant="default" mb="sm" onClick={() => show(undefined)}>
        Requests of everybody
      </Button>
    );
  const counts = Map.groupBy(rows, ({ principal }) => principal);
  return [...counts]
    .filter(([, own]) => own.length >= MAX_OF_ONE)
    .map(([principal]) => (
      <Button key={principal} size="xs" variant="default" mb="sm" onClick={() => show(principal)}>
        The newest {MAX_OF_ONE} of {printableLine(principal)}: show all
      </Button>
    ));
};

const Line = ({
  row,
  current,
  mine,
  which,
}: {
  readonly row: ApprovalRow;
  readonly current: boolean;
  readonly mine: boolean;
  readonly which: Which;
}): ReactNode => (
  <Link
    className="row"
    to="/approvals/$number"
    params={{ number: String(row.number) }}
    search={searchFor(which)}
    aria-current={current ? 'true' : undefined}
  >
    <Group justify="space-between" gap="xs" wrap="nowrap">
      <Text fw={600} truncate>
        {row.number} · {printableLine(row.principal)} on {row.connection}
      </Text>
      {row.state === 'pending' ? (
        <Text size="sm" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
          <Left until={row.expires} />
        </Text>
      ) : (
        <State of={row.state} />
      )}
    </Group>
    <div className="one-line">{printableLine(row.text.slice(0, MAX_LINE))}</div>
    <Text size="sm" c="dimmed">
      {row.requirements.map(({ rule }) => printableLine(rule)).join(', ')}
      {touched(row)} · <When at={row.created} />
      {mine && ' · waits for you'}
      {row.review?.state === 'open' && ' · its review is open'}
    </Text>
  </Link>
);

const searchFor = (which: Which): RequestSearch => (which === 'pending' ? {} : { show: which });

/** How many rows it would change, where the target's planner has an idea. */
function touched({ impact }: ApprovalRow): string {
  const rows = impact?.tables.flatMap((table) => table.rows ?? []) ?? [];
  if (rows.length === 0) return '';
  const sum = rows.reduce((all, one) => all + one, 0);
  return ` · about ${sum.toLocaleString('en')} ${sum === 1 ? 'row' : 'rows'}`;
}

const NOTHING: Readonly<Record<Which, string>> = {
  pending: 'Nothing waits',
  reviews: 'No review is open',
  recent: 'No requests yet',
};

const Nothing = ({ which, who }: { readonly which: Which; readonly who: WhoAmI }): ReactNode => (
  <Empty title={NOTHING[which]}>
    {which === 'reviews' && 'What somebody passes by break-glass stays here until somebody else has looked at it. '}
    {which !== 'reviews' &&
      (who.roles.includes('approver')
        ? 'When a rule holds a statement, it appears here by itself. You may leave this page open.'
        : 'When a rule holds something that you sent, it appears here, and you see who decides about it. You decide about nothing: you are no approver.')}{' '}
    {which === 'pending' && (
      <Link to="/sessions" search={{}}>
        See what runs
      </Link>
    )}
  </Empty>
);

/** `j` and `k` go to the next and the one before, unless somebody writes. */
function useMoving(rows: readonly ApprovalRow[], chosen: number | undefined, which: Which): void {
  const navigate = useNavigate();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const step = { j: 1, k: -1 }[event.key];
      if (step === undefined || event.ctrlKey || event.metaKey || event.altKey || isWriting(event)) return;
      const at = rows.findIndex((row) => row.number === chosen);
      const next = rows[at < 0 ? 0 : at + step];
      if (next)
        void navigate({ to: '/approvals/$number', params: { number: String(next.number) }, search: searchFor(which) });
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [rows, chosen, which, navigate]);
}

const isWriting = ({ target }: KeyboardEvent): boolean =>
  target instanceof HTMLElement &&
  (target.closest('input, textarea, select, [role="dialog"]') !== null || target.isContentEditable);
