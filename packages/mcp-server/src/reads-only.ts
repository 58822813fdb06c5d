/**
 * Whether the rules of a connection let somebody change anything there. Owns: a proof, for hints: true only where some rules say no to every effect that
 * changes something, whatever else a command is. Whoever cannot be proven to only read is not said to. Pure.
 */
import { type CompiledPolicy, compilePolicy } from '@sluice/guardrails';
import { EFFECTS, type Effect, type Facts, type Principal, type Rule } from '@sluice/contract';
import type { ToolConnection } from './host.js';

/** Whoever has none of these changes nothing. */
const HARMLESS: ReadonlySet<Effect> = new Set<Effect>(['read', 'secret', 'session']);
/** Words of a condition that hangs on nothing but some effect of an action, and on who asks where. */
const WORDS =
  /^(?:action\.effects\.exists|principal\.(?:name|kind|groups|roles)|connection\.(?:name|protocol)|in|e|true|false)$/;

/** The rules that a proof is made of, by the rules of a configuration. */
const known = new WeakMap<readonly Rule[], CompiledPolicy>();

export function readsOnly(
  { name, protocol, rules }: Pick<ToolConnection, 'name' | 'protocol' | 'rules'>,
  principal: Principal,
): boolean {
  let policy = known.get(rules);
  if (!policy) known.set(rules, (policy = compilePolicy(relevant(rules))));
  const context = { principal, connection: { name, protocol } };
  // What matches one effect matches it among others, too: `isOfEffectsAlone` takes no other condition.
  return EFFECTS.filter((effect) => !HARMLESS.has(effect)).every(
    (effect) => policy.judge(factsOf(effect), '', context).decision.type === 'deny',
  );
}

/** What is unknown is refused by itself, unless some rule admits something. */
const relevant = (rules: readonly Rule[]): Rule[] => [
  ...rules.filter(isOfEffectsAlone),
  ...rules.filter(({ then }) => then.type === 'allow').map(always),
];

const always = (rule: Rule): Rule => ({ ...rule, when: 'true' });

/** A rule that says no, and whose condition hangs on nothing else: where it is true of some effects, it is true of more. */
function isOfEffectsAlone({ when = 'true', then, mode }: Rule): boolean {
  if (then.type !== 'deny' || mode !== 'enforce') return false;
  const bare = when.replaceAll(/"[^"\\]*"|'[^'\\]*'/g, '').replaceAll('!(e in', '(e in');
  // Other negations, choices and comparisons of whole lists could make it false of more effects.
  if (/!(?!=)|\?|action\.effects(?!\.exists\(e,)/.test(bare)) return false;
  const words = bare.match(/[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*/g) ?? [];
  return words.every((word) => WORDS.test(word));
}

const factsOf = (effect: Effect): Facts => ({
  actions: [{ statement: 0, depth: 0, verb: '', effects: [effect], resources: [], reasons: [] }],
  confidence: 'exact',
  statements: [],
});
