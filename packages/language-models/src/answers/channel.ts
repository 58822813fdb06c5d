/**
 * Texts of an answer that come in pieces. Owns: what is kept back until it can be no part of a finding, and tool calls until they are whole.
 * Does not: know where in an event a piece stands.
 */
import { StringDecoder } from 'node:string_decoder';
import type { ProposedCall } from '@sluice/contract';
import { type JsonParts, leafMask, unmasked } from '@sluice/http-bodies';
import type { Json } from '@sluice/http-requests';
import { type StreamMask, streamEditor, tokenStart } from '@sluice/masking';
import { Restorer, type ToolArguments, beginsJson } from './restored.js';
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

/** Keeps back what may be the beginning of a token whose value is put back, so that no event ends within one. */
class WholeTokens implements Channel {
  readonly #inner: Channel;
  #kept = '';

  constructor(inner: Channel) {
    this.#inner = inner;
  }

  push(piece: string): string {
    const text = this.#kept + this.#inner.push(piece);
    const cut = tokenStart(text);
    this.#kept = text.slice(cut);
    return text.slice(0, cut);
  }

  end(): string {
    const rest = this.#kept + this.#inner.end();
    this.#kept = '';
    return rest;
  }
}

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
  /** Leaves that are as they have to be, and how their client is given them. */
  readonly #done = new WeakMap<Json, string>();
  /** Texts that are JSON themselves, as their beginnings tell. */
  readonly #kinds = new Map<string, boolean>();
  readonly #restorer: Restorer | undefined;

  constructor(parts: JsonParts, tools: ToolArguments = NO_TOOLS) {
    this.#parts = parts;
    this.#modes = parts.detectors && textModes(parts.detectors);
    this.#restorer = Restorer.of(parts, tools);
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

  /** The next piece of a text, as it may go. */
  piece(key: string, text: string): Json {
    return this.#given(key, this.channel(key).push(text));
  }

  /** The rest of a text that comes to its end; undefined: there is none. */
  close(key: string): Json | undefined {
    const rest = this.#channels.get(key)?.end() ?? '';
    const leaf = rest === '' ? undefined : this.#given(key, rest);
    this.#channels.delete(key);
    this.#kinds.delete(key);
    return leaf;
  }

  #given(key: string, text: string): Json {
    if (!this.#restorer) return this.leaf(text);
    let isJson = this.#kinds.get(key);
    if (isJson === undefined && text.trim() !== '') this.#kinds.set(key, (isJson = beginsJson(text)));
    return this.leaf(text, this.#restorer.text(text, isJson ?? false));
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

  /** A leaf that no mask has to look at any more. `given`: how its client is given it, with the values that are put back. */
  leaf(text: string, given = this.#restorer?.text(text, beginsJson(text)) ?? text): Json {
    const made = textNode(text);
    this.#done.set(made, given);
    return made;
  }

  /** The input of a call that has been judged. */
  input(tool: string, shown: string): Json {
    return this.leaf(shown, this.#restorer?.input(tool, shown));
  }

  /** An event as its client is given it; undefined: nothing is put back. */
  given(event: Json): Json | undefined {
    const made = this.#restorer?.tree(event, (leaf) => this.#done.get(leaf));
    return made === event ? undefined : made;
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

  /** A call, with its input as the agent is given it, and as it is shown to all others. */
  call(tool: string, input: string): ProposedCall {
    return proposed(this.#restorer, tool, input, this.value(input));
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
    const channel = this.#modes ? new MaskedText(streamEditor(this.#modes)) : PLAIN;
    return this.#restorer ? new WholeTokens(channel) : channel;
  }
}

const NO_TOOLS: ToolArguments = new Map();

/** A call that is judged with the values that its agent is given, where some are put back. */
export function proposed(restorer: Restorer | undefined, tool: string, input: string, shown: string): ProposedCall {
  return { tool, input: restorer?.input(tool, input) ?? input, shown };
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
