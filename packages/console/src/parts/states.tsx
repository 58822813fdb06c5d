/** What a page shows that has nothing to show: nothing yet, nothing at all, or a fault. Owns: that each says what helps. */
import { Alert, Anchor, Button, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { ApiError } from '../data/api.js';

export const Waiting = ({ what }: { readonly what: string }): ReactNode => (
  <Group gap="sm" role="status">
    <Loader size="sm" />
    <Text>{what}</Text>
  </Group>
);

/** Nothing is there, and that is no fault: what it means, and what would change it. */
export const Empty = ({ title, children }: { readonly title: string; readonly children?: ReactNode }): ReactNode => (
  <Stack gap={4} py="lg" align="flex-start">
    <Text fw={600}>{title}</Text>
    <Text c="dimmed" component="div">
      {children}
    </Text>
  </Stack>
);

/** What went wrong, in the words of the gateway. */
export const Fault = ({ error, again }: { readonly error: unknown; readonly again?: () => void }): ReactNode => {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const hint = error instanceof ApiError ? error.hint : undefined;
  return (
    <Alert color="red" variant="outline" title={message} role="alert">
      <Stack gap="xs" align="flex-start">
        {hint !== undefined && <Text size="sm">{hint}</Text>}
        {again && (
          <Button size="xs" variant="default" onClick={again}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
};

export const Nowhere = (): ReactNode => (
  <Stack gap="xs">
    <Title order={1} size="h3">
      There is no such page
    </Title>
    <Text>
      <Anchor component={Link} to="/" underline="always">
        Your connections
      </Anchor>{' '}
      are a good place to begin.
    </Text>
  </Stack>
);

/** A page failed. Others still work. */
export const Trouble = ({ error }: { readonly error: unknown }): ReactNode => (
  <Stack gap="md">
    <Title order={1} size="h3">
      This page failed
    </Title>
    <Fault error={error} again={() => location.reload()} />
  </Stack>
);
