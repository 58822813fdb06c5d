/** Statements whose name alone says what they do. Owns: the table. Does not: those that have a reader (statements.ts). */
import type { Effect } from '@sluice/contract';

/**
 * Statements whose effect follows from their kind alone. What is not here and has no reader of its own in `statements.ts`
 * is unknown, so that a statement of a new grammar cannot pass in silence.
 */
export interface KindFacts {
  readonly verb: string;
  readonly effects: readonly Effect[];
  /** Set where the kind brings code or reaches outside: why it is not known to be harmless. */
  readonly reason?: string;
}

const kind = (verb: string, ...effects: Effect[]): KindFacts => ({ verb, effects });
const opaque = (verb: string, reason: string, ...effects: Effect[]): KindFacts => ({
  verb,
  effects: [...effects, 'unknown'],
  reason,
});

const CODE = 'brings code that runs later, unseen';
const OUTSIDE = 'connects the server to something outside';

export const KINDS: Readonly<Record<string, KindFacts>> = {
  // Definitions
  CompositeTypeStmt: kind('create type', 'define'),
  CreateEnumStmt: kind('create type', 'define'),
  CreateRangeStmt: kind('create type', 'define'),
  AlterEnumStmt: kind('alter type', 'define'),
  AlterTypeStmt: kind('alter type', 'define'),
  CreateDomainStmt: kind('create domain', 'define'),
  AlterDomainStmt: kind('alter domain', 'define'),
  IndexStmt: kind('create index', 'define'),
  CreateSchemaStmt: kind('create schema', 'define'),
  CreateSeqStmt: kind('create sequence', 'define'),
  AlterSeqStmt: kind('alter sequence', 'define'),
  CreateStatsStmt: kind('create statistics', 'define'),
  AlterStatsStmt: kind('alter statistics', 'define'),
  RenameStmt: kind('rename', 'define'),
  CommentStmt: kind('comment', 'define'),
  AlterObjectSchemaStmt: kind('alter schema', 'define'),
  AlterCollationStmt: kind('alter collation', 'define'),
  CreateTableSpaceStmt: kind('create tablespace', 'define'),
  AlterTableSpaceOptionsStmt: kind('alter tablespace', 'define'),
  AlterTableMoveAllStmt: kind('alter table', 'define'),
  CreatedbStmt: kind('create database', 'define'),
  AlterDatabaseStmt: kind('alter database', 'define'),
  AlterDatabaseRefreshCollStmt: kind('alter database', 'define'),
  RefreshMatViewStmt: kind('refresh materialized view', 'write'),
  // Upkeep
  VacuumStmt: kind('vacuum', 'write'),
  ReindexStmt: kind('reindex', 'write'),
  ClusterStmt: kind('cluster', 'write'),
  CheckPointStmt: kind('checkpoint', 'write'),
  // Removal
  DropdbStmt: kind('drop database', 'destroy', 'define'),
  DropTableSpaceStmt: kind('drop tablespace', 'destroy', 'define'),
  DropOwnedStmt: kind('drop owned', 'destroy', 'grant'),
  DropRoleStmt: kind('drop role', 'destroy', 'grant'),
  DropSubscriptionStmt: kind('drop subscription', 'destroy', 'define'),
  DropUserMappingStmt: kind('drop user mapping', 'destroy', 'grant'),
  // Rights
  GrantRoleStmt: kind('grant', 'grant'),
  AlterDefaultPrivilegesStmt: kind('alter default privileges', 'grant'),
  CreateRoleStmt: kind('create role', 'grant', 'secret'),
  AlterRoleStmt: kind('alter role', 'grant', 'secret'),
  AlterRoleSetStmt: kind('alter role', 'grant'),
  AlterDatabaseSetStmt: kind('alter database', 'grant', 'define'),
  ReassignOwnedStmt: kind('reassign owned', 'grant'),
  AlterOwnerStmt: kind('alter owner', 'grant'),
  CreatePolicyStmt: kind('create policy', 'grant', 'define'),
  AlterPolicyStmt: kind('alter policy', 'grant', 'define'),
  SecLabelStmt: opaque('security label', 'is read by code that the server has loaded', 'grant'),
  CreateUserMappingStmt: opaque('create user mapping', OUTSIDE, 'grant', 'secret'),
  AlterUserMappingStmt: opaque('alter user mapping', OUTSIDE, 'grant', 'secret'),
  // Session
  VariableShowStmt: kind('show', 'read'),
  ConstraintsSetStmt: kind('set constraints', 'session'),
  ListenStmt: kind('listen', 'session'),
  UnlistenStmt: kind('unlisten', 'session'),
  NotifyStmt: kind('notify', 'session', 'egress'),
  FetchStmt: kind('fetch', 'read'),
  LockStmt: kind('lock', 'session'),
  // Code and the world outside
  DoStmt: opaque('do', CODE, 'execute'),
  LoadStmt: opaque('load', 'loads code into the server', 'execute'),
  CreateFunctionStmt: opaque('create function', CODE, 'define', 'execute'),
  AlterFunctionStmt: opaque('alter function', CODE, 'define'),
  CreateTrigStmt: opaque('create trigger', CODE, 'define', 'execute'),
  CreateEventTrigStmt: opaque('create event trigger', CODE, 'define', 'execute'),
  AlterEventTrigStmt: opaque('alter event trigger', CODE, 'define'),
  RuleStmt: opaque('create rule', CODE, 'define', 'execute'),
  CreatePLangStmt: opaque('create language', CODE, 'define', 'execute'),
  CreateExtensionStmt: opaque('create extension', CODE, 'define', 'execute'),
  AlterExtensionStmt: opaque('alter extension', CODE, 'define'),
  AlterExtensionContentsStmt: opaque('alter extension', CODE, 'define'),
  DefineStmt: opaque('create', CODE, 'define'),
  CreateCastStmt: opaque('create cast', CODE, 'define'),
  CreateConversionStmt: opaque('create conversion', CODE, 'define'),
  CreateTransformStmt: opaque('create transform', CODE, 'define'),
  CreateOpClassStmt: opaque('create operator class', CODE, 'define'),
  CreateOpFamilyStmt: opaque('create operator family', CODE, 'define'),
  AlterOpFamilyStmt: opaque('alter operator family', CODE, 'define'),
  AlterOperatorStmt: opaque('alter operator', CODE, 'define'),
  CreateAmStmt: opaque('create access method', CODE, 'define'),
  AlterTSDictionaryStmt: opaque('alter text search dictionary', CODE, 'define'),
  AlterTSConfigurationStmt: opaque('alter text search configuration', CODE, 'define'),
  AlterObjectDependsStmt: kind('alter', 'define'),
  AlterSystemStmt: opaque('alter system', 'changes the configuration of the server', 'grant'),
  CreateFdwStmt: opaque('create foreign data wrapper', OUTSIDE, 'define', 'egress'),
  AlterFdwStmt: opaque('alter foreign data wrapper', OUTSIDE, 'define', 'egress'),
  CreateForeignServerStmt: opaque('create server', OUTSIDE, 'define', 'egress'),
  AlterForeignServerStmt: opaque('alter server', OUTSIDE, 'define', 'egress'),
  CreateForeignTableStmt: opaque('create foreign table', OUTSIDE, 'define', 'egress'),
  ImportForeignSchemaStmt: opaque('import foreign schema', OUTSIDE, 'define', 'egress'),
  CreatePublicationStmt: opaque('create publication', OUTSIDE, 'define', 'egress'),
  AlterPublicationStmt: opaque('alter publication', OUTSIDE, 'define', 'egress'),
  CreateSubscriptionStmt: opaque('create subscription', OUTSIDE, 'define', 'egress', 'secret'),
  AlterSubscriptionStmt: opaque('alter subscription', OUTSIDE, 'define', 'egress', 'secret'),
};

