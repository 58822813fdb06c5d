/**
 * The line that somebody has typed, read off the screen. Owns: cells, cursor and bounds of work. Does not: ask about it
 * (terminal.ts). Pure.
 */

/** Cells of a line that are looked at. */
const MAX_LINE_CELLS = 4096;
/** In place of the end of a line that fills them all, for whoever reads it: a comment to a shell. */
const CUT = ` # NOT SHOWN: what follows ${MAX_LINE_CELLS} characters`;
/** Cells of the line that one byte of output may have moved, and how many may be saved up for a line that is edited. */
const WORK_PER_BYTE = 16;
const MAX_WORK = 64 * MAX_LINE_CELLS;

/** Operating system command: a title of the window, a link, the clipboard. One that is longer is taken to be over. */
const OSC = '\x1b]';
const MAX_OSC_CHARACTERS = 4096;
const BLANK = 0x20;

/**
 * What stands on the line of the terminal that the cursor is in, read from what the target wrote. A simple reading: cursor
 * movements within the line, erasing, line breaks. It sees what a person sees and no more, so it is advice and no proof.
 */
export class ScreenLine {
  /** Code points, of which the first `#length` count. Memory that can be moved at once. */
  readonly #cells = new Uint32Array(MAX_LINE_CELLS);
  #length = 0;
  #column = 0;
  /** What has come of an escape sequence; of an OSC its beginning and its last character, for that is all that is read. */
  #escape = '';
  #oscLength = 0;
  /** Where typing began: what is before that is the prompt. */
  #typed: number | undefined;
  /** Enter was sent together with the line, whose echo is still to come: where it begins. */
  #awaited: number | undefined;
  /** An editor or pager has the whole screen. */
  #fullScreen = false;
  /** A few bytes can move a whole line: whoever sends nothing else would keep everybody waiting. */
  #work = MAX_WORK;
  readonly #echoed: (line: string) => void;
  readonly #decoder = new TextDecoder();

  /** `echoed` is told of a line that was not yet on the screen when its Enter was sent. */
  constructor(echoed: (line: string) => void) {
    this.#echoed = echoed;
  }

  write(bytes: Uint8Array): void {
    this.#work = Math.min(MAX_WORK, this.#work + WORK_PER_BYTE * bytes.length);
    for (const character of this.#decoder.decode(bytes, { stream: true })) this.#put(character);
  }

  /** Somebody typed something other than Enter. */
  typing(): void {
    this.#typed ??= this.#column;
  }

  /** Enter: the line as it stands, without the prompt. Empty when nothing of it was shown. */
  enter(): string {
    const start = this.#typed;
    this.#typed = undefined;
    return start === undefined ? '' : this.#since(start);
  }

  /** Enter, in one write with what was typed. */
  enterUnseen(): void {
    this.#awaited = this.#typed ?? this.#column;
    this.#typed = undefined;
  }

  #since(start: number): string {
    if (this.#fullScreen || start >= this.#length) return '';
    const isCut = this.#length === MAX_LINE_CELLS;
    const end = isCut ? Math.max(start, MAX_LINE_CELLS - CUT.length) : this.#length;
    return (String.fromCodePoint(...this.#cells.subarray(start, end)) + (isCut ? CUT : '')).trim();
  }

  #put(character: string): void {
    if (this.#escape !== '') return this.#sequence(character);
    switch (character) {
      case '\x1b':
        this.#escape = character;
        return;
      case '\r':
        this.#column = 0;
        return;
      case '\n':
        if (this.#awaited !== undefined) {
          const line = this.#since(this.#awaited);
          this.#awaited = undefined;
          if (line !== '') this.#echoed(line);
        }
        this.#length = 0;
        this.#column = 0;
        return;
      case '\b':
        this.#column = Math.max(0, this.#column - 1);
        return;
    }
    if (character < ' ' || this.#column >= MAX_LINE_CELLS) return;
    if (!this.#affords(this.#column - this.#length)) return;
    if (this.#length < this.#column) this.#cells.fill(BLANK, this.#length, this.#column);
    this.#cells[this.#column++] = character.codePointAt(0) as number;
    this.#length = Math.max(this.#length, this.#column);
  }

  /** ECMA-48: CSI ends with a letter, OSC with BEL or ST. */
  #sequence(character: string): void {
    if (this.#escape.startsWith(OSC)) {
      const ended = character === '\x07' || (this.#escape.endsWith('\x1b') && character === '\\');
      if (ended || ++this.#oscLength > MAX_OSC_CHARACTERS) this.#escape = '';
      else this.#escape = OSC + character;
      return;
    }
    this.#escape += character;
    const escape = this.#escape;
    if (escape === OSC) {
      this.#oscLength = OSC.length;
      return;
    }
    if (escape.startsWith('\x1b[')) {
      if (escape.length === 2 || !/[@-~]/.test(character)) {
        if (escape.length > 64) this.#escape = '';
        return;
      }
      this.#escape = '';
      return this.#control(escape.slice(2, -1), character);
    }
    if (!'()#%'.includes(escape[1] ?? '') || escape.length > 2) this.#escape = '';
  }

  /** What would move more cells than there are for now is not read. */
  #affords(cells: number): boolean {
    if (cells > this.#work) return false;
    this.#work -= Math.max(0, cells);
    return true;
  }

  #remove(column: number, count: number): void {
    if (column >= this.#length || !this.#affords(this.#length - column)) return;
    this.#cells.copyWithin(column, column + count, this.#length);
    this.#length = Math.max(column, this.#length - count);
  }

  /** What is pushed over the end of the line is gone. Behind the end there is nothing to push. */
  #insert(column: number, count: number): void {
    const blanks = Math.min(count, MAX_LINE_CELLS - column);
    if (column >= this.#length || !this.#affords(this.#length - column + blanks)) return;
    this.#cells.copyWithin(column + blanks, column, this.#length);
    this.#cells.fill(BLANK, column, column + blanks);
    this.#length = Math.min(MAX_LINE_CELLS, this.#length + blanks);
  }

  #control(parameters: string, final: string): void {
    const count = Math.min(Number.parseInt(parameters, 10) || 1, MAX_LINE_CELLS);
    const column = this.#column;
    switch (final) {
      case 'C':
        this.#column = Math.min(MAX_LINE_CELLS, column + count);
        return;
      case 'D':
        this.#column = Math.max(0, column - count);
        return;
      case 'G':
        this.#column = count - 1;
        return;
      case 'K':
        if (parameters === '' || parameters === '0') this.#length = Math.min(this.#length, column);
        else if (parameters === '2') this.#length = 0;
        return;
      case 'P':
        return this.#remove(column, count);
      case '@':
        return this.#insert(column, count);
      case 'J':
        if (parameters !== '1') this.#length = Math.min(this.#length, column);
        return;
      case 'H':
        this.#length = 0;
        this.#column = 0;
        return;
      case 'h':
      case 'l':
        if (/^\?(1049|47|1047)$/.test(parameters)) this.#fullScreen = final === 'h';
    }
  }
}
