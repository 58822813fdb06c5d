/**
 * Tools as a server describes them. Owns: reading a description, what its annotations say of its effects, its fingerprint, and the difference
 * between two. Does not: keep pins, or decide about a change.
 */
import { hash } from 'node:crypto';
import type { Effect } from '@sluice/contract';
import { type Json, jsonOf, readJson } from '@sluice/http-requests';
import { type JsonObject, objectIn, textIn } from './messages.js';

/** Characters of a name. */
const MAX_NAME_CHARACTERS = 256;
/** Of all that is said of one tool, which is kept. */
const MAX_DEFINITION_CHARACTERS = 128 * 1024;

export interface Tool {
  readonly name: string;
  /** All that the server says of it, in an order of its own: equal texts, equal tools. */
  readonly definition: string;
  /** Of that. */
  readonly sha256: string;
  readonly json: JsonObject;
}

/** Undefined for what has no name that could be called, or more to say than is kept. */
export function toolIn(json: Json): Tool | undefined {
  if (json.type !== 'object') return undefined;
  const name = textIn(json.members, 'name');
  if (name === undefined || !isToolName(name)) return undefined;
  const definition = ordered(json);
  if (definition.length > MAX_DEFINITION_CHARACTERS) return undefined;
  return { name, definition, sha256: hash('sha256', definition, 'hex'), json };
}

/** What was kept as `definition`. */
export function toolFrom(definition: string): Tool {
  const tool = toolIn(readJson(definition));
  if (!tool) throw new TypeError('this is no tool');
  return tool;
}

/**
 * What nobody sees, or what turns around or ends the line that it stands in: also variation selectors and fillers, which a model reads all the
 * same (TR 44, Default_Ignorable_Code_Point).
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const EACH_UNSEEN = new RegExp(UNSEEN.source, 'gu');

/** Nothing of that stands in a name. */
export const isToolName = (name: string): boolean =>
  name !== '' && name.length <= MAX_NAME_CHARACTERS && !UNSEEN.test(name);

/** JSON with members in the order of their names: a server may write them in another one each time. */
function ordered(json: Json): string {
  if (json.type === 'array') return `[${json.items.map(ordered).join(',')}]`;
  if (json.type !== 'object') return jsonOf(json);
  const members = [...json.members].sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${ordered(value)}`).join(',')}}`;
}

const NO_ANNOTATIONS = 'is a tool of which its server does not say what it does';
const DESTRUCTIVE = 'is a tool that may destroy something, as its server says';

/** By its annotations, which are what its server says. `reasons`: why it is unknown. */
export function toolEffects({ json }: Tool): { effects: readonly Effect[]; reasons: readonly string[] } {
  const hints = objectIn(json.members, 'annotations')?.members;
  const said = (name: string): boolean | undefined => {
    const value = hints?.get(name);
    return value?.type === 'plain' && value.text !== 'null' ? value.text === 'true' : undefined;
  };
  const world: readonly Effect[] = said('openWorldHint') === true ? ['egress'] : [];
  // Who says both is believed the worse.
  if (said('destructiveHint') === true)
    return { effects: ['execute', 'destroy', 'unknown', ...world], reasons: [DESTRUCTIVE] };
  if (said('readOnlyHint') === true) return { effects: ['execute', 'read', ...world], reasons: [] };
  // Whoever says that it writes, and not how, may destroy by it.
  if (said('destructiveHint') === false) return { effects: ['execute', 'write', ...world], reasons: [] };
  return { effects: ['execute', 'unknown'], reasons: [NO_ANNOTATIONS] };
}

/** Members whose arguments are repeated in headers: `Mcp-Param-NAME`, lower case, and the way to the argument. */
export function headerParameters({ json }: Tool): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  const walk = (schema: Json | undefined, path: readonly string[]): void => {
    if (schema?.type !== 'object') return;
    const name = textIn(schema.members, 'x-mcp-header');
    if (name !== undefined && path.length > 0) found.set(name.toLowerCase(), path);
    const properties = objectIn(schema.members, 'properties');
    for (const [member, inner] of properties?.members ?? []) walk(inner, [...path, member]);
  };
  walk(json.members.get('inputSchema'), []);
  return found;
}

/** What has changed, for people, all of it: a line for each member that differs, as it was and as it is. `before` undefined: it is new. */
export function toolDifference(before: Tool | undefined, now: Tool): string {
  const [was, is] = [before && leaves(before.json), leaves(now.json)];
  const lines: string[] = [];
  for (const [place, value] of is) {
    const old = was?.get(place);
    if (old === value) continue;
    if (old !== undefined) lines.push(`- ${place}: ${old}`);
    lines.push(`+ ${place}: ${value}`);
  }
  for (const [place, value] of was ?? []) if (!is.has(place)) lines.push(`- ${place}: ${value}`);
  return lines.join('\n');
}

/** Values by the way to them. What is invisible is written out, so that whoever looks sees it. */
function leaves(json: JsonObject): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const walk = (value: Json, place: string): void => {
    if (value.type === 'object' && value.members.size > 0)
      for (const [name, inner] of value.members) walk(inner, `${place}/${visible(name)}`);
    else if (value.type === 'array' && value.items.length > 0)
      value.items.forEach((inner, at) => walk(inner, `${place}/${at}`));
    else found.set(place, visible(jsonOf(value)));
  };
  walk(json, '');
  return found;
}

const visible = (text: string): string =>
  text.replaceAll(
    EACH_UNSEEN,
    (sign) => `<U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
  );
