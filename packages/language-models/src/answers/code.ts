/**
 * Code in what a model has written: fenced blocks (CommonMark section 4.5). Owns: where they begin and end, and what language each says it
 * is in. Does not: read any language.
 */

export interface CodeBlock {
  /** The first word of what stands behind the fence, lower case; empty where nothing does. */
  readonly language: string;
  readonly text: string;
}

/** Of all texts of one answer; more is code that nobody reads, and is one block. */
const MAX_BLOCKS = 500;

/** Blocks within blocks are lines of the outer one. One that has no end goes on to the end. */
export function codeIn(text: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { readonly fence: string; readonly language: string; readonly lines: string[] } | undefined;
  for (const line of text.split(/\r\n|[\n\r]/)) {
    const fence = fenceAt(line);
    if (open && (!fence || !closes(fence, open.fence) || blocks.length >= MAX_BLOCKS)) open.lines.push(line);
    else if (open) {
      blocks.push({ language: open.language, text: open.lines.join('\n') });
      open = undefined;
    } else if (fence) open = { fence: fence.marks, language: languageOf(fence.info), lines: [] };
  }
  if (open) blocks.push({ language: open.language, text: open.lines.join('\n') });
  return blocks;
}

interface Fence {
  readonly marks: string;
  readonly info: string;
}

/** Behind whatever a list or a quotation puts before a line. */
const BEFORE = /^[\s>*+-]*(?:\d{1,9}[.)]\s*)?/;
const MARKS = /^(?:`{3,}|~{3,})/;

function fenceAt(line: string): Fence | undefined {
  const rest = line.slice(BEFORE.exec(line)?.[0].length ?? 0);
  const marks = MARKS.exec(rest)?.[0];
  if (marks === undefined) return undefined;
  const info = rest.slice(marks.length).trim();
  // Such a line is a word in code, and no fence.
  return marks.startsWith('`') && info.includes('`') ? undefined : { marks, info };
}

const closes = ({ marks, info }: Fence, opened: string): boolean =>
  info === '' && marks[0] === opened[0] && marks.length >= opened.length;

/** `python`, `{.python}`, `language-python`, `python title="x"`. */
const languageOf = (info: string): string =>
  (/[\p{L}\p{N}][\p{L}\p{N}+#.-]*/u.exec(info)?.[0] ?? '').toLowerCase().replace(/^language-/, '');
