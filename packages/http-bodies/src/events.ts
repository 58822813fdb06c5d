/**
 * Server-sent events (HTML Standard section 9.2), one by one. Owns: their lines, whatever ends them, and that comments say nothing. Does
 * not: follow what is spread over several events.
 */
import { type Editor, type EventEditor, NO_BYTES, joined } from './editor.js';
import { unmasked } from './fault.js';
import { JsonMask, type JsonParts, NotJson } from './json.js';
import { shortText } from './text.js';

/** An event is not let go before its end. */
const MAX_EVENT_BYTES = 4 * 1024 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
/** Of the order of bytes, in UTF-8. */
const MARK = Buffer.from('\ufeff');
/** Ends a stream of some services, and says nothing. */
const DONE = '[DONE]';

interface Line {
  readonly field: string;
  /** Up to the value: the field, the colon and its blank. */
  readonly head: Buffer;
  readonly value: Buffer;
  readonly end: Buffer;
}

export class EventsMask implements Editor {
  readonly #parts: JsonParts;
  readonly #editor: EventEditor | undefined;
  /** The line at work. */
  #kept: Buffer[] = [];
  #endsInCr = false;
  #isFirst = true;
  /** Lines of the event at work. */
  #lines: Line[] = [];
  #bytes = 0;

  constructor(parts: JsonParts, editor?: EventEditor) {
    this.#parts = parts;
    this.#editor = editor;
  }

  get held(): number {
    return this.#editor?.held ?? 0;
  }

  get waits(): Promise<void> | undefined {
    return this.#editor?.waits;
  }

  push(lent: Buffer): Buffer {
    const bytes = Buffer.from(lent);
    const out: Buffer[] = [];
    const from = this.#endsInCr || bytes.includes(CR) ? this.#linesOfAnyEnd(out, bytes) : this.#linesOfLf(out, bytes);
    if (from < bytes.length) this.#keep(from === 0 ? bytes : Buffer.from(bytes.subarray(from)));
    return joined(out);
  }

