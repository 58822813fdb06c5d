/** A button for what cannot be undone: it asks once more, in words. */
import { Button } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Fault } from './states.js';

interface SureProps {
  /** What it is about, for screen readers: `Revoke laptop abc`. */
  readonly ask: string;
  readonly sure: string;
  readonly acting: {
    readonly isPending: boolean;
    readonly error: Error | null;
    mutate(): void;
  };
}

export function Sure({ ask, sure, acting }: SureProps): ReactNode {
  const [asked, setAsked] = useState(false);
  return (
    <>
      {asked ? (
        <Button size="xs" color="red" loading={acting.isPending} onClick={() => acting.mutate()}>
          {sure}
        </Button>
      ) : (
        <Button size="xs" variant="default" aria-label={ask} onClick={() => setAsked(true)}>
          Revoke ...
        </Button>
      )}
      {acting.error && <Fault error={acting.error} />}
    </>
  );
}
