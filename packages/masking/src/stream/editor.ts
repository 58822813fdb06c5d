/**
 * Detectors over the output of a program, line by line. Owns: what is held back, and for how long at most. Does not: have a
 * clock; its user asks for what is held.
 */
import { Unmasked } from '@sluice/contract';
import { detect, type Entity, type Finding } from '../detectors/index.js';
import { disclosesFound } from '../disclosed.js';
import { maskText, type Mode } from '../modes.js';
import { openFrom } from './open.js';
import { KeyBody } from './key-body.js';
import { isPlain, type Plain, plainOf } from './plain.js';

export interface StreamMaskOptions {
  /** What is looked for, and what becomes of it. */
  readonly modes: ReadonlyMap<Entity, Mode>;
  /** Secret of this installation, for pseudonyms. */
  readonly key: Uint8Array;
}

/**
 * Milliseconds. What one write of a program holds arrives within a few of them, keystrokes of a person 50 and more apart; a
 * delay of 25 is below what is noticed of one's own typing.
 */
const HOLD_BACK_MS = 25;
/** A secret that came in bulk and has no end yet is kept this many times longer: the network may be slow. */
const MAX_WAITS = 40;
/** Bytes that come at once when it is not a person who types them. */
const BULK_BYTES = 8;
/** Bytes of a line that are looked at together; of a longer one in parts. */
const MAX_LINE_PART_BYTES = 16 * 1024;
/** Fewer bytes are not worth a look at all of them first. */
const MIN_LOOKED_AT_BYTES = 512;
/** Detectors look no further to the left than this, or to the start of a word. Bytes. */
const CONTEXT_BYTES = 128;
/** So much of a line has to be done with before it is forgotten: each time the rest is copied. Bytes. */
const FORGET_BYTES = 256;
/** A word of which so much is kept back is looked at again only when it has grown by an eighth. Bytes. */
const LONG_WORD_BYTES = 1024;
/** Stands before each line: what counts only where it is all of a value is not looked for in a stream. */
const LEAD = Buffer.from('x\n');
/** Of the line before, which went with the key that it was taken for. */
const NEWLINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);
const ENDLESS = `a budget counts different values in this text, and one of them has no end within ${MAX_LINE_PART_BYTES} bytes, so it does not pass`;

/**
 * Masks what detectors find in the output of a program, line by line; a private key over as many as it has. Memory is bounded
 * by the longest line that is looked at. What a secret is followed by decides whether it is one, so the end of a line that
 * has not ended is kept back as far as something may start there; see `openFrom`.
 */
export class StreamMask {
  readonly maxHoldMs = HOLD_BACK_MS;
  readonly #modes: ReadonlyMap<Entity, Mode>;
  readonly #key: Uint8Array;
  /** The line so far, with what has gone of it. */
  #line: Buffer = Buffer.alloc(0);
  #gone = 0;
  #sure = false;
  #bulk = false;
  #waits = 0;
  /** What came behind the line since it was looked at. */
  #unseen: Buffer[] = [];
  #unseenBytes = 0;
  /** The lines of a private key, while they last. */
  #body: KeyBody | undefined;
  /** The rest of a word that was too long to be looked at as one, and starts with a secret. */
  #swallowing = false;

  constructor({ modes, key }: StreamMaskOptions) {
    this.#modes = modes;
    this.#key = key;
  }

  /** Bytes that `push` has kept. */
  get held(): number {
    return this.#line.length - this.#gone + this.#unseenBytes;
  }

