/**
 * The collections of statements in fixtures/guardrails, and the rules of the sample configuration that they are tried on. Owns: what
 * is the same for every dialect. Does not: analyse a statement.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '@sluice/config';
import type { Facts, Principal } from '@sluice/contract';
import { GATEWAY, compilePolicy } from '@sluice/guardrails';
import { parse } from 'yaml';

interface Group<Case> {
  readonly group: string;
  readonly cases: readonly Case[];
}

const FIXTURES = join(import.meta.dirname, '../../fixtures');

/** The rules that an evasion has to be refused by. */
export const REFUSING = ['no-destruction', 'unfiltered-writes', GATEWAY];

/** The groups of one collection, such as `evasions.yaml`. */
export const corpusOf = <Case>(dialect: 'postgres' | 'mysql', name: string): Group<Case>[] =>
  parse(readFileSync(join(FIXTURES, 'guardrails', dialect, name), 'utf8')) as Group<Case>[];

export const countOf = (groups: readonly Group<unknown>[]): number =>
  groups.reduce((sum, { cases }) => sum + cases.length, 0);

/**
 * Judges facts by the rules of the sample's database, as a developer.
 *
 * @returns 'allow', or the rule that refuses
 */
export function sampleJudge(dialect: 'postgres' | 'mysql'): (facts: Facts, text: string) => string {
  const file = join(FIXTURES, 'shop/sluice.yaml');
  const env = { SLUICE_SHOP_PASSWORD: 'anything', SLUICE_TICKETS_KEY: 'anything', SLUICE_DOUBLE_KEY: 'anything' };
  const loaded = parseConfig(readFileSync(file, 'utf8'), { file, env });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  const shop = loaded.config.connections.get('shop');
  if (!shop) throw new Error('the sample has no connection "shop"');
  // The functions that the sample trusts are those of its own database.
  const trustedFunctions = dialect === 'postgres' ? shop.trustedFunctions : [];
  const policy = compilePolicy(shop.rules, { trustedFunctions });
  const principal: Principal = { name: 'developer', kind: 'person', groups: ['engineers'], roles: ['user'] };
  return (facts, text) => {
    const { decision } = policy.judge(facts, text, { principal, connection: { name: 'shop', protocol: dialect } });
    if (decision.type === 'hold') return decision.holds.map(({ rule }) => rule).join(', ');
    return decision.type === 'allow' ? 'allow' : decision.rule;
  };
}
