/**
 * What a terminal showed: played from the record with speed and search, or as it happens. Owns: how it is asked for and played. Does not:
 * read recordings (data/cast.ts), draw screens (parts/terminal.tsx).
 *
 * The document of this page alone may run WebAssembly, which the player of terminals is: links to it and from it load the document anew.
 */
import { Button, Checkbox, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import type { SessionRow } from '@sluice/api';
import { printableLine } from '@sluice/printable';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearch } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useMemo, useRef, useState } from 'react';
import { ApiError, askText } from '../data/api.js';
import { type Cast, type CastHit, findInCast, readCast } from '../data/cast.js';
import { sessionQuery } from '../data/queries.js';
import { Empty, Fault, Waiting } from '../parts/states.js';
import { LiveTerminal, type Playing, RecordedTerminal } from '../parts/terminal.js';
import { lasting } from '../parts/time.js';
import { PageTitle } from '../parts/titles.js';
import { Missing } from './entry.js';

/** Of a recording that is played: an export has all of it. */
const MAX_CAST_BYTES = 32 * 1024 * 1024;

export function TerminalPage(): ReactNode {
  const { id } = useParams({ from: '/sessions/$id/terminal' });
  const { command } = useSearch({ from: '/sessions/$id/terminal' });
  const { data: row, error, refetch } = useQuery(sessionQuery(id));
  return (
    <Stack gap="md">
      <div>
        <Link to="/sessions/$id" params={{ id }} search={{}} reloadDocument>
          What happened in this session
        </Link>
        <PageTitle>
          Terminals of session {id}
          {row && `: ${printableLine(row.principal)} on ${row.connection}`}
        </PageTitle>
      </div>
      {error && <Fault error={error} again={() => void refetch()} />}
      {!row && !error && <Waiting what="Asking for the session ..." />}
      {row && (row.state === 'ended' ? <Recording row={row} command={command} /> : <LiveTerminal id={row.id} />)}
    </Stack>
  );
}

function Recording({ row, command }: { readonly row: SessionRow; readonly command: string | undefined }): ReactNode {
  const { data, error, refetch } = useQuery({
    queryKey: ['cast', row.id, command ?? ''],
    queryFn: ({ signal }) => {
      const query = new URLSearchParams({ format: 'asciicast', ...(command !== undefined && { command }) });
      return askText(`/v1/sessions/${encodeURIComponent(row.id)}/export?${query}`, MAX_CAST_BYTES, signal);
    },
    // It does not change, and each reading is on record.
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (error instanceof ApiError && error.status === 409)
    return (
      <Empty title="No terminal was shown in this session">
        {printableLine(error.message)} What was asked is on the page of the session.
      </Empty>
    );
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!data) return <Waiting what="Reading the recording ..." />;
  return (
    <>
      {data.damages.map((one) => (
        <Missing key={one} what={one} />
      ))}
      <Player text={data.text} whole={data.whole} />
    </>
  );
}

const SPEEDS = ['0.5', '1', '2', '4', '8'];

function Player({ text, whole }: { readonly text: string; readonly whole: boolean }): ReactNode {
  const [speed, setSpeed] = useState('1');
  const [cutPauses, setCutPauses] = useState(true);
  const playing = useRef<Playing>(null);
  const cast = useMemo(() => readCast(text, cutPauses), [text, cutPauses]);
  return (
    <Stack gap="sm">
      <Group gap="md" align="center">
        <Text size="sm" id="speed">
          Speed
        </Text>
        <SegmentedControl
          aria-labelledby="speed"
          value={speed}
          onChange={setSpeed}
          data={SPEEDS.map((value) => ({ value, label: `${value}×` }))}
        />
        <Checkbox
          label="Cut long pauses"
          checked={cutPauses}
          onChange={(event) => setCutPauses(event.currentTarget.checked)}
        />
      </Group>
      {!whole && <Text size="sm">The recording is long: its first 32 MiB are played. An export has all of it.</Text>}
      <RecordedTerminal cast={cast} speed={Number(speed)} playing={playing} />
      <Find cast={cast} go={(at) => playing.current?.seek(at)} />
    </Stack>
  );
}

function Find({ cast, go }: { readonly cast: Cast; readonly go: (at: number) => void }): ReactNode {
  const [wanted, setWanted] = useState('');
  const [hits, setHits] = useState<readonly CastHit[]>();
  const find = (event: FormEvent): void => {
    event.preventDefault();
    setHits(findInCast(cast, wanted));
  };
  const lines = cast.events.flatMap(({ at, code, data }): CastHit[] => (code === 'm' ? [{ at, line: data }] : []));
  const shown = hits ?? lines.slice(0, 100);
  return (
    <Stack gap="xs">
      <form onSubmit={find} role="search">
        <Group align="flex-end">
          <TextInput
            label="Find what was shown"
            value={wanted}
            onChange={(event) => {
              setWanted(event.currentTarget.value);
              if (event.currentTarget.value === '') setHits(undefined);
            }}
          />
          <Button type="submit" variant="default">
            Find
          </Button>
        </Group>
      </form>
      <Text size="sm" role="status">
        {hits
          ? `${hits.length === 0 ? 'Nothing' : hits.length} found.`
          : shown.length > 0 && 'Commands and lines that were typed:'}
      </Text>
      <ol className="plain" aria-label="Places in the recording">
        {shown.map(({ at, line }, number) => (
          // The same line may be there twice at one moment.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={number}>
            <Button variant="default" size="xs" maw="100%" onClick={() => go(at)}>
              {lasting(at)}: {printableLine(line).slice(0, 120)}
            </Button>
          </li>
        ))}
      </ol>
    </Stack>
  );
}
