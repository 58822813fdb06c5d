/** A dialog with its title. Owns: that screen readers are told its name, and how it is closed. */
import { Group, Modal } from '@mantine/core';
import type { ReactNode } from 'react';

interface DialogProps {
  readonly title: string;
  readonly close: () => void;
  readonly size?: 'md' | 'lg';
  readonly children: ReactNode;
}

export const Dialog = ({ title, close, size = 'md', children }: DialogProps): ReactNode => (
  <Modal.Root opened onClose={close} size={size} centered>
    <Modal.Overlay />
    <Modal.Content>
      {/* The header of the kit would be a second one of the page. */}
      <Group justify="space-between" p="md" wrap="nowrap">
        <Modal.Title fw={600}>{title}</Modal.Title>
        <Modal.CloseButton aria-label="Close" />
      </Group>
      <Modal.Body>{children}</Modal.Body>
    </Modal.Content>
  </Modal.Root>
);
