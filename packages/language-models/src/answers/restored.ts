/**
 * Values that were replaced on their way to a model, put back in its answer. Owns: where in an answer they may stand, and that each is written as
 * its place asks for. Does not: know the pairs (packages/masking), or languages of commands (in-commands.ts).
 */
import type { JsonParts } from '@sluice/http-bodies';
import { type Json, JsonError, membersNamed, readJson, textOf } from '@sluice/http-requests';
import { type BackOf, withValues } from '@sluice/masking';
import { type ToolArgument, toolName } from '../settings.js';
import { inCommand } from './in-commands.js';
import { member, memberText, textNode } from './tree.js';

export type ToolArguments = ReadonlyMap<string, ToolArgument>;

/** For one answer. */
export class Restorer {
  readonly #backOf: BackOf;
  readonly #tools: ToolArguments;

  private constructor(backOf: BackOf, tools: ToolArguments) {
    this.#backOf = backOf;
    this.#tools = tools;
  }

  /** Undefined: the masks of this answer put nothing back. */
  static of({ detectors }: JsonParts, tools: ToolArguments): Restorer | undefined {
    const backOf: BackOf = (entity) => {
      const mode = detectors?.modes.get(entity);
      return mode?.type === 'replaced' ? mode.by.back : undefined;
    };
    const any = [...(detectors?.modes.keys() ?? [])].some(backOf);
    return any ? new Restorer(backOf, tools) : undefined;
  }

  /** `isJson`: the text is, or is a piece of, JSON itself: values are escaped. */
  text(text: string, isJson: boolean): string {
    if (!isJson) return withValues(text, this.#backOf, (value) => value);
    const strings = new JsonStrings(text);
    return withValues(text, this.#backOf, (value, at) => strings.written(value, at));
  }

  /** What a tool is given. */
  input(tool: string, input: string): string {
    try {
      const read = readJson(input);
      const made = this.#input(tool, read);
      return made === read ? input : textOf(made);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      return this.text(input, beginsJson(input));
    }
  }

  /** All of an answer, or of an event. `known`: how a text is given that is only a piece of one. The same where nothing is put back. */
  tree(value: Json, known: (leaf: Json) => string | undefined = () => undefined): Json {
    return this.#walk(value, (text, leaf) => known(leaf) ?? this.text(text, beginsJson(text)), known);
  }

  #walk(value: Json, text: (text: string, leaf: Json) => string, known?: (leaf: Json) => string | undefined): Json {
    if (value.type === 'string') {
      const made = text(value.text, value);
      return made === value.text ? value : textNode(made);
    }
    if (value.type === 'array') {
      const items = value.items.map((item) => this.#walk(item, text, known));
      return items.some((item, at) => item !== value.items[at]) ? { type: 'array', items } : value;
    }
    if (value.type !== 'object') return value;
    const tool = known && toolIn(value);
    const members = [...value.members].map(([name, one]): [string, Json] => {
      // By its name a call was judged.
      if (tool !== undefined && (name === 'name' || name === 'type')) return [name, one];
      const isInput = tool !== undefined && INPUTS.includes(name);
      const made = isInput ? this.#given(tool, one, known) : this.#walk(one, text, known);
      return [this.text(name, false), made];
    });
    const before = [...value.members];
    const isSame = members.every(([name, one], at) => name === before[at]?.[0] && one === before[at]?.[1]);
    // Two names that become one are two values, and only one of them would be left.
    const isLost = new Set(members.map(([name]) => name)).size < members.length;
    if (isSame || isLost) return value;
    return { type: 'object', members: new Map(members) };
  }

  /** The input of a call as it stands in an answer: a text, or JSON itself. */
  #given(tool: string, value: Json, known: ((leaf: Json) => string | undefined) | undefined): Json {
    if (value.type !== 'string') return this.#input(tool, value);
    const made = known?.(value) ?? this.input(tool, value.text);
    return made === value.text ? value : textNode(made);
  }

  /** One of its arguments may be a command, in which a value is written in that language. */
  #input(tool: string, input: Json): Json {
    const argument = this.#tools.get(toolName(tool));
    const plain = (text: string): string => this.text(text, beginsJson(text));
    if (!argument || input.type !== 'object') return this.#walk(input, plain);
    // Of several that differ in case nobody can say which one the tool takes.
    const commanding = membersNamed(input.members, argument.argument);
    return this.#walk(input, (text, leaf) =>
      commanding.includes(leaf)
        ? withValues(text, this.#backOf, (value, at) => inCommand(value, text, at, argument.language))
        : plain(text),
    );
  }
}

/** A text of JSON, or a piece of one, from its beginning on. */
class JsonStrings {
  readonly #text: string;
  #at = 0;
  /** Of the string that is open there. */
  #start: number | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** A value as it is written there; undefined: the string is JSON once more, in which what is escaped once would end another string. */
  written(value: string, at: number): string | undefined {
    const made = JSON.stringify(value).slice(1, -1);
    if (made === value) return value;
    for (; this.#at < at; this.#at++) {
      const sign = this.#text[this.#at];
      if (sign === '\\') this.#at++;
      else if (sign === '"') this.#start = this.#start === undefined ? this.#at + 1 : undefined;
    }
    return this.#start !== undefined && BEGINS_JSON.test(this.#text.slice(this.#start, this.#start + 100))
      ? undefined
      : made;
  }
}

/** Of a string as it is written in JSON. */
const BEGINS_JSON = /^(?:[ \t\n\r]|\\[tnr])*[{[]/;

/** Whether a text is JSON, as far as its beginning tells. */
export const beginsJson = (text: string): boolean => /^[\t\n\r ]*[{[]/.test(text);

/** Where an object has the input of a call, in the shapes of all APIs. */
const INPUTS: readonly string[] = ['arguments', 'input', 'args', 'action', 'operation'];

/** The tool of a call. Undefined: the object is none. */
const toolIn = (value: Json): string | undefined =>
  INPUTS.some((name) => member(value, name)) ? (memberText(value, 'name') ?? memberText(value, 'type')) : undefined;

/** Bytes as they go on record, and what their client gets in place of them. */
export class GivenInPlace {
  readonly #pairs: { readonly recorded: Buffer; readonly given: Buffer }[] = [];

  /** In the order in which they pass. */
  note(recorded: Buffer, given: Buffer): void {
    this.#pairs.push({ recorded, given });
  }

  /** `bytes`: whole pieces of what was noted, and whatever else. */
  of(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let from = 0;
    for (let next = this.#pairs[0]; next; next = this.#pairs[0]) {
      const at = bytes.indexOf(next.recorded, from);
      if (at < 0) break;
      out.push(bytes.subarray(from, at), next.given);
      from = at + next.recorded.length;
      this.#pairs.shift();
    }
    return from === 0 ? bytes : Buffer.concat([...out, bytes.subarray(from)]);
  }
}
