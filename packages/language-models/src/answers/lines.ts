/**
 * A file that a provider keeps, as its client is given it: lines of JSON, of which each may have the answer of a model in it. Owns: what of a
 * line is such an answer, and that each is judged, masked and counted by itself. Does not: files that are none of lines (`BodyMask`).
 */
import type { Propose } from '@sluice/contract';
import { BodyMask, type Editor, JsonMask, JsonParts, NO_BYTES, NotJson, leafMask, unmasked } from '@sluice/http-bodies';
import { type Json, JsonError, readJson, textOf } from '@sluice/http-requests';
import type { Given } from './follower.js';
import { Queue } from './queue.js';
import { type GivenInPlace, Restorer, type ToolArguments } from './restored.js';
import { type ObjectNode, NULL, isObject, member, put } from './tree.js';
import { type Meter, usageIn } from './usage.js';
import { foundIn, laterOf, withoutLogprobs } from './whole.js';

/** Kept until it is whole. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const LF = 0x0a;
const LINE_END = Buffer.from('\n');
const BLANKS: ReadonlySet<number> = new Set(Buffer.from(' \t\r'));

export interface LinesOptions {
  /** Is told what each answer has used up. */
  readonly meter?: Meter | undefined;
  /** All of it has been given. */
  readonly over?: (() => void) | undefined;
  readonly tools?: ToolArguments | undefined;
  readonly inPlace: GivenInPlace;
}

export class LinesAnswer implements Editor {
  readonly #parts: JsonParts;
  readonly #options: LinesOptions;
  readonly #queue: Queue;
  readonly #restorer: Restorer | undefined;
  /** Detectors without places, and the other way round: those that rules name are places of an answer. */
  readonly #everywhere: JsonParts | undefined;
  readonly #placed: JsonParts | undefined;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** The first line says whether it has lines. */
  #isLines = false;
  #other: Editor | undefined;

  constructor(parts: JsonParts, propose: Propose, options: LinesOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#queue = new Queue(propose, () => NO_BYTES);
    this.#restorer = Restorer.of(parts, options.tools ?? new Map());
    this.#everywhere = parts.detectors && new JsonParts(parts.detectors, undefined);
    this.#placed = parts.pointers && new JsonParts(undefined, parts.pointers);
  }

  get waits(): Promise<void> | undefined {
    return this.#other ? this.#other.waits : this.#queue.waits;
  }

  get held(): number {
    return this.#other?.held ?? 0;
  }

  push(bytes: Buffer): Buffer {
    if (this.#other) return this.#other.push(bytes);
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      this.#keep(bytes.subarray(from, end));
      if (!this.#add(this.#line(), LINE_END)) return this.#begin(bytes.subarray(end));
      from = end + 1;
    }
    this.#keep(Buffer.from(bytes.subarray(from)));
    return this.#queue.take();
  }

  end(): Buffer {
    if (this.#other) return this.#other.end();
    if (this.#keptBytes > 0 && !this.#add(this.#line(), NO_BYTES)) {
      const begun = Buffer.from(this.#begin(NO_BYTES));
      return Buffer.concat([begun, (this.#other as unknown as Editor).end()]);
    }
    this.#options.over?.();
    return this.#queue.take();
  }

  release(): Buffer {
    return this.#other ? this.#other.release() : this.#queue.take();
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > MAX_LINE_BYTES)
      throw unmasked(`has a line of more than ${MAX_LINE_BYTES} bytes, and may have calls of tools`);
  }

  #line(): Buffer {
    // What came is only lent, and may have to wait.
    const line = Buffer.concat(this.#kept);
    this.#kept = [line];
    return line;
  }

  /** False: it is the first one, and no JSON. */
  #add(line: Buffer, end: Buffer): boolean {
    const isBlank = line.every((byte) => BLANKS.has(byte));
    const read = isBlank ? undefined : readLine(line);
    if (!isBlank && !read && !this.#isLines) return false;
    this.#isLines ||= !isBlank;
    this.#kept = [];
    this.#keptBytes = 0;
    const plain = (): Buffer => (isBlank ? line : this.#text(line));
    this.#queue.add([...(read ? this.#given(read, line) : [plain()]), end], line.length + end.length);
    return true;
  }

  /** It is a document of another kind. */
  #begin(rest: Buffer): Buffer {
    const first = Buffer.concat([...this.#kept.splice(0), rest]);
    const { detectors, pointers } = this.#parts;
    // Where nothing is masked, whatever it is passes.
    if (!detectors && !pointers) this.#other = PASSED;
    else this.#other = new BodyMask('', Object.assign(new JsonParts(detectors, pointers), { unread: new Map() }));
    return this.#other.push(first);
  }

  #given(line: Json, came: Buffer): readonly (Given | Buffer)[] {
    const answer = member(member(line, 'response'), 'body');
    if (!isObject(line) || !isObject(answer)) return [this.#masked(came)];
    const { meter } = this.#options;
    const usage = meter && usageIn(answer);
    if (usage) meter.used(usage);
    const isChanged = this.#parts.detectors !== undefined && withoutLogprobs(answer);
    const found = foundIn(answer);
    const write = (changed: boolean): Buffer => this.#written(line, answer, changed ? undefined : came);
    if (found.places.length === 0) return [write(isChanged)];
    return [laterOf(found, this.#parts, this.#restorer, (refused) => write(isChanged || refused))];
  }

  /** `came`: it is as it came. */
  #written(line: ObjectNode, answer: ObjectNode, came: Buffer | undefined): Buffer {
    const response = member(line, 'response');
    if (!this.#placed || !isObject(response)) return this.#masked(came ?? Buffer.from(textOf(line)));
    const asIs = Buffer.from(textOf(answer));
    const placed = maskedBy(this.#placed, asIs);
    if (placed.equals(asIs)) return this.#everywhereMasked(came ?? Buffer.from(textOf(line)));
    put(response, 'body', readLine(placed) ?? NULL);
    return this.#everywhereMasked(Buffer.from(textOf(line)));
  }

  #masked(line: Buffer): Buffer {
    return this.#placedBack(this.#parts.detectors || this.#parts.pointers ? maskedBy(this.#parts, line) : line);
  }

  #everywhereMasked(line: Buffer): Buffer {
    return this.#placedBack(this.#everywhere ? maskedBy(this.#everywhere, line) : line);
  }

  /** Values that were replaced on their way to the provider. */
  #placedBack(masked: Buffer): Buffer {
    const recorded = this.#restorer && readLine(masked);
    const given = recorded && this.#restorer?.tree(recorded);
    if (given && given !== recorded) this.#options.inPlace.note(masked, Buffer.from(textOf(given)));
    return masked;
  }

  /** A line that is no JSON among others that are. */
  #text(line: Buffer): Buffer {
    if (this.#parts.pointers) throw unmasked('has a line that is no JSON');
    return this.#parts.detectors ? Buffer.from(leafMask(this.#parts, '', line.toString('utf8'))) : line;
  }
}

export const PASSED: Editor = { push: (bytes) => bytes, end: () => NO_BYTES, held: 0, release: () => NO_BYTES };

/** Undefined: it is no JSON. */
function readLine(line: Buffer): Json | undefined {
  try {
    return readJson(line.toString('utf8'));
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function maskedBy(parts: JsonParts, line: Buffer): Buffer {
  const mask = new JsonMask(parts);
  try {
    return Buffer.concat([mask.push(line), mask.end()]);
  } catch (error) {
    if (error instanceof NotJson) throw unmasked(`${error.message} where JSON is expected`);
    throw error;
  }
}
