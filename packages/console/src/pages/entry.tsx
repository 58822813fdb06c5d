/** Entries of a session, as its page shows them. Owns: what each kind looks like, in texts. Does not: draw terminals: their output is text here. */
import { Alert, Group, Table, Text } from '@mantine/core';
import type { TimelineEntry } from '@sluice/api';
import { printable, printableLine } from '@sluice/printable';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { LongList } from '../parts/long-list.js';
import { Scroll } from '../parts/scroll.js';
import { State } from '../parts/state.js';
import { Statement } from '../parts/statement.js';
import { lasting } from '../parts/time.js';

/** Of an answer, in a page of many. */
const MAX_ROWS = 50;
const MAX_OUTPUT = 4_000;

/** A command without an answer that is shown, in pixels. */
const HEIGHT = 96;

/** Whether something was shown that terminals show, whichever protocol it came by. */
export const showsScreen = ({ kind }: TimelineEntry): boolean => kind === 'shell' || kind === 'exec';

/** `first`: how many were there before those that are shown, and are not kept. */
export const Entries = ({
  of,
  first,
}: {
  readonly of: readonly TimelineEntry[];
  readonly first: number;
}): ReactNode => (
  <LongList
    of={of}
    label="What happened"
    height={HEIGHT}
    keyOf={(_, at) => first + at}
    row={(entry) => (
      <>
        <Text size="xs" c="dimmed">
          after {lasting(entry.at / 1_000)}
          {entry.command !== undefined && `, command ${entry.command}`}
          {entry.account !== undefined && entry.account !== '' && `, as ${printableLine(entry.account)}`}
        </Text>
        <Entry entry={entry} />
      </>
    )}
  />
);

/** Something of the record is damaged, or not there any more. */
export const Missing = ({ what }: { readonly what: string }): ReactNode => (
  <Alert color="red" variant="outline" role="alert" title="Something is missing here">
    {printableLine(what)}
  </Alert>
);

function Entry({ entry }: { readonly entry: TimelineEntry }): ReactNode {
  switch (entry.type) {
    case 'command':
      return <Command entry={entry} />;
    case 'response':
      return <Answer entry={entry} />;
    case 'output':
      return <Output entry={entry} />;
    case 'approval':
      return (
        <Text size="sm">
          {printableLine(entry.summary ?? '')}{' '}
          {entry.approval !== undefined && (
            <Link to="/approvals/$number" params={{ number: String(entry.approval) }}>
              See the request
            </Link>
          )}
        </Text>
      );
    case 'gap':
      return <Missing what={entry.summary ?? ''} />;
    default:
      return <Text size="sm">{printableLine(entry.summary ?? entry.type)}</Text>;
  }
}

const Command = ({ entry }: { readonly entry: TimelineEntry }): ReactNode => {
  const { text = '', request, decision, rule, message, parameters, phase, kind } = entry;
  const isTerminal = kind === 'shell' && text === '';
  const asked = request
    ? `${request.method} ${request.host}${request.path}${request.query && `?${request.query}`}`
    : text;
  return (
    <div>
      <Group gap="sm">
        {decision && <State of={decision} />}
        {rule !== undefined && <Text size="sm">by rule {printableLine(rule)}</Text>}
        {phase === 'prepare' && <Text size="sm">prepared</Text>}
      </Group>
      {isTerminal ? <Text size="sm">A terminal</Text> : <Statement text={asked} />}
      <Matched of={entry} />
      {Array.isArray(parameters) && parameters.length > 0 && (
        <Text size="sm" ff="monospace">
          {parameters
            .map(
              (value, at) => `$${at + 1} = ${printableLine(typeof value === 'string' ? value : JSON.stringify(value))}`,
            )
            .join(', ')}
        </Text>
      )}
      {message !== undefined && <Text size="sm">{printableLine(message)}</Text>}
    </div>
  );
};

const EFFECTS: Readonly<Record<string, string>> = {
  deny: 'refuses',
  allow: 'allows',
  mask: 'masks',
  hold: 'holds',
  hold_answer: 'holds the answer',
  hold_commit: 'holds the COMMIT',
  risk: 'adds risk',
  budget: 'counts',
  bound: 'bounds the answer',
  tripwire: 'counts',
};

/** Rules that matched, and what each does. The one that decided is said already. */
const Matched = ({ of: { matched = [] } }: { readonly of: TimelineEntry }): ReactNode =>
  matched.length > 0 && (
    <Text size="sm" c="dimmed">
      Rules that matched:{' '}
      {matched
        .map(
          ({ rule, effect, observed }) =>
            `${printableLine(rule)} (${EFFECTS[effect] ?? printableLine(effect)}${observed ? ', only observed' : ''})`,
        )
        .join(', ')}
    </Text>
  );

const Answer = ({ entry }: { readonly entry: TimelineEntry }): ReactNode => {
  const { summary, outcome, rows, bytes, hidden, result } = entry;
  const counts = [
    rows !== undefined && `${rows.toLocaleString('en')} rows`,
    bytes !== undefined && `${bytes.toLocaleString('en')} bytes`,
  ].filter(Boolean);
  return (
    <div>
      <Text size="sm">{printableLine([summary ?? outcome ?? '', ...counts].join(', '))}</Text>
      {hidden &&
        Object.entries(hidden).map(([reason, count]) => (
          <Text key={reason} size="sm">
            Hidden: {count} {count === 1 ? 'column' : 'columns'}, because: {printableLine(reason)}
          </Text>
        ))}
      {result?.messages.map((text) => (
        <Text key={text} size="sm">
          {printableLine(text)}
        </Text>
      ))}
      {result && result.columns.length > 0 && result.rows.length > 0 && (
        <details>
          <Text component="summary" size="sm">
            What the client was given, masks applied
          </Text>
          <Scroll label="Rows, which can be scrolled">
            <Table aria-label="Rows">
              <Table.Thead>
                <Table.Tr>
                  {result.columns.map((name, at) => (
                    // oxlint-disable-next-line react/no-array-index-key
                    <Table.Th key={at}>{printableLine(name)}</Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {result.rows.slice(0, MAX_ROWS).map((row, at) => (
                  // oxlint-disable-next-line react/no-array-index-key
                  <Table.Tr key={at}>
                    {row.map((cell, column) => (
                      // oxlint-disable-next-line react/no-array-index-key
                      <Table.Td key={column}>{cell === null ? <i>NULL</i> : printable(cell)}</Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Scroll>
          {result.rows.length > MAX_ROWS && <Text size="sm">The first {MAX_ROWS} of those on record.</Text>}
        </details>
      )}
    </div>
  );
};

const STREAMS: Readonly<Record<string, string>> = {
  out: 'Output',
  err: 'Error output',
  in: 'Input',
  line: 'Line',
  request: 'Sent',
  head: 'Head',
  size: 'Size',
};

/** Bytes of a terminal or a program, as text: nothing in them is obeyed. */
const Output = ({ entry: { data = '', stream = 'out' } }: { readonly entry: TimelineEntry }): ReactNode => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const text = new TextDecoder().decode(bytes);
  return (
    <div>
      <Text size="sm">{STREAMS[stream] ?? stream}</Text>
      <pre className="code">{printable(text.slice(0, MAX_OUTPUT))}</pre>
      {text.length > MAX_OUTPUT && <Text size="sm">Its start; an export has all of it.</Text>}
    </div>
  );
};
