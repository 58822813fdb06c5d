/** Pairs of a name and what it is. */
import { Text } from '@mantine/core';
import type { ReactNode } from 'react';

export const Facts = ({ of }: { readonly of: readonly (readonly [string, ReactNode])[] }): ReactNode => (
  <dl className="facts">
    {of
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([name, value]) => (
        <div key={name}>
          <Text component="dt" size="sm" c="dimmed">
            {name}
          </Text>
          <dd>{value}</dd>
        </div>
      ))}
  </dl>
);