/**
 * Nodes that stand inside statements and do nothing by themselves: what they contain is looked at. A kind that is neither
 * here nor a statement is new to us, and its statement is unknown.
 */
export const PARTS: ReadonlySet<string> = new Set(
  `A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star AccessPriv Alias AlterTableCmd BitString BoolExpr Boolean
   BooleanTest CTECycleClause CTESearchClause CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef
   CommonTableExpr Constraint CreateOpClassItem CurrentOfExpr DefElem Float FunctionParameter GroupingFunc GroupingSet
   IndexElem InferClause Integer IntoClause JoinExpr JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor
   JsonArrayQueryConstructor JsonFormat JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor
   JsonOutput JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn JsonTablePath
   JsonTablePathSpec JsonTableSibling JsonBehavior JsonValueExpr List LockingClause MergeWhenClause MinMaxExpr
   MultiAssignRef NamedArgExpr NullTest ObjectWithArgs OnConflictClause ParamRef PartitionBoundSpec PartitionCmd
   PartitionElem PartitionRangeDatum PartitionSpec PublicationObjSpec PublicationTable RangeFunction RangeSubselect
   RangeTableFunc RangeTableFuncCol RangeTableSample RangeVar ReplicaIdentityStmt ResTarget ReturningClause
   ReturningOption RoleSpec RowExpr SQLValueFunction SetToDefault SortBy StatsElem String SubLink TableLikeClause
   TriggerTransition TypeCast TypeName VacuumRelation VariableSetStmt WindowDef WithClause XmlExpr XmlSerialize
   SinglePartitionSpec ATAlterConstraint MergeSupportFunc`.split(/\s+/),
);
