/**
 * Texts of an answer that come in pieces. Owns: what is kept back until it can be no part of a finding, and tool calls until they are whole.
 * Does not: know where in an event a piece stands.
 */
import { StringDecoder } from 'node:string_decoder';
import type { ProposedCall } from '@sluice/contract';
import { type JsonParts, leafMask, unmasked } from '@sluice/http-bodies';
import type { Json } from '@sluice/http-requests';
import { type StreamMask, streamEditor } from '@sluice/masking';
import { type ObjectNode, NULL, textNode } from './tree.js';

/** Of the calls of one answer, which nobody can judge before they are whole. */
const MAX_KEPT_CHARACTERS = 8 * 1024 * 1024;
/** Texts of one answer that come side by side, and calls. */
const MAX_CHANNELS = 1024;

/** Short texts that are remembered, and how long they are at most. */
const MAX_REPEATED = 64;
const MAX_REPEATED_CHARACTERS = 64;
/** A card has 13 digits or more. */
const MIN_NUMBER_CHARACTERS = 13;

/** One text. */
export interface Channel {
  push(piece: string): string;
  end(): string;
}

const PLAIN: Channel = { push: (piece) => piece, end: () => '' };

class MaskedText implements Channel {
  readonly #mask: StreamMask;
  readonly #decoder = new StringDecoder('utf8');
  /** Half of a character, whose other half comes with the next piece. */
  #half = '';

  constructor(mask: StreamMask) {
    this.#mask = mask;
  }

  push(piece: string): string {
    const text = this.#half + piece;
    const isCut = (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800;
    this.#half = isCut ? text.slice(-1) : '';
    return this.#decoder.write(this.#mask.push(Buffer.from(isCut ? text.slice(0, -1) : text)));
  }

  end(): string {
    const last = this.#half === '' ? '' : this.#decoder.write(this.#mask.push(Buffer.from(this.#half)));
    this.#half = '';
    return last + this.#decoder.write(this.#mask.end()) + this.#decoder.end();
  }
}

/** All masks of one answer. */
export class AnswerMasks {
  readonly #parts: JsonParts;
  readonly #modes;
  readonly #channels = new Map<string, Channel>();
  readonly #room = { left: MAX_KEPT_CHARACTERS };
  /** What events repeat, as it was found to be, by its name: ids, types, names of models. */
  readonly #values = new Map<string, Map<string, string>>();
  #remembered = 0;
  /** Leaves that are as they have to be. */
  readonly #done = new WeakSet<Json>();

  constructor(parts: JsonParts) {
    this.#parts = parts;
    this.#modes = parts.detectors && textModes(parts.detectors);
  }

  /** Something is masked by detectors: what has every token by itself must not go. */
  get detects(): boolean {
    return this.#modes !== undefined;
  }

  channel(key: string): Channel {
    return addTo(this.#channels, key, () => this.#newChannel());
  }

  /** Something of the answer that is kept until it is whole. */
  kept(): Kept {
    return new Kept(this.#room);
  }

  /** The rest of a text that comes to its end; empty where there is none. */
  close(key: string): string {
    const channel = this.#channels.get(key);
    this.#channels.delete(key);
    return channel?.end() ?? '';
  }

  /** Keys of texts that have not ended, by what they begin with. */
  open(prefix: string): readonly string[] {
    return [...this.#channels.keys()].filter((key) => key.startsWith(prefix));
  }

  /** A text of a stream that is here as a whole: the same as of its pieces. */
  whole(text: string): string {
    const channel = this.#newChannel();
    return channel.push(text) + channel.end();
  }

  isDone(leaf: Json): boolean {
    return this.#done.has(leaf);
  }

  /** A leaf that no mask has to look at any more. */
  leaf(text: string): Json {
    const made = textNode(text);
    this.#done.add(made);
    return made;
  }

  /** A text that is one value: arguments as JSON, and what stands for itself. */
  value(text: string, name = ''): string {
    if (text.length > MAX_REPEATED_CHARACTERS) return leafMask(this.#parts, name, text);
    const known = this.#values.get(name)?.get(text);
    if (known !== undefined) return known;
    const made = leafMask(this.#parts, name, text);
    if (++this.#remembered > MAX_REPEATED) {
      this.#remembered = 1;
      this.#values.clear();
    }
    const named = this.#values.get(name);
    if (named) named.set(text, made);
    else this.#values.set(name, new Map([[text, made]]));
    return made;
  }

  /** A call, with its input as the client is given it. */
  call(tool: string, input: string): ProposedCall {
    return { tool, input, shown: this.value(input) };
  }

  /** All else in an event. The same value where nothing of it is masked. */
  rest(value: Json, name = ''): Json {
    switch (value.type) {
      case 'string':
        return this.#restOfText(value, name);
      case 'array': {
        const items = value.items.map((item) => this.rest(item, name));
        return items.some((item, at) => item !== value.items[at]) ? { type: 'array', items } : value;
      }
      case 'object':
        return this.#restOfObject(value);
      default:
        return value.text.length >= MIN_NUMBER_CHARACTERS && this.value(value.text, name) !== value.text ? NULL : value;
    }
  }

  #restOfText(value: Extract<Json, { type: 'string' }>, name: string): Json {
    if (this.#done.has(value)) return value;
    const made = this.value(value.text, name);
    return made === value.text ? value : textNode(made);
  }

  #restOfObject(value: ObjectNode): Json {
    let members: Map<string, Json> | undefined;
    for (const [key, one] of value.members) {
      const made = this.rest(one, key);
      if (made !== one) (members ??= new Map(value.members)).set(key, made);
    }
    return members ? { type: 'object', members } : value;
  }

  #newChannel(): Channel {
    return this.#modes ? new MaskedText(streamEditor(this.#modes)) : PLAIN;
  }
}

/** Null has no place in a text. */
const textModes = ({ modes, key }: NonNullable<JsonParts['detectors']>) => ({
  key,
  modes: new Map(
    [...modes].map(([entity, mode]) => [entity, mode.type === 'null' ? ({ type: 'redact' } as const) : mode]),
  ),
});

/** The pieces of something that is kept until it is whole. */
export class Kept {
  readonly #room: { left: number };
  #pieces: string[] = [];

  /** `room`: characters for all that is kept of one answer. */
  constructor(room: { left: number }) {
    this.#room = room;
  }

  add(piece: string): void {
    this.#room.left -= piece.length;
    if (this.#room.left < 0) throw unmasked(`has calls of tools of more than ${MAX_KEPT_CHARACTERS} characters`);
    this.#pieces.push(piece);
  }

  get text(): string {
    if (this.#pieces.length > 1) this.#pieces = [this.#pieces.join('')];
    return this.#pieces[0] ?? '';
  }
}

/** Adds what is not in there yet: of one answer there are not many. @throws Unmasked */
export function addTo<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  if (map.size >= MAX_CHANNELS) throw unmasked(`has more than ${MAX_CHANNELS} texts or calls at once`);
  const made = make();
  map.set(key, made);
  return made;
}
