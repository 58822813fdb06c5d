/**
 * Commands of protocols in packages of somebody else. Owns: making facts of what such a protocol says of a command. Does not:
 * know what the command does: the protocol is trusted to say that, and what it does not say is unknown.
 */
import { type CustomCommand, EFFECTS, type Effect, type Facts, type Resource } from '@sluice/contract';

const KNOWN: ReadonlySet<string> = new Set(EFFECTS);

/** What is not as the contract says is refused, whatever the rules are. */
export function customFacts(command: CustomCommand): Facts {
  const { verb, effects, resources } = command;
  const said = effects !== undefined && effects.length > 0 && effects.every((effect) => KNOWN.has(effect));
  const action = {
    statement: 0,
    depth: 0,
    verb: typeof verb === 'string' ? verb.toLowerCase() : '',
    effects: said ? effects : (['unknown'] satisfies Effect[]),
    resources: resources ?? [],
    reasons: said ? [] : ['has effects that its protocol does not name'],
  };
  const facts: Facts = { actions: [action], confidence: 'exact', statements: [] };
  if (isWellFormed(command)) return facts;
  return { ...facts, forbidden: 'The protocol did not say what this command is, so it was not run.' };
}

const isWellFormed = ({ id, verb, text, resources = [] }: CustomCommand): boolean =>
  Number.isSafeInteger(id) && isText(verb) && typeof text === 'string' && resources.every(isResource);

const isResource = (one: Resource): boolean => isText(one.type) && typeof one.name === 'string' && isText(one.access);
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
