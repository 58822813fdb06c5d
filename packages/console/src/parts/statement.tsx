/**
 * A statement or command of somebody else, with colours that help to read it. Owns: that it is shown to the letter: what does not show is
 * written out and marked. Does not: understand it, which the gateway does.
 *
 * Everything is text of React: no markup in it takes effect.
 */
import { hidesCharacters, printable } from '@sluice/printable';
import { Button, Stack, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';

/** Of a text at first, and of one that has colours. Characters. */
const MAX_SHOWN = 20_000;
const MAX_COLOURED = 200_000;

/** One pass over the text: each alternative begins with what no other one does. */
const PARTS =
  /(--[^\n]*|\/\*[^]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$)|\$\w*\$)|(\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\})|(\$\d+|\b\d+(?:\.\d+)?)\b|\b([A-Za-z_]+)\b/g;
const CLASSES = ['sql-comment', 'sql-text', 'hidden-character', 'sql-number', 'sql-word'] as const;
/** Names of columns such as `id` and `state` are words of PostgreSQL, too: what reads as one is here. */
export const SQL_WORDS =
  'select insert update delete merge into from where set values and or not in is null like between exists join left right full inner outer cross on using group by order having limit offset ' +
  'union all distinct as case when then else end create alter drop truncate table index view schema database role user grant revoke to with returning begin commit rollback ' +
  'cascade copy call do explain analyze';
const WORDS = new Set(`${SQL_WORDS} sudo rm mv cp cat kubectl docker systemctl curl wget ssh git`.split(' '));

function coloured(text: string): ReactNode[] {
  const parts: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(PARTS)) {
    const group = match.slice(1).findIndex((one) => one !== undefined);
    const name = CLASSES[group];
    if (name === undefined || (name === 'sql-word' && !WORDS.has(match[0].toLowerCase()))) continue;
    if (match.index > at) parts.push(text.slice(at, match.index));
    parts.push(
      <span key={match.index} className={name}>
        {match[0]}
      </span>,
    );
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** Longer ones are more than fits on a screen. Characters. */
const MAX_AT_A_GLANCE = 4_000;

/** Says so where a text may not be what it seems to be. */
export const Hidden = ({ text }: { readonly text: string }): ReactNode => (
  <>
    {hidesCharacters(text) && (
      <Text size="sm" fw={600}>
        It has characters that do not show. They are written out, as \x1b or \u{'{202e}'}.
      </Text>
    )}
    {text.length > MAX_AT_A_GLANCE && (
      <Text size="sm" fw={600}>
        It is long: {text.length.toLocaleString('en')} characters. What matters may stand far down.
      </Text>
    )}
  </>
);

export const Statement = ({
  text,
  label = 'Statement',
}: {
  readonly text: string;
  readonly label?: string;
}): ReactNode => {
  const [all, setAll] = useState(false);
  const shown = all ? text : text.slice(0, MAX_SHOWN);
  return (
    <Stack gap="xs">
      {/* It scrolls, so that the keyboard has to reach it. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className="code" tabIndex={0} aria-label={label} role="group">
        {shown.length > MAX_COLOURED ? printable(shown) : coloured(printable(shown))}
      </pre>
      <Hidden text={text} />
      {shown.length < text.length && (
        <Button size="xs" onClick={() => setAll(true)}>
          This is the beginning: show all {text.length.toLocaleString('en')} characters
        </Button>
      )}
    </Stack>
  );
};
