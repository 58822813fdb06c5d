/** A text to paste elsewhere. */
import { Button, Group } from '@mantine/core';
import { type ReactNode, useState } from 'react';

export function Copy({ text, label }: { readonly text: string; readonly label: string }): ReactNode {
  const [copied, setCopied] = useState<string>();
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text).then(
      () => setCopied(text),
      () => setCopied(undefined),
    );
  };
  return (
    <div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className="code" tabIndex={0} aria-label={label} role="group">
        {text}
      </pre>
      <Group justify="flex-end" mt={4}>
        <Button size="xs" variant="default" onClick={() => void copy()} aria-live="polite">
          {copied === text ? 'Copied' : 'Copy'}
        </Button>
      </Group>
    </div>
  );
}
