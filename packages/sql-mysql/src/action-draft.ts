/**
 * An action of a statement while it is being read. Owns: what is collected of it, and what touching tables of the server itself means. Does
 * not: read the tree (facts.ts).
 */
import type { Action, DefinitionCost, Effect, FilterStrength, Resource } from '@sluice/contract';
import type { ObjectName } from './tree.js';

export type NameSet = ReadonlySet<string>;
export type Access = Resource['access'];

export class ActionDraft {
  readonly depth: number;
  verb = '';
  filter: FilterStrength | undefined;
  cost: DefinitionCost | undefined;
  readonly effects = new Set<Effect>();
  readonly resources = new Map<string, Resource>();
  readonly reasons: string[] = [];
  readonly unknownFunctions: string[] = [];
  otherUnknown = false;

  constructor(depth: number) {
    this.depth = depth;
  }

  begin(verb: string, ...effects: readonly Effect[]): void {
    this.verb = verb;
    for (const effect of effects) this.effects.add(effect);
  }

  /** @param ctes names that WITH has given to queries, which are no tables */
  table(table: ObjectName, access: Access, ctes: NameSet): void {
    if (table.schema === undefined && ctes.has(table.name)) return;
    this.resource('table', table, access);
    const schema = table.schema?.toLowerCase();
    if (access !== 'read' && schema !== undefined && SYSTEM_SCHEMAS.has(schema)) {
      this.effects.add('grant');
      this.unknown('changes the system tables');
    }
    if (schema === 'mysql' && SECRET_TABLES.has(table.name.toLowerCase())) this.effects.add('secret');
  }

  resource(type: Resource['type'], name: ObjectName, access: Access): void {
    this.named(type, qualified(name), access);
  }

  /** By the spelling of the text, and by lower case where the server may be set to that. */
  named(type: Resource['type'], written: string, access: Access): void {
    const names = type === 'table' || type === 'database' ? [written, written.toLowerCase()] : [written];
    for (const name of names) if (name !== '') this.resources.set(`${type} ${name} ${access}`, { type, name, access });
  }

  unknown(reason: string): void {
    this.effects.add('unknown');
    this.otherUnknown = true;
    this.reasons.push(reason);
  }

  /** @param statement its place in the text, from 0 */
  finished(statement: number): Action {
    const { depth, verb, effects, resources, filter, cost, reasons, unknownFunctions, otherUnknown } = this;
    return {
      statement,
      depth,
      verb,
      effects: [...effects],
      resources: [...resources.values()],
      ...(filter && { filter }),
      ...(cost && { cost }),
      reasons: [...new Set(reasons)],
      ...(unknownFunctions.length > 0 && !otherUnknown && { unknownFunctions }),
    };
  }
}

export const qualified = ({ schema, name }: ObjectName): string => (schema === undefined ? name : `${schema}.${name}`);

const SYSTEM_SCHEMAS: NameSet = new Set(['mysql', 'sys', 'performance_schema', 'information_schema']);
/** Of the schema `mysql`: where hashes of passwords and passwords of other servers are. */
const SECRET_TABLES: NameSet = new Set(
  'user global_priv servers slave_master_info slave_relay_log_info password_history column_stats'.split(' '),
);
