/** Headings of pages, and ways back. */
import { Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

export const PageTitle = ({ children }: { readonly children: ReactNode }): ReactNode => (
  <Title order={1} size="h3" mb="sm">
    {children}
  </Title>
);

export const Back = ({
  to,
  children,
}: {
  readonly to: '/approvals' | '/sessions';
  readonly children: ReactNode;
}): ReactNode => (
  <Text size="sm">
    <Link to={to} search={{}}>
      {children}
    </Link>
  </Text>
);