  /** Takes bytes cut anywhere and gives those that may go. */
  push(bytes: Buffer): Buffer {
    this.#waits = 0;
    if (this.held === 0) this.#bulk = false;
    if (bytes.length >= BULK_BYTES) this.#bulk = true;
    if (this.#mayWait(bytes)) return Buffer.alloc(0);
    const all = this.#joined(bytes);
    const out: Buffer[] = [];
    let from = this.#lines(out, all);
    for (let newline = -1; ; ) {
      // Once for each line, however many parts it has.
      if (newline < from) newline = all.indexOf(0x0a, from);
      if (newline < 0) newline = Number.POSITIVE_INFINITY;
      const size = Math.min(all.length, newline + 1) - from;
      if (size > MAX_LINE_PART_BYTES) from += this.#part(out, all.subarray(from, from + MAX_LINE_PART_BYTES));
      else if (newline >= all.length) break;
      else from += this.#whole(out, all.subarray(from, newline + 1));
    }
    // A copy: what came is only lent.
    this.#line = Buffer.from(all.subarray(from));
    this.#tail(out);
    return Buffer.concat(out);
  }

  /** Of a long word nothing can go before its end: it is looked at again when there is much more of it. */
  #mayWait(bytes: Buffer): boolean {
    const seen = this.#line.length - this.#gone;
    const unseen = this.#unseenBytes + bytes.length;
    if (seen < LONG_WORD_BYTES || unseen > seen / 8 || this.#line.length + unseen > MAX_LINE_PART_BYTES) return false;
    if (bytes.includes(0x0a)) return false;
    this.#unseen.push(Buffer.from(bytes));
    this.#unseenBytes = unseen;
    return true;
  }

  /** The line, with all that has come behind it. */
  #joined(bytes: Buffer): Buffer {
    if (this.#line.length === 0 && this.#unseenBytes === 0) return bytes;
    const all = Buffer.concat([this.#line, ...this.#unseen, bytes]);
    this.#unseen = [];
    this.#unseenBytes = 0;
    return all;
  }

  /** Whole lines of which none has anything in it go as they are, all at once. Returns where they end. */
  #lines(out: Buffer[], all: Buffer): number {
    const end = all.lastIndexOf(0x0a) + 1;
    const lines = all.subarray(0, end);
    if (end < MIN_LOOKED_AT_BYTES || this.#gone > 0 || this.#body !== undefined || this.#swallowing || !isPlain(lines))
      return 0;
    if (hasLongLine(lines) || detect(Buffer.concat([LEAD, lines]), 0, LEAD.length + end, this.#modes).length > 0)
      return 0;
    out.push(lines);
    return end;
  }

  /** What may go although nothing has followed it. Nothing at first where a program has written the start of a secret. */
  release(): Buffer {
    if (this.held === 0) return Buffer.alloc(0);
    this.#waits++;
    if (this.#body !== undefined || (this.#sure && this.#bulk)) if (this.#waits < MAX_WAITS) return Buffer.alloc(0);
    const out: Buffer[] = [];
    if (this.#body !== undefined) out.push(NEWLINE);
    this.#body = undefined;
    this.#line = this.#joined(NOTHING);
    const plain = plainOf(this.#line, LEAD);
    this.#render(out, plain, this.#findings(plain), this.#line.length);
    this.#gone = this.#line.length;
    this.#waits = 0;
    return Buffer.concat(out);
  }

  /** What is left at the end. */
  end(): Buffer {
    const out: Buffer[] = [];
    const line = this.#joined(NOTHING);
    if (line.length > 0) this.#whole(out, line);
    this.#line = Buffer.alloc(0);
    this.#gone = 0;
    return Buffer.concat(out);
  }

  /** A line with its end. */
  #whole(out: Buffer[], line: Buffer): number {
    this.#line = line;
    const plain = plainOf(this.#line, LEAD);
    const ended = this.#body?.line(plain.bytes.subarray(LEAD.length));
    if (ended === 'all') {
      // Not a byte of it goes.
    } else {
      if (ended === 'none') out.push(NEWLINE);
      this.#body = undefined;
      if (ended !== undefined && ended !== 'none') this.#gone = Math.max(this.#gone, plain.at(LEAD.length + ended));
      const findings = this.#findings(plain);
      this.#render(out, plain, findings, line.length);
      if (startsKey(plain, findings)) this.#body = new KeyBody();
    }
    this.#gone = 0;
    this.#swallowing = false;
    return line.length;
  }

  /**
   * The first part of a line that is too long: up to a blank, where there is one, that no finding spans. Gives how much of it is
   * done with; what is left stands before the next part, so that a finding that goes on there is found with its name.
   */
  #part(out: Buffer[], first: Buffer): number {
    this.#body = undefined;
    this.#line = first;
    const plain = plainOf(first, LEAD);
    const findings = this.#findings(plain);
    let cut = plain.bytes.length;
    while (cut > LEAD.length && (plain.bytes[cut - 1] as number) > 0x20) cut--;
    const hard = cut <= LEAD.length;
    // What could become a finding with what follows stays for the next part, and so does a finding that may go on there.
    cut = Math.min(cut, openFrom(plain.bytes, LEAD.length, this.#modes).from);
    const last = findings.at(-1);
    const goesOn = last?.end === plain.bytes.length;
    for (const one of findings) if (one.start < cut && (one.end > cut || (goesOn && one === last))) cut = one.start;
    const done = doneWith(plain, cut);
    if (done > LEAD.length) {
      const to = plain.at(cut);
      this.#render(out, plain, findings, to);
      this.#swallowing = false;
      this.#gone = Math.max(this.#gone, to) - plain.at(done);
      return plain.at(done);
    }
    if (goesOn && this.#counts(last.entity)) throw new Unmasked(ENDLESS);
    const size = Math.max(1, plain.whole);
    const wasSwallowing = this.#swallowing;
    this.#render(out, plain, findings, size);
    this.#swallowing = goesOn || (hard && wasSwallowing);
    this.#gone = Math.max(0, this.#gone - size);
    return size;
  }

  /** What may go of a line that has not ended. */
  #tail(out: Buffer[]): void {
    this.#sure = false;
    if (this.held === 0) return;
    const plain = plainOf(this.#line, LEAD);
    if (this.#swallowing || (this.#body !== undefined && this.#body.mayGoOn(plain.bytes.subarray(LEAD.length)))) return;
    if (this.#body !== undefined) out.push(NEWLINE);
    this.#body = undefined;
    const { from, sure } = openFrom(plain.bytes, LEAD.length, this.#modes);
    this.#sure = sure;
    const findings = this.#findings(plain);
    // What is found now may be found as more than that later: it stays whole.
    const spanning = findings.find(({ start, end }) => start < from && end > from)?.start ?? from;
    const to = spanning >= plain.bytes.length ? plain.whole : plain.at(spanning);
    if (to > this.#gone) {
      this.#render(out, plain, findings, to);
      this.#gone = to;
    }
    const done = doneWith(plain, spanning);
    if (done < LEAD.length + FORGET_BYTES) return;
    const size = plain.at(done);
    this.#line = Buffer.from(this.#line.subarray(size));
    this.#gone -= size;
  }

  #findings({ bytes }: Plain): readonly Finding[] {
    return detect(bytes, 0, bytes.length, this.#modes);
  }

  /** The line from what has gone of it up to `to`, with masks. Escape sequences within a finding stay, behind its mask. */
  #render(out: Buffer[], plain: Plain, findings: readonly Finding[], to: number): void {
    let at = this.#gone;
    if (this.#swallowing) {
      let end = LEAD.length;
      while (end < plain.bytes.length && (plain.bytes[end] as number) > 0x20) end++;
      at = Math.max(at, plain.at(end));
    }
    for (const finding of findings) {
      const { entity, start, end } = finding;
      const from = plain.at(start);
      const until = plain.at(end - 1) + 1;
      if (from >= to) break;
      if (until <= at) continue;
      if (this.#counts(entity)) {
        disclosesFound(plain.bytes, finding, { modes: this.#modes, key: this.#key });
        continue;
      }
      if (from > at) out.push(this.#line.subarray(at, from));
      out.push(this.#masked(entity, plain.bytes.subarray(start, end)));
      for (let n = start; n + 1 < end; n++) {
        const gap = plain.at(n) + 1;
        if (plain.at(n + 1) > gap && gap >= at) out.push(this.#line.subarray(gap, plain.at(n + 1)));
      }
      at = until;
    }
    if (to > at) out.push(this.#line.subarray(at, to));
  }

  /** It passes, and budgets are told. */
  #counts(entity: Entity): boolean {
    return this.#modes.get(entity)?.type === 'count';
  }

  #masked(entity: Entity, value: Buffer): Buffer {
    const mode = this.#modes.get(entity) ?? { type: 'redact' };
    // Of a key over many lines nothing but the first is here: no pseudonym can be made of it, and no end kept.
    const kept: Mode = entity === 'PRIVATE_KEY' && mode.type !== 'null' ? { type: 'redact' } : mode;
    return Buffer.from(maskText(value.toString('utf8'), { mode: kept, key: this.#key, entity }) ?? '');
  }
}

/**
 * Up to where a line need not be looked at again of which all before `to` has gone, and nothing that may go on starts there: to
 * the start of a word, as far before `to` as detectors look.
 */
function doneWith({ bytes }: Plain, to: number): number {
  let done = to - CONTEXT_BYTES;
  while (done > LEAD.length && (bytes[done - 1] as number) > 0x20) done--;
  return Math.max(done, LEAD.length);
}

function hasLongLine(lines: Buffer): boolean {
  for (let from = 0; from < lines.length; ) {
    const newline = lines.indexOf(0x0a, from);
    if (newline - from >= MAX_LINE_PART_BYTES) return true;
    from = newline + 1;
  }
  return false;
}

/** The line is the first of a private key, and not the last one too. */
function startsKey(plain: Plain, findings: readonly Finding[]): boolean {
  const last = findings.at(-1);
  return (
    last?.entity === 'PRIVATE_KEY' &&
    last.end >= plain.bytes.length - 2 &&
    !plain.bytes.subarray(last.start).includes('-----END ')
  );
}

export const streamEditor = (options: StreamMaskOptions): StreamMask => new StreamMask(options);
