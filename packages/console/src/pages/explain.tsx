/** What the rules in force would say of a statement, a command or a request. Owns: how it is asked. Does not: judge: the gateway does. */
import { Alert, Button, Group, Select, Stack, Text, TextInput, Textarea } from '@mantine/core';
import type { ConnectionRow, Explanation, WhoAmI } from '@sluice/api';
import { printable, printableLine } from '@sluice/printable';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { send } from '../data/api.js';
import { connectionsQuery } from '../data/queries.js';
import { CodeField } from '../parts/code.js';
import { State } from '../parts/state.js';
import { Empty, Fault, Waiting } from '../parts/states.js';

/** As the gateway takes it. Characters. */
const MAX_TEXT = 65_536;

export function Explain({ who }: { readonly who: WhoAmI }): ReactNode {
  const { data: connections, error, refetch } = useQuery(connectionsQuery);
  if (error) return <Fault error={error} again={() => void refetch()} />;
  if (!connections) return <Waiting what="Asking for your connections ..." />;
  if (connections.length === 0)
    return <Empty title="There is no connection for you">Rules are those of a connection that you may use.</Empty>;
  return <Question connections={connections} who={who} />;
}

/** What a request by HTTP has that a text has not. */
const EMPTY_REQUEST = { method: 'GET', path: '/', headers: '', body: '' };

function Question({
  connections,
  who,
}: {
  readonly connections: readonly ConnectionRow[];
  readonly who: WhoAmI;
}): ReactNode {
  const [connection, setConnection] = useState(connections[0]?.name ?? '');
  const [text, setText] = useState('');
  const [request, setRequest] = useState(EMPTY_REQUEST);
  const [principal, setPrincipal] = useState('');
  const isHttp = connections.find(({ name }) => name === connection)?.protocol === 'http';
  const asking = useMutation({
    mutationFn: () => {
      const { method, path, headers, body } = request;
      const lines = headers.split('\n').filter((line) => line.trim() !== '');
      const written = {
        method,
        path,
        ...(lines.length > 0 && { headers: lines }),
        ...(body !== '' && { body }),
      };
      return send<Explanation>('POST', '/v1/policy/explain', {
        connection,
        ...(isHttp ? { request: written } : { sql: text }),
        ...(principal !== '' && { principal }),
      });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    asking.mutate();
  };
  const mayAskForOthers = who.roles.includes('admin') || who.roles.includes('auditor');
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">What would the rules say? Nothing is run, and nothing is sent to the target.</Text>
        <Group align="flex-end">
          <Select
            label="On connection"
            data={connections.map(({ name }) => name)}
            value={connection}
            onChange={(value) => {
              setConnection(value ?? connection);
              asking.reset();
            }}
            allowDeselect={false}
          />
          {mayAskForOthers && (
            <TextInput
              label="To whom"
              placeholder={who.name}
              description="A principal of the configuration"
              value={principal}
              onChange={(event) => setPrincipal(event.currentTarget.value.trim())}
            />
          )}
        </Group>
        {isHttp ? (
          <RequestFields of={request} set={setRequest} />
        ) : (
          <CodeField label="Statement or command" text={text} change={setText} submit={() => asking.mutate()} />
        )}
        <Group>
          <Button type="submit" loading={asking.isPending} disabled={!isHttp && text.trim() === ''}>
            Explain
          </Button>
        </Group>
        {asking.error && <Fault error={asking.error} />}
        {asking.data && <Answer of={asking.data} />}
      </Stack>
    </form>
  );
}

type Fields = typeof EMPTY_REQUEST;

const RequestFields = ({ of, set }: { readonly of: Fields; readonly set: (fields: Fields) => void }): ReactNode => (
  <>
    <Group align="flex-end">
      <TextInput
        label="Method"
        w="8rem"
        maxLength={20}
        required
        value={of.method}
        onChange={(event) => set({ ...of, method: event.currentTarget.value.trim() })}
      />
      <TextInput
        label="Path, with its query"
        required
        pattern="/.*"
        style={{ flex: 1 }}
        value={of.path}
        onChange={(event) => set({ ...of, path: event.currentTarget.value })}
      />
    </Group>
    <Textarea
      label="Headers"
      description="One a line: Name: value"
      autosize
      value={of.headers}
      onChange={(event) => set({ ...of, headers: event.currentTarget.value })}
    />
    <Textarea
      label="Body"
      autosize
      maxLength={MAX_TEXT}
      value={of.body}
      onChange={(event) => set({ ...of, body: event.currentTarget.value })}
    />
  </>
);

const COLOURS = { allow: 'green', deny: 'red', hold: 'yellow' } as const;
const TITLES = { allow: 'It would pass', deny: 'It would be refused', hold: 'It would wait for people' } as const;

const Answer = ({ of }: { readonly of: Explanation }): ReactNode => (
  <Alert variant="outline" color={COLOURS[of.decision]} title={TITLES[of.decision]} role="status">
    <Stack gap="xs">
      <Group gap="sm">
        <State of={of.decision} />
        {of.rule !== undefined && <Text size="sm">by rule {printableLine(of.rule)}</Text>}
      </Group>
      {of.message !== undefined && <Text size="sm">{printable(of.message)}</Text>}
      {of.hint !== undefined && <Text size="sm">{printable(of.hint)}</Text>}
      {/* It scrolls, so that the keyboard has to reach it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className="code" tabIndex={0} role="group" aria-label="How the rules come to it">
        {printable(of.text)}
      </pre>
    </Stack>
  </Alert>
);
