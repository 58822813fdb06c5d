/** Headings of pages, and ways back. */
import { Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

export const PageTitle = ({ children }: { readonly children: ReactNode }): ReactNode => (
  <Title order={1} size="h3" mb="sm">
    {children}
  </Title>
);

/** A page with rights of its own: the document is loaded anew for it, and nothing of it before. */
export const ToTerminal = ({ id, children }: { readonly id: string; readonly children: ReactNode }): ReactNode => (
  <Text size="sm">
    <Link to="/sessions/$id/terminal" params={{ id }} search={{}} reloadDocument preload={false}>
      {children}
    </Link>
  </Text>
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
