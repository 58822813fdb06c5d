import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAJORS } from '../../src/index.js';
import { KINDS } from '../../src/kinds.js';
import { CONSTRUCTORS } from '../../src/lineage/constructors.js';
import { COMPUTATIONS, EXPRESSIONS } from '../../src/lineage/expression.js';
import { FROM_ITEMS } from '../../src/lineage/from.js';
import { MODIFICATIONS } from '../../src/lineage/modify.js';
import { STATEMENTS } from '../../src/lineage/statements.js';

/** Parts of statements that the code reads by name where they belong: nothing meets them as an expression. */
const PARTS = new Set(
  `A_Indices A_Star Alias AlterTableCmd ColumnDef CommonTableExpr CTECycleClause CTESearchClause DefElem GroupingSet
   InferClause IntoClause JsonTableColumn LockingClause MergeWhenClause OnConflictClause RawStmt ReturningClause
   ReturningOption ReturnStmt RangeTableFuncCol RoleSpec TableLikeClause WindowDef WithClause`.split(/\s+/),
);

/** Parts of statements that return nothing and move nothing. */
const NO_DATA = new Set(
  `AccessPriv ATAlterConstraint CallContext Constraint CreateOpClassItem FunctionParameter ImportQual IndexElem InlineCodeBlock ObjectWithArgs
   PartitionBoundSpec PartitionCmd PartitionElem PartitionRangeDatum PartitionSpec PublicationObjSpec PublicationTable
   ReplicaIdentityStmt SinglePartitionSpec StatsElem TriggerTransition VacuumRelation JsonTablePath JsonTableSibling
   IntList OidList RowMarkClause`.split(/\s+/),
);

/** Refused wherever they appear: the raw parser never makes them, or only for PL/pgSQL. */
const REFUSED = new Set(
  `Aggref AlternativeSubPlan ArrayCoerceExpr ArrayExpr CaseTestExpr CoerceToDomain CoerceToDomainValue CoerceViaIO
   CollateExpr ConvertRowtypeExpr DistinctExpr Expr FieldSelect FieldStore FromExpr FuncExpr InferenceElem
   JsonConstructorExpr JsonExpr JsonTablePathScan JsonTableParent JsonTableSiblingJoin JsonTablePlan MergeAction
   NamedTuplestoreScan NextValueExpr NullIfExpr OnConflictExpr OpExpr PLAssignStmt Param Query RTEPermissionInfo
   RangeTblEntry RangeTblFunction RangeTblRef RelabelType ReturningExpr RowCompareExpr ScalarArrayOpExpr SetOperationStmt
   SortGroupClause SubPlan SubscriptingRef TableFunc TableSampleClause TargetEntry Var WindowClause WindowFunc
   WindowFuncRunCondition WithCheckOption CreateForeignTableStmt`.split(/\s+/),
);

const HANDLED = [KINDS, EXPRESSIONS, CONSTRUCTORS, FROM_ITEMS, MODIFICATIONS, STATEMENTS];

/** The names of all nodes that a grammar can print: they stand in its module as the starts of JSON objects. */
function nodesOf(major: number): string[] {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve(`libpg-query-${major}`));
  const module = readFileSync(join(folder, 'libpg-query.wasm'), 'latin1');
  const names = Array.from(module.matchAll(/\{?"([A-Z]\w+)":\{/g), ([, name = '']) => name);
  return [...new Set(names)].filter((name) => !name.startsWith('PLpgSQL_'));
}

describe.each(MAJORS)('the grammar of PostgreSQL %i', (major) => {
  test('has no node that is neither handled nor refused', () => {
    const names = nodesOf(major);
    expect(names.length).toBeGreaterThan(200);
    expect(names).toContain('SelectStmt');
    const known = (name: string): boolean =>
      HANDLED.some((table) => Object.hasOwn(table, name)) ||
      [COMPUTATIONS, PARTS, NO_DATA, REFUSED].some((set) => set.has(name));
    expect(names.filter((name) => !known(name))).toEqual([]);
  });

  test('refuses what is listed as refused', () => {
    const refused = nodesOf(major).filter((name) => REFUSED.has(name));
    expect(refused.length).toBeGreaterThan(20);
    const both = refused.filter(
      (name) => COMPUTATIONS.has(name) || HANDLED.slice(1).some((table) => Object.hasOwn(table, name)),
    );
    expect(both).toEqual([]);
  });
});
