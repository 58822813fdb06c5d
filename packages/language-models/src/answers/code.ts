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

/**
 * Blocks within blocks are lines of the outer one. One that has no end goes on to the end. A fence that stands elsewhere than the one that it
 * would close ends a block for one reader and not for another (list items and quotations end as well): what follows it counts as code too.
 */
export function codeIn(text: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: OpenBlock | undefined;
  for (const line of text.split(/\r\n|[\n\r]/)) {
    const fence = fenceAt(line);
    if (!open) {
      if (fence) open = { fence, isUnsure: false, lines: [] };
      continue;
    }
    const ends = fence && blocks.length < MAX_BLOCKS && (open.isUnsure || closes(fence, open.fence.marks));
    if (!ends) {
      open.lines.push(line);
      continue;
    }
    blocks.push(...blockOf(open));
    open = behind(open, fence);
  }
  return open ? [...blocks, ...blockOf(open)] : blocks;
}

interface OpenBlock {
  readonly fence: Fence;
  /** Whether it is code depends on who reads it. */
  readonly isUnsure: boolean;
  readonly lines: string[];
}

function blockOf({ fence, isUnsure, lines }: OpenBlock): readonly CodeBlock[] {
  if (isUnsure && lines.every((line) => line.trim() === '')) return [];
  return [{ language: languageOf(fence.info), text: lines.join('\n') }];
}

/** What is open behind a fence that has ended a block. */
function behind(ended: OpenBlock, fence: Fence): OpenBlock | undefined {
  if (ended.isUnsure) return { fence, isUnsure: false, lines: [] };
  return fence.before === ended.fence.before ? undefined : { ...ended, isUnsure: true, lines: [] };
}

interface Fence {
  readonly marks: string;
  readonly info: string;
  /** Where it stands: what is before it, with blanks for the sign of a list. */
  readonly before: string;
}

/** Behind whatever a list or a quotation puts before a line. */
const BEFORE = /^[\s>*+-]*(?:\d{1,9}[.)]\s*)?/;
const MARKS = /^(?:`{3,}|~{3,})/;

function fenceAt(line: string): Fence | undefined {
  const before = BEFORE.exec(line)?.[0] ?? '';
  const rest = line.slice(before.length);
  const marks = MARKS.exec(rest)?.[0];
  if (marks === undefined) return undefined;
  const info = rest.slice(marks.length).trim();
  // Such a line is a word in code, and no fence.
  return marks.startsWith('`') && info.includes('`')
    ? undefined
    : { marks, info, before: before.replaceAll(/[^>]/g, ' ') };
}

const closes = ({ marks, info }: Fence, opened: string): boolean =>
  info === '' && marks[0] === opened[0] && marks.length >= opened.length;

/** `python`, `{.python}`, `language-python`, `python title="x"`. */
const languageOf = (info: string): string =>
  (/[\p{L}\p{N}][\p{L}\p{N}+#.-]*/u.exec(info)?.[0] ?? '').toLowerCase().replace(/^language-/, '');
