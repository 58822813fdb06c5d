/** Statements to read and to write, by an editor that is loaded when one is shown. Owns: what there is until then, which works as well. */
import { Stack, Textarea } from '@mantine/core';
import { printable } from '@sluice/printable';
import { type ReactNode, Suspense, lazy } from 'react';
import { Hidden, Statement } from './statement.js';

const Editor = lazy(() => import('./editor.js'));

/** Longer ones would keep the editor, and whoever has to decide, waiting. Characters. */
const MAX_EDITED = 500_000;

/** A statement of somebody else, whole, however long it is. Nothing of it is markup. */
export const Code = ({ text, label }: { readonly text: string; readonly label: string }): ReactNode =>
  text.length > MAX_EDITED ? (
    <Statement text={text} label={label} />
  ) : (
    <Suspense fallback={<Statement text={text} label={label} />}>
      <Stack gap="xs" role="group" aria-label={label}>
        <Editor text={printable(text)} label={label} />
        <Hidden text={text} />
      </Stack>
    </Suspense>
  );

interface CodeFieldProps {
  readonly text: string;
  readonly label: string;
  readonly change: (text: string) => void;
  readonly submit: () => void;
}

const Coloured = lazy(() => import('./condition.js'));

/** The condition of a rule. */
export const ConditionOf = ({ text }: { readonly text: string }): ReactNode => (
  <code className="condition">
    <Suspense fallback={printable(text)}>
      <Coloured text={printable(text)} />
    </Suspense>
  </code>
);

/** A field to write a statement in. */
export const CodeField = ({ text, label, change, submit }: CodeFieldProps): ReactNode => (
  <Suspense
    fallback={
      <Textarea
        label={label}
        autosize
        minRows={3}
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
      />
    }
  >
    <div>
      <div className="field-label" aria-hidden>
        {label}
      </div>
      <Editor text={text} label={label} change={change} submit={submit} />
    </div>
  </Suspense>
);
