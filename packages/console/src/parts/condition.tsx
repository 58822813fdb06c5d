/** A condition of a rule, in CEL, with colours. Owns: what is a word of CEL. Does not: understand it. A file of its own, loaded with rules. */
import { StreamLanguage } from '@codemirror/language';
import { classHighlighter, highlightCode } from '@lezer/highlight';
import type { ReactNode } from 'react';

const WORDS = new Set(['true', 'false', 'null', 'in']);
/** Of a text, a number, a word and the rest: each has to begin with what no other one does. */
const TOKENS = [
  [/^[rb]{0,2}("(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)/i, 'string'],
  [/^\d[\w.]*/, 'number'],
  [/^\/\/.*/, 'comment'],
  [/^[&|!=<>+\-*/%?:]+/, 'operator'],
] as const;

const CEL = StreamLanguage.define({
  name: 'cel',
  token: (stream) => {
    if (stream.eatSpace()) return null;
    for (const [pattern, name] of TOKENS) if (stream.match(pattern)) return name;
    if (stream.match(/^[A-Za-z_]\w*/)) return WORDS.has(stream.current()) ? 'keyword' : null;
    stream.next();
    return null;
  },
});

/** Conditions beyond this have no colours. Characters. */
const MAX_COLOURED = 10_000;

export default function Condition({ text }: { readonly text: string }): ReactNode {
  if (text.length > MAX_COLOURED) return text;
  const parts: ReactNode[] = [];
  highlightCode(
    text,
    CEL.parser.parse(text),
    classHighlighter,
    (part, classes) =>
      void parts.push(
        classes === '' ? (
          part
        ) : (
          <span key={parts.length} className={classes}>
            {part}
          </span>
        ),
      ),
    () => void parts.push('\n'),
  );
  return parts;
}