  /** Returns where the last line has ended. */
  #linesOfLf(out: Buffer[], bytes: Buffer): number {
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#line(out, bytes.subarray(from, end + 1));
      from = end + 1;
    }
    return from;
  }

  #linesOfAnyEnd(out: Buffer[], bytes: Buffer): number {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (this.#endsInCr) {
        // Whether CR ends a line alone is known when the next byte is.
        this.#endsInCr = false;
        const end = byte === LF ? at + 1 : at;
        this.#line(out, bytes.subarray(from, end));
        from = end;
        if (byte === LF) continue;
      }
      if (byte === CR) this.#endsInCr = true;
      else if (byte === LF) {
        this.#line(out, bytes.subarray(from, at + 1));
        from = at + 1;
      }
    }
    return from;
  }

  end(): Buffer {
    const out: Buffer[] = [];
    this.#endsInCr = false;
    if (this.#kept.length > 0) this.#line(out, NO_BYTES);
    out.push(this.#event());
    if (this.#editor) out.push(this.#editor.end());
    return Buffer.concat(out);
  }

  release(): Buffer {
    return this.#editor?.release() ?? NO_BYTES;
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_EVENT_BYTES) throw unmasked(`has an event of more than ${MAX_EVENT_BYTES} bytes`);
  }

  #line(out: Buffer[], last: Buffer): void {
    this.#keep(last);
    const came = joined(this.#kept);
    this.#kept = [];
    // One mark may stand before all lines, and is none of the first.
    const hasMark = this.#isFirst && came.subarray(0, MARK.length).equals(MARK);
    this.#isFirst = false;
    if (hasMark) out.push(MARK);
    const line = lineOf(hasMark ? came.subarray(MARK.length) : came);
    if (line.head.length + line.value.length === 0) {
      out.push(this.#event(), line.end);
    } else if (line.field === '' && this.#lines.length === 0) out.push(line.head.subarray(0, 1), line.end);
    else this.#lines.push(line);
    if (this.#lines.length === 0) this.#bytes = 0;
  }

  /** The event at work with what is masked in it. */
  #event(): Buffer {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    if (lines.length === 0) return NO_BYTES;
    const data = lines.filter(({ field }) => field === 'data');
    const said = data.length === 1 ? (data[0] as Line).value : withBreaks(data);
    if (this.#editor) return this.#edited(this.#editor, lines, data.length > 0 ? said : undefined);
    const made = data.length === 0 ? undefined : this.#data(said);
    const values = made && made.toString('latin1').split('\n');
    let written = false;
    return Buffer.concat(
      lines.flatMap((line) => {
        if (!FIELDS.has(line.field)) return [this.#unknown(line), line.end];
        if (line.field !== 'data') return [line.head, shortText(this.#parts.look, line.value) ?? line.value, line.end];
        if (!values) return [line.head, line.value, line.end];
        if (written) return [];
        written = true;
        return values.flatMap((value, n) => [headFor(data[n] ?? line, value), Buffer.from(value, 'latin1'), line.end]);
      }),
    );
  }

  /** No reader of events has any of it: a text that lacks its name before each line, or what a place would have been in. */
  #unknown({ head, value }: Line): Buffer {
    if (this.#parts.pointers) return COMMENT;
    const whole = Buffer.concat([head, value]);
    return shortText(this.#parts.look, whole) ?? whole;
  }

  /** Lines that say more than the name and the data stand first, and those of no known field go nowhere. */
  #edited(editor: EventEditor, lines: readonly Line[], said: Buffer | undefined): Buffer {
    const names = lines
      .filter(({ field }) => field === 'event')
      .map(({ value }) => (shortText(this.#parts.look, value) ?? value).toString('utf8'));
    const others = lines.filter(({ field }) => field === 'id' || field === 'retry');
    const masked = others.flatMap(({ head, value, end }) => [head, shortText(this.#parts.look, value) ?? value, end]);
    return editor.event(joined(masked), names.at(-1) ?? '', said ?? NO_BYTES);
  }

  /** Undefined: it stays. */
  #data(said: Buffer): Buffer | undefined {
    const text = said.toString('latin1').trim();
    if (text === '' || text === DONE) return undefined;
    // What is no document of its own may be a number in groups.
    if (!this.#parts.pointers && !/^[[{"]/.test(text)) return shortText(this.#parts.look, said);
    try {
      const mask = new JsonMask(this.#parts);
      const made = Buffer.concat([mask.push(said), mask.end()]);
      return mask.hasChanged ? made : undefined;
    } catch (error) {
      if (!(error instanceof NotJson)) throw error;
      if (this.#parts.pointers) throw unmasked('has an event that is no JSON, in which there are no places to mask');
      return shortText(this.#parts.look, said);
    }
  }
}

const FIELDS: ReadonlySet<string> = new Set(['data', 'event', 'id', 'retry']);
const COMMENT = Buffer.from(':');
const NEWLINE = Buffer.from('\n');
const withBreaks = (lines: readonly Line[]): Buffer =>
  Buffer.concat(lines.flatMap(({ value }, n) => (n === 0 ? [value] : [NEWLINE, value])));
const DATA = Buffer.from('data: ');

/** A line without a colon has no place for a value. */
const headFor = ({ head }: Line, value: string): Buffer => (value !== '' && !head.includes(COLON) ? DATA : head);

function lineOf(whole: Buffer): Line {
  let end = whole.length;
  if (end > 0 && whole[end - 1] === LF) end--;
  if (end > 0 && whole[end - 1] === CR) end--;
  const colon = whole.subarray(0, end).indexOf(COLON);
  const name = colon < 0 ? end : colon;
  const from = colon < 0 ? end : whole[colon + 1] === 0x20 && colon + 1 < end ? colon + 2 : colon + 1;
  return {
    field: whole.toString('latin1', 0, name),
    head: whole.subarray(0, from),
    value: whole.subarray(from, end),
    end: whole.subarray(end),
  };
}
