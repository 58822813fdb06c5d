/**
 * Commands of protocols in packages of somebody else. Owns: making facts of what such a protocol says of a command. Does not:
 * know what the command does: the protocol is trusted to say that, and what it does not say is unknown.
 */
import { type CustomCommand, EFFECTS, type Effect, type Facts } from '@sluice/contract';

const KNOWN: ReadonlySet<unknown> = new Set(EFFECTS);

/** The command as the contract has it; one without a verb where the package, which may be no TypeScript, made it otherwise. */
export function checkedCommand(command: CustomCommand): CustomCommand {
  const { type, id, verb, text, effects, resources } = command;
  const wellFormed = isText(verb) && typeof text === 'string' && Number.isSafeInteger(id) && areResources(resources);
  if (!wellFormed) return { type, id: 0, verb: '', text: typeof text === 'string' ? text : '' };
  const said = Array.isArray(effects) && effects.length > 0 && effects.every((effect) => KNOWN.has(effect));
  return {
    type,
    id,
    verb: verb.toLowerCase(),
    text,
    ...(said && { effects: [...effects] }),
    ...(resources && { resources: resources.map(({ type: kind, name, access }) => ({ type: kind, name, access })) }),
  };
}

/** What rules see of a checked command. One without a verb is refused, whatever they say. */
export function customFacts({ verb, effects, resources = [] }: CustomCommand): Facts {
  const forbidden = 'The protocol did not say what this command is, so it was not run.';
  if (verb === '') return { actions: [], confidence: 'opaque', statements: [], forbidden };
  const unknown: readonly Effect[] = ['unknown'];
  const reasons = effects ? [] : ['has effects that its protocol does not name'];
  const action = { statement: 0, depth: 0, verb, effects: effects ?? unknown, resources, reasons };
  return { actions: [action], confidence: 'exact', statements: [] };
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

const areResources = (resources: unknown): boolean =>
  resources === undefined ||
  (Array.isArray(resources) &&
    // With its holes, which "every" of the list itself would pass over.
    Array.from(resources, (one: Readonly<Record<string, unknown>> | null | undefined) => one ?? {}).every(
      (one) => isText(one['type']) && typeof one['name'] === 'string' && isText(one['access']),
    ));
