/**
 * Whether the rules of a connection let somebody change anything there. Owns: a proof, for hints: true only where some rules say no to every effect that
 * changes something, whatever else a command is. Whoever cannot be proven to only read is not said to. Pure.
 */
import { type CompiledPolicy, compilePolicy } from '@sluice/guardrails';
import { EFFECTS, type Effect, type Facts, type Principal, type Rule } from '@sluice/contract';
import type { ToolConnection } from './host.js';

/** Whoever has none of these changes nothing. */
const HARMLESS: ReadonlySet<Effect> = new Set<Effect>(['read', 'secret', 'session']);
/** Words of a condition that hangs on nothing but the effects of an action, and on who asks where. */
const WORDS =
  /^(?:action\.effects|principal\.(?:name|kind|groups|roles)|connection\.(?:name|protocol)|exists|all|in|e|true|false|size)$/;

/** Proofs by the rules, which a configuration makes once. */
const known = new WeakMap<readonly Rule[], CompiledPolicy>();
const answers = new WeakMap<Principal, Map<readonly Rule[], boolean>>();

export function readsOnly(
  { name, protocol, rules }: Pick<ToolConnection, 'name' | 'protocol' | 'rules'>,
  principal: Principal,
): boolean {
  const own = answers.get(principal) ?? new Map<readonly Rule[], boolean>();
  answers.set(principal, own);
  const before = own.get(rules);
  if (before !== undefined) return before;
  const policy = known.get(rules) ?? compilePolicy(relevant(rules));
  known.set(rules, policy);
  const context = { principal, connection: { name, protocol } };
  const proven = changing().every((effects) => policy.judge(factsOf(effects), '', context).decision.type === 'deny');
  own.set(rules, proven);
  return proven;
}

/** What is unknown is refused by itself, unless some rule admits something. */
const relevant = (rules: readonly Rule[]): Rule[] => [
  ...rules.filter(isOfEffectsAlone),
  ...rules.filter(({ then }) => then.type === 'allow').map(always),
];

const always = ({ rule, then, mode, path }: Rule): Rule => ({ rule, then, mode, path });

/** A rule that says no, and whose condition hangs on nothing else. */
function isOfEffectsAlone({ when, then, mode }: Rule): boolean {
  if (then.type !== 'deny' || mode !== 'enforce') return false;
  const bare = (when ?? 'true').replaceAll(/"[^"\\]*"|'[^'\\]*'/g, '');
  const words = bare.match(/[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*/g) ?? [];
  return words.every((word) =>
    word.split('.exists').every((one) => one === '' || WORDS.test(one.replace(/\.all$/, ''))),
  );
}

/** Every set of effects that an action can have with one that changes something, but for those that are unknown and refused by themselves. */
let sets: readonly (readonly Effect[])[] | undefined;
function changing(): readonly (readonly Effect[])[] {
  sets ??= Array.from({ length: 2 ** EFFECTS.length }, (_, bits) =>
    EFFECTS.filter((_effect, at) => ((bits >> at) & 1) === 1),
  ).filter((effects) => effects.some((effect) => !HARMLESS.has(effect)));
  return sets;
}

const factsOf = (effects: readonly Effect[]): Facts => ({
  actions: [{ statement: 0, depth: 0, verb: '', effects, resources: [], reasons: [] }],
  confidence: 'exact',
  statements: [],
});
