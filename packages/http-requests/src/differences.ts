/**
 * What one request has that another of its shape did not, for people who released that one. Owns: what has the same shape, and the lines that
 * say how two differ. Does not: keep requests. What is compared is what people are shown, which has no secrets in it.
 */
import { hash } from 'node:crypto';
import type { Command } from '@sluice/contract';
import { mediaType } from './body.js';
import { type Json, JsonError, readJson } from './json.js';

/** So many lines are shown, of so many characters each. */
const MAX_LINES = 40;
const MAX_LINE_CHARACTERS = 300;
/** Of both texts, in characters: the thread that everybody waits for compares them. */
const MAX_COMPARED_CHARACTERS = 512 * 1024;

export interface RequestComparison {
  /** Equal for requests of one shape. */
  readonly shape: string;
  /** How this request differs from one that people were shown as `before`: empty where it does not. */
  differences(before: string): readonly string[];
}

/** Undefined: it is no request. `text`: what people are shown of it, see `requestText`. */
export function comparisonOf(command: Command, text: string): RequestComparison | undefined {
  if (command.type !== 'request') return undefined;
  const { method, host, path, body, message } = command;
  const media = body.type === 'none' ? '' : mediaType(body.media);
  const named = path.split('/').map((segment) => (looksLikeId(segment) ? '' : segment.toLowerCase()));
  const shape = hash('sha256', JSON.stringify([method, host, named, media, message?.kind ?? '']), 'base64');
  return { shape, differences: (before) => differencesOf(before, text) };
}

/** What stands for one of many: a number, a UUID, a digest, or a name with digits in it. */
const looksLikeId = (segment: string): boolean => /[0-9]/.test(segment) && !/^v[0-9]{1,3}$/i.test(segment);

function differencesOf(before: string, now: string): readonly string[] {
  if (before === now) return [];
  if (before.length + now.length > MAX_COMPARED_CHARACTERS) return ['(too long to be compared: it is not the same)'];
  const [old, fresh] = [partsOf(before), partsOf(now)];
  const lines = [...changed(old, fresh)];
  const shown = lines.slice(0, MAX_LINES).map((line) => cutLine(line));
  return lines.length > MAX_LINES ? [...shown, `and ${lines.length - MAX_LINES} more`] : shown;
}

function cutLine(line: string): string {
  if (line.length <= MAX_LINE_CHARACTERS) return line;
  return `${line.slice(0, MAX_LINE_CHARACTERS).replace(/[\ud800-\udbff]$/, '')}...`;
}

/** A part is compared with the one of the same name, and of a name that is there several times, with the one in the same place. */
class Parts {
  readonly all = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  add(name: string, value: string): void {
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    this.all.set(`${name}\0${count}`, value);
  }
}

function* changed({ all: before }: Parts, { all: now }: Parts): Generator<string> {
  const line = (key: string, value: string): string => key.slice(0, key.indexOf('\0')) + value;
  for (const [key, value] of before) {
    const other = now.get(key);
    if (other === value) continue;
    yield `- ${line(key, value)}`;
    if (other !== undefined) yield `+ ${line(key, other)}`;
  }
  for (const [key, value] of now) if (!before.has(key)) yield `+ ${line(key, value)}`;
}

/** The request line, headers by name, and the body by places where it is JSON, else by lines. */
function partsOf(text: string): Parts {
  const parts = new Parts();
  const end = text.indexOf('\n\n');
  const [first = '', ...headers] = (end < 0 ? text : text.slice(0, end)).replaceAll('\0', ' ').split('\n');
  parts.add('', first);
  for (const header of headers) {
    const colon = header.indexOf(': ') + 2;
    parts.add(header.slice(0, colon), header.slice(colon));
  }
  const body = end < 0 ? '' : text.slice(end + 2);
  const value = jsonOf(body);
  if (value) addPlaces(parts, '', value);
  // A line has no name but itself.
  else if (body !== '') for (const line of body.replaceAll('\0', ' ').split('\n')) parts.add(line, '');
  return parts;
}

function jsonOf(body: string): Json | undefined {
  if (!/^\s*[[{]/.test(body)) return undefined;
  try {
    return readJson(body);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function addPlaces(parts: Parts, place: string, value: Json): void {
  if (value.type === 'object') {
    for (const [name, one] of value.members)
      addPlaces(parts, `${place}/${name.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('\0', ' ')}`, one);
  } else if (value.type === 'array') value.items.forEach((one, at) => addPlaces(parts, `${place}/${at}`, one));
  if (value.type === 'string') parts.add(`${place}: `, JSON.stringify(value.text));
  else if (value.type === 'plain') parts.add(`${place}: `, value.text);
  else if (isEmpty(value)) parts.add(`${place}: `, value.type === 'array' ? '[]' : '{}');
}

const isEmpty = (value: Exclude<Json, { text: string }>): boolean =>
  value.type === 'array' ? value.items.length === 0 : value.members.size === 0;
