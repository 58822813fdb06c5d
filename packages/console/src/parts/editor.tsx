/**
 * CodeMirror, for a statement that somebody reads or writes. Owns: how it looks, and that the keyboard gets in and out of it. Does not:
 * understand the text: the gateway does. A file of its own, which is loaded where one is shown (code.tsx).
 */
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { SQLDialect, sql } from '@codemirror/lang-sql';
import { bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { Annotation, EditorState, type Extension } from '@codemirror/state';
import {
  Decoration,
  EditorView,
  MatchDecorator,
  ViewPlugin,
  type ViewUpdate,
  keymap,
  placeholder,
} from '@codemirror/view';
import { classHighlighter } from '@lezer/highlight';
import { type ReactNode, useEffect, useRef } from 'react';
import { SQL_WORDS } from './statement.js';

interface EditorProps {
  readonly text: string;
  /** What screen readers call it. */
  readonly label: string;
  readonly hint?: string;
  /** Absent: nobody writes in it. */
  readonly change?: (text: string) => void;
  /** Ctrl+Enter. */
  readonly submit?: () => void;
}

/** Characters that do not show are written out by the time they come here. A text that has the same letters by itself is framed as well. */
const WRITTEN_OUT = new MatchDecorator({
  regexp: /\\x[0-9a-f]{2}|\\u\{[0-9a-f]+\}/g,
  decoration: Decoration.mark({ class: 'hidden-character' }),
});
const writtenOut = ViewPlugin.fromClass(
  class {
    decorations;
    constructor(view: EditorView) {
      this.decorations = WRITTEN_OUT.createDeco(view);
    }
    update(update: ViewUpdate): void {
      this.decorations = WRITTEN_OUT.updateDeco(update, this.decorations);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

/** It came from the page, and is nothing that somebody wrote. */
const given = Annotation.define<boolean>();

const DIALECT = SQLDialect.define({ keywords: SQL_WORDS, types: '', doubleDollarQuotedStrings: true });

/** Colours are those of style.css, which knows light and dark. Tab goes on to what comes next, as in any field. */
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.content ?? '';
const ALWAYS: Extension = [
  EditorView.cspNonce.of(nonce),
  EditorView.lineWrapping,
  syntaxHighlighting(classHighlighter),
  sql({ dialect: DIALECT }),
];

export default function Editor({ text, label, hint, change, submit }: EditorProps): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const acts = useRef({ change, submit });
  acts.current = { change, submit };
  const writes = change !== undefined;
  useEffect(() => {
    const parent = place.current;
    if (!parent) return undefined;
    const keys = keymap.of([
      { key: 'Mod-Enter', run: () => (acts.current.submit?.(), true) },
      ...defaultKeymap,
      ...historyKeymap,
    ]);
    const told = EditorView.updateListener.of(({ docChanged, transactions, state }) => {
      if (docChanged && !transactions.some((one) => one.annotation(given))) acts.current.change?.(state.doc.toString());
    });
    const own: Extension = writes
      ? [history(), bracketMatching(), keys, told, ...(hint === undefined ? [] : [placeholder(hint)])]
      : [EditorState.readOnly.of(true), EditorView.editable.of(false), writtenOut];
    const attributes = EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' });
    const made = new EditorView({ parent, doc: text, extensions: [ALWAYS, own, attributes] });
    view.current = made;
    return () => made.destroy();
    // What it shows is brought up to date below.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [label, hint, writes]);
  useEffect(() => {
    const now = view.current;
    if (!now || now.state.doc.toString() === text) return;
    now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: text }, annotations: given.of(true) });
  }, [text]);
  return <div ref={place} className="editor" data-writes={writes} />;
}
