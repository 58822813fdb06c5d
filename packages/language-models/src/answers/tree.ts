/** Events of answers as trees of JSON that are changed in place. Owns: small ways around in them. Does not: know any provider. */
import { type Json, textOf } from '@sluice/http-requests';

export type ObjectNode = Extract<Json, { type: 'object' }>;

export const textNode = (text: string): Json => ({ type: 'string', text });
export const plainNode = (text: string): Json => ({ type: 'plain', text });
export const NULL: Json = plainNode('null');

/** Of values that are texts, numbers as written, lists, or members. */
export const objectNode = (members: Readonly<Record<string, Json | undefined>>): ObjectNode => ({
  type: 'object',
  members: new Map(Object.entries(members).filter((one): one is [string, Json] => one[1] !== undefined)),
});

export const listNode = (items: readonly Json[]): Json => ({ type: 'array', items });

/** Undefined where it is no object, or has no such member. SDKs read names as they are written. */
export const member = (value: Json | undefined, name: string): Json | undefined =>
  value?.type === 'object' ? value.members.get(name) : undefined;

export const memberText = (value: Json | undefined, name: string): string | undefined => {
  const found = member(value, name);
  return found?.type === 'string' ? found.text : undefined;
};

/** What a tool is given: a text, or, of some servers, its JSON as it is. Undefined: there is none. */
export const inputText = (value: Json | undefined): string | undefined =>
  value === undefined || isNothing(value) ? undefined : textOf(value);

export const items = (value: Json | undefined): readonly Json[] => (value?.type === 'array' ? value.items : []);

export const isObject = (value: Json | undefined): value is ObjectNode => value?.type === 'object';

export const isNothing = (value: Json | undefined): boolean =>
  value === undefined || (value.type === 'plain' && value.text === 'null');

/** A number or a text as one word, for keys. */
export const word = (value: Json | undefined): string =>
  value?.type === 'plain' || value?.type === 'string' ? value.text : '';

/** Puts a member into an object that this package has read itself, and nobody else has. */
export function put(target: ObjectNode, name: string, value: Json | undefined): void {
  const members = target.members as Map<string, Json>;
  if (value === undefined) members.delete(name);
  else members.set(name, value);
}
