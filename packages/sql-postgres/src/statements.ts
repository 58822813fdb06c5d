/**
 * One statement's parse tree to actions. Owns: statements that have a reader of their own. Does not: those that follow from
 * their name (kinds.ts). Pure.
 */
import type {
  Action,
  DefinitionCost,
  Effect,
  FilterStrength,
  Resource,
  StatementEffect,
  TransactionEffect,
} from '@sluice/contract';
import {
  type NodeFields,
  type Node,
  constant,
  isFields,
  isRelation,
  isSelect,
  nodeOf,
  nodesOf,
  relationName,
  strings,
  text,
} from './ast.js';
import { costOf } from './definitions/definition.js';
import { boundedSources, filterStrength, mentionsColumn } from './filter.js';
import { callFacts } from './functions.js';
import { KINDS, PARTS } from './kinds.js';
import { isJudgedSetting, settingFacts } from './settings.js';
import { Values } from './values.js';

/** ALTER COLUMN ... TYPE ... USING of something that the column has no part in: what it held is gone. */
function overwrites(command: NodeFields): boolean {
  const column = nodeOf(command['def']);
  if (text(command, 'subtype') !== 'AT_AlterColumnType' || column?.kind !== 'ColumnDef') return false;
  const using = column.fields['raw_default'];
  return using !== undefined && !mentionsColumn(using, text(command, 'name'));
}

/** Answers what a prepared name stands for: facts of its statement, with these values. */
export type Resolve = (name: string, values: Values) => readonly Action[] | undefined;

/** What one top-level statement comes to. */
export interface StatementFacts {
  readonly actions: readonly Action[];
  readonly effect: StatementEffect;
  readonly forbidden: string | undefined;
}

const NONE: StatementEffect = { type: 'none' };

/** Reads one top-level statement. Whatever it does not recognise makes the statement `unknown`. */
export function readStatement(
  node: Node,
  index: number,
  source: string,
  values: Values,
  resolve: Resolve,
): StatementFacts {
  const reader = new StatementReader(index, values, resolve);
  reader.statement(node, 0, new Set());
  return { actions: reader.actions, effect: sessionEffect(node, source), forbidden: reader.forbidden };
}

/** What a statement changes in the session once it has completed. */
function sessionEffect({ kind, fields }: Node, source: string): StatementEffect {
  switch (kind) {
    case 'PrepareStmt':
      return { type: 'prepare', name: text(fields, 'name'), text: source };
    case 'DeallocateStmt':
      return fields['name'] === undefined ? { type: 'deallocate' } : { type: 'deallocate', name: text(fields, 'name') };
    case 'DeclareCursorStmt':
      return { type: 'declare', name: text(fields, 'portalname') };
    case 'ClosePortalStmt':
      return fields['portalname'] === undefined
        ? { type: 'close' }
        : { type: 'close', name: text(fields, 'portalname') };
    case 'DiscardStmt':
      return fields['target'] === 'DISCARD_ALL' ? { type: 'discard' } : NONE;
    case 'CopyStmt':
      if (fields['filename'] !== undefined || fields['is_program'] === true) return NONE;
      return { type: 'copy', direction: fields['is_from'] === true ? 'in' : 'out' };
    case 'TransactionStmt':
      return transactionEffect(fields);
    default:
      return NONE;
  }
}

/** Of prepared transactions none is the session's own: COMMIT PREPARED and ROLLBACK PREPARED change nothing about its transaction. */
const TRANSACTION_KINDS: Readonly<Record<string, TransactionEffect['kind']>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_PREPARE: 'prepare',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback to',
};

function transactionEffect(fields: NodeFields): StatementEffect {
  const kind = TRANSACTION_KINDS[text(fields, 'kind')];
  if (!kind) return NONE;
  const savepoint = text(fields, 'savepoint_name');
  return {
    type: 'transaction',
    kind,
    ...(savepoint !== '' && { savepoint }),
    ...(fields['chain'] === true && { chain: true }),
  };
}

/** An action while it is being read. */
interface ActionDraft {
  readonly depth: number;
  verb: string;
  readonly effects: Set<Effect>;
  readonly resources: Map<string, Resource>;
  filter?: FilterStrength;
  cost?: DefinitionCost;
  readonly reasons: string[];
  readonly unknownFunctions: string[];
  readonly temporaryTables: Set<string>;
  /** Names that stand for something else as well: `CREATE TEMP TABLE people AS SELECT * FROM people`. */
  readonly otherTables: Set<string>;
  otherUnknown: boolean;
  explainOnly: boolean;
}

/** A dot in a name is none between two: what is trusted as `a.b` is not a function that is called "a.b". */
const withoutDots = (part: string): string => (part.includes('.') ? JSON.stringify(part) : part);

type NameSet = ReadonlySet<string>;

class StatementReader {
  forbidden: string | undefined;
  readonly #index: number;
  readonly #values: Values;
  readonly #resolve: Resolve;
  readonly #drafts: ActionDraft[] = [];
  /** Inside `SELECT ... FROM pg_settings WHERE name = '...'`: the setting that the row is about. */
  #settingOfRow: string | undefined;
  readonly #inherited: Action[] = [];
  /** Inside EXPLAIN without ANALYZE. */
  #explainOnly = false;

  constructor(index: number, values: Values, resolve: Resolve) {
    this.#index = index;
    this.#values = values;
    this.#resolve = resolve;
  }

  get actions(): Action[] {
    return [...this.#drafts.map((draft) => this.#finished(draft)), ...this.#inherited];
  }

  /** @param ctes names that WITH has given to sub-queries, which are no tables */
  statement({ kind, fields }: Node, depth: number, ctes: NameSet): void {
    const draft = this.#draft(depth);
    const cost = costOf({ kind, fields });
    if (cost) draft.cost = cost;
    const read = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined;
    if (read) return read(this, draft, fields, ctes);
    const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
    if (!known) {
      draft.verb = kind.replace(/Stmt$/, '').toLowerCase();
      return this.unknown(draft, `is a kind of statement that is not understood (${kind})`);
    }
    draft.verb = known.verb;
    this.add(draft, ...known.effects);
    if (known.reason) this.unknown(draft, known.reason);
    // What is trusted by its name would be other code.
    if (namesCode(kind, fields)) this.unknown(draft, 'gives code that runs later another name');
    // X: DROP CONSTRAINT (AlterDomainStmt in parsenodes.h).
    if (kind === 'AlterDomainStmt' && /^X$|DropConstraint/.test(text(fields, 'subtype'))) this.add(draft, 'destroy');
    this.inside(draft, fields, ctes, known.effects.includes('define') ? 'define' : 'read');
  }

  add(draft: ActionDraft, ...effects: Effect[]): void {
    for (const effect of effects) draft.effects.add(effect);
  }

  unknown(draft: ActionDraft, reason: string): void {
    draft.effects.add('unknown');
    draft.otherUnknown = true;
    draft.reasons.push(reason);
  }

  resource(draft: ActionDraft, type: Resource['type'], name: string, access: Resource['access']): void {
    if (name !== '') draft.resources.set(`${type} ${name} ${access}`, { type, name, access });
  }

  table(draft: ActionDraft, relation: unknown, access: Resource['access']): void {
    const fields = nodeOf(relation)?.fields ?? relation;
    if (!isFields(fields)) return;
    this.resource(draft, 'table', relationName(fields), access);
    const schema = text(fields, 'schemaname');
    const isTemporary = fields['relpersistence'] === 't' || schema === 'pg_temp';
    (isTemporary ? draft.temporaryTables : draft.otherTables).add(relationName(fields));
    if (
      access !== 'read' &&
      (schema === 'pg_catalog' || (schema === '' && text(fields, 'relname').startsWith('pg_')))
    ) {
      this.unknown(draft, 'changes the system catalog');
    }
  }

  /** Everything below: sub-queries, tables, calls. Statements inside become actions of their own. */
  inside(draft: ActionDraft, value: unknown, ctes: NameSet, access: Resource['access'] = 'read'): void {
    if (Array.isArray(value)) {
      for (const item of value) this.inside(draft, item, ctes, access);
      return;
    }
    if (!isFields(value)) return;
    if (isRelation(value)) return this.#relation(draft, value, ctes, access);
    if (isSelect(value)) return this.select(draft, value, ctes);
    if (isSetting(value)) return this.setting(draft, text(value, 'name'), settingValue(value));
    const node = nodeOf(value);
    if (node) return this.#node(draft, node, ctes, access);
    for (const key in value) this.inside(draft, value[key], ctes, access);
  }

  select(draft: ActionDraft, fields: NodeFields, outer: NameSet): void {
    const ctes = this.with(draft, fields['withClause'], outer);
    if (isFields(fields['intoClause'])) this.#into(draft, fields['intoClause']);
    const outerSetting = this.#settingOfRow;
    this.#settingOfRow = settingOfRow(fields);
    for (const key in fields) if (key !== 'withClause' && key !== 'intoClause') this.inside(draft, fields[key], ctes);
    this.#settingOfRow = outerSetting;
  }

  /** Reads WITH and returns the names that are visible behind it. Without RECURSIVE a sub-query sees the earlier ones. */
  with(draft: ActionDraft, clause: unknown, outer: NameSet): NameSet {
    if (!isFields(clause)) return outer;
    const expressions = nodesOf(clause['ctes']);
    const names = new Set(outer);
    if (clause['recursive'] === true) for (const { fields } of expressions) names.add(text(fields, 'ctename'));
    for (const { fields } of expressions) {
      const query = nodeOf(fields['ctequery']);
      if (query && query.kind !== 'SelectStmt') this.statement(query, draft.depth + 1, new Set(names));
      else if (query) this.select(draft, query.fields, new Set(names));
      names.add(text(fields, 'ctename'));
    }
    return names;
  }

  /** UPDATE, DELETE and INSERT share their clauses. */
  modify(draft: ActionDraft, verb: string, effects: readonly Effect[], fields: NodeFields, outer: NameSet): void {
    draft.verb = verb;
    this.add(draft, ...effects);
    this.table(draft, fields['relation'], 'write');
    const ctes = this.with(draft, fields['withClause'], outer);
    for (const key in fields) if (key !== 'relation' && key !== 'withClause') this.inside(draft, fields[key], ctes);
  }

  where(draft: ActionDraft, relation: unknown, where: unknown, others: unknown, ctes: NameSet): FilterStrength {
    const fields = isFields(relation) ? relation : {};
    const alias = isFields(fields['alias']) ? text(fields['alias'], 'aliasname') : '';
    const table = text(fields, 'relname');
    const target = {
      name: alias || table,
      table,
      joined: others !== undefined,
      bounded: boundedSources(others),
      tables: tablesOf(others, ctes),
      ctes,
    };
    const strength = filterStrength(where, target, this.#values);
    if (strength !== 'strong') {
      draft.reasons.push(
        strength === 'none'
          ? 'has no condition that selects rows of the target'
          : 'has a condition that may match nearly every row',
      );
    }
    return strength;
  }

  setting(draft: ActionDraft, name: string, value: string | undefined): void {
    const facts = settingFacts(name, value);
    this.add(draft, ...facts.effects);
    if (facts.reason) this.unknown(draft, facts.reason);
    if (facts.forbidden) this.forbidden ??= facts.forbidden;
    this.resource(draft, 'setting', name.toLowerCase(), 'write');
  }

  /** What EXPLAIN shows: it is planned, and run where EXPLAIN says ANALYZE. */
  explained(query: Node, { depth, explainOnly }: ActionDraft, ctes: NameSet): void {
    this.#explainOnly = explainOnly;
    this.statement(query, depth + 1, ctes);
    this.#explainOnly = false;
  }

  execute(draft: ActionDraft, fields: NodeFields): void {
    const name = text(fields, 'name');
    const values = Values.given(Array.isArray(fields['params']) ? fields['params'] : []);
    const actions = this.#resolve(name, values);
    if (!actions) return this.unknown(draft, `executes "${name}", and no such prepared statement is known`);
    for (const action of actions)
      this.#inherited.push({
        ...action,
        statement: this.#index,
        depth: action.depth + draft.depth + 1,
        ...(this.#explainOnly && { explainOnly: true }),
      });
    this.inside(draft, fields['params'], new Set());
  }

  call(draft: ActionDraft, fields: NodeFields): void {
    const name = strings(fields['funcname']);
    const plain = name.at(-1) ?? '';
    const builtIn = name.length === 1 || name[0] === 'pg_catalog';
    this.resource(draft, 'function', name.join('.'), 'execute');
    const args = Array.isArray(fields['args']) ? fields['args'] : [];
    if (builtIn && plain === 'set_config') {
      const [setting = this.#settingOfRow, value] = args.map(constant);
      if (typeof setting !== 'string' || (typeof value !== 'string' && isJudgedSetting(setting))) {
        this.forbidden ??=
          'set_config is only let through with a name, and where it matters a value, that stand in the statement.';
      } else {
        this.setting(draft, setting, String(value));
      }
      return;
    }
    if (builtIn && plain === 'pg_notify') {
      this.add(draft, 'session', 'egress');
      if (args.every(isGiven)) return;
      return this.unknown(draft, 'sends what it reads as a notification (pg_notify)');
    }
    const { effects, table, reason } = callFacts(name);
    this.add(draft, ...effects);
    if (table) this.resource(draft, 'table', table.name, table.access);
    if (reason === undefined) return;
    draft.reasons.push(reason);
    draft.unknownFunctions.push(name.map(withoutDots).join('.'));
  }

  #node(draft: ActionDraft, { kind, fields }: Node, ctes: NameSet, access: Resource['access']): void {
    if (kind === 'SelectStmt') return this.select(draft, fields, ctes);
    if (kind === 'VariableSetStmt') return this.setting(draft, text(fields, 'name'), settingValue(fields));
    if (Object.hasOwn(READERS, kind) || Object.hasOwn(KINDS, kind))
      return this.statement({ kind, fields }, draft.depth + 1, ctes);
    if (kind === 'FuncCall') this.call(draft, fields);
    else if (!PARTS.has(kind)) this.unknown(draft, `contains something that is not understood (${kind})`);
    if (kind === 'A_Expr') this.#operator(draft, strings(fields['name']));
    if (kind === 'SubLink') this.#operator(draft, strings(fields['operName']));
    if (kind === 'SortBy') this.#operator(draft, strings(fields['useOp']));
    if (kind === 'RangeTableSample' && !SAMPLING.has(strings(fields['method']).join('.'))) {
      this.unknown(draft, `samples by the method ${strings(fields['method']).join('.')}, which is not a built-in one`);
    }
    if (kind === 'RoleSpec') this.resource(draft, 'role', text(fields, 'rolename'), 'write');
    if (kind === 'RangeVar') return this.#relation(draft, fields, ctes, access);
    for (const key in fields) this.inside(draft, fields[key], ctes, access);
  }

  #relation(draft: ActionDraft, fields: NodeFields, ctes: NameSet, access: Resource['access']): void {
    if (text(fields, 'schemaname') === '' && ctes.has(text(fields, 'relname'))) return;
    this.table(draft, fields, access);
  }

  /** OPERATOR(schema.+) names an operator that somebody made, and that is a function call. */
  #operator(draft: ActionDraft, name: readonly string[]): void {
    if (name.length > 1 && name[0] !== 'pg_catalog')
      this.unknown(draft, `uses the operator ${name.join('.')}, which is not a built-in one`);
  }

  #into(draft: ActionDraft, into: NodeFields): void {
    this.add(draft, 'write', 'define');
    this.table(draft, into['rel'], 'define');
  }

  #draft(depth: number): ActionDraft {
    const draft: ActionDraft = {
      depth,
      verb: '',
      effects: new Set(),
      resources: new Map(),
      reasons: [],
      unknownFunctions: [],
      temporaryTables: new Set(),
      otherTables: new Set(),
      otherUnknown: false,
      explainOnly: this.#explainOnly,
    };
    this.#drafts.push(draft);
    return draft;
  }

  #finished(draft: ActionDraft): Action {
    const { depth, verb, effects, resources, filter, cost, reasons, unknownFunctions, otherUnknown, explainOnly } =
      draft;
    const temporaryTables = [...draft.temporaryTables].filter((name) => !draft.otherTables.has(name));
    return {
      statement: this.#index,
      depth,
      verb,
      effects: [...effects],
      resources: [...resources.values()],
      ...(filter && { filter }),
      ...(cost && { cost }),
      ...(explainOnly && { explainOnly }),
      reasons: [...new Set(reasons)],
      ...(unknownFunctions.length > 0 && !otherUnknown && { unknownFunctions }),
      ...(temporaryTables.length > 0 && { temporaryTables }),
    };
  }
}

/** A value that whoever asks has given: written or bound, cast, or put together of such. Nothing is read for it. */
function isGiven(value: unknown): boolean {
  const node = nodeOf(value);
  if (node?.kind === 'TypeCast') return isGiven(node.fields['arg']);
  if (node?.kind === 'A_Expr')
    return (
      strings(node.fields['name']).join('.') === '||' && [node.fields['lexpr'], node.fields['rexpr']].every(isGiven)
    );
  return node?.kind === 'ParamRef' || node?.kind === 'A_Const';
}

type Read = (reader: StatementReader, draft: ActionDraft, fields: NodeFields, ctes: NameSet) => void;

/** Reads what has a body or a target; the rest is in `KINDS`. */
const READERS: Readonly<Record<string, Read>> = {
  SelectStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'select';
    reader.add(draft, 'read');
    reader.select(draft, fields, ctes);
  },
  InsertStmt: (reader, draft, fields, ctes) => reader.modify(draft, 'insert', ['write'], fields, ctes),
  UpdateStmt: (reader, draft, fields, ctes) => {
    reader.modify(draft, 'update', ['write'], fields, ctes);
    draft.filter = reader.where(
      draft,
      fields['relation'],
      fields['whereClause'],
      fields['fromClause'],
      cteNames(fields, ctes),
    );
  },
  DeleteStmt: (reader, draft, fields, ctes) => {
    reader.modify(draft, 'delete', ['write'], fields, ctes);
    draft.filter = reader.where(
      draft,
      fields['relation'],
      fields['whereClause'],
      fields['usingClause'],
      cteNames(fields, ctes),
    );
  },
  MergeStmt: (reader, draft, fields, ctes) => {
    reader.modify(draft, 'merge', ['write'], fields, ctes);
    draft.filter = mergeFilter(reader, draft, fields, cteNames(fields, ctes));
  },
  TruncateStmt: (reader, draft, fields) => {
    draft.verb = 'truncate';
    reader.add(draft, 'destroy', 'write');
    for (const relation of nodesOf(fields['relations'])) reader.table(draft, relation.fields, 'destroy');
  },
  DropStmt: (reader, draft, fields) => {
    draft.verb = `drop ${objectType(fields['removeType'])}`;
    reader.add(draft, 'destroy', 'define');
    const type =
      fields['removeType'] === 'OBJECT_TABLE'
        ? 'table'
        : fields['removeType'] === 'OBJECT_SCHEMA'
          ? 'schema'
          : 'object';
    for (const name of objectNames(fields['objects'])) reader.resource(draft, type, name, 'destroy');
    for (const { fields: object } of nodesOf(fields['objects'])) {
      const parts = strings(object['items']);
      if (type === 'table' && parts.at(-2) === 'pg_temp') draft.temporaryTables.add(parts.join('.'));
    }
  },
  CreateStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'create table';
    reader.add(draft, 'define');
    reader.table(draft, fields['relation'], 'define');
    for (const key in fields) if (key !== 'relation') reader.inside(draft, fields[key], ctes);
  },
  CreateTableAsStmt: (reader, draft, fields, ctes) => {
    draft.verb = fields['objtype'] === 'OBJECT_MATVIEW' ? 'create materialized view' : 'create table as';
    reader.add(draft, 'define', 'write', 'read');
    if (isFields(fields['into'])) reader.table(draft, fields['into']['rel'], 'define');
    reader.inside(draft, fields['query'], ctes);
  },
  ViewStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'create view';
    reader.add(draft, 'define');
    reader.table(draft, fields['view'], 'define');
    reader.inside(draft, fields['query'], ctes);
    // An update of pg_settings is a SET, also through a view of it.
    if ([...draft.resources.values()].some(({ name }) => /^(pg_catalog\.)?pg_settings$/.test(name))) {
      reader.unknown(draft, 'makes a view of the settings, by which they can be changed');
    }
  },
  AlterTableStmt: (reader, draft, fields, ctes) => {
    draft.verb = `alter ${objectType(fields['objtype'])}`;
    reader.add(draft, 'define');
    reader.table(draft, fields['relation'], 'define');
    for (const { fields: command } of nodesOf(fields['cmds'])) {
      if (text(command, 'subtype').startsWith('AT_Drop')) reader.add(draft, 'destroy');
      if (overwrites(command)) reader.add(draft, 'destroy', 'write');
      if (text(command, 'subtype') === 'AT_ChangeOwner') reader.add(draft, 'grant');
      reader.inside(draft, command, ctes);
    }
  },
  GrantStmt: (reader, draft, fields) => {
    draft.verb = fields['is_grant'] === true ? 'grant' : 'revoke';
    reader.add(draft, 'grant');
    for (const object of nodesOf(fields['objects']))
      if (object.kind === 'RangeVar') reader.table(draft, object.fields, 'write');
    reader.inside(draft, fields['grantees'], new Set());
  },
  CopyStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'copy';
    const into = fields['is_from'] === true;
    reader.add(draft, into ? 'write' : 'read');
    if (isFields(fields['relation'])) reader.table(draft, fields['relation'], into ? 'write' : 'read');
    if (fields['is_program'] === true) {
      reader.add(draft, 'execute', 'egress');
      reader.unknown(draft, 'runs a program on the database host (COPY PROGRAM)');
    } else if (fields['filename'] !== undefined) {
      reader.add(draft, 'transfer');
      reader.resource(draft, 'file', text(fields, 'filename'), into ? 'read' : 'write');
      reader.unknown(draft, 'reads or writes a file of the database host (COPY)');
    }
    reader.inside(draft, [fields['query'], fields['whereClause']], ctes);
  },
  ExplainStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'explain';
    reader.add(draft, 'read');
    // Also without ANALYZE: planning runs functions, and a rule about a DELETE is about explaining one too.
    const query = nodeOf(fields['query']);
    draft.explainOnly = !analyses(fields);
    if (query) reader.explained(query, draft, ctes);
  },
  PrepareStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'prepare';
    reader.add(draft, 'session');
    const query = nodeOf(fields['query']);
    if (query) reader.statement(query, draft.depth + 1, ctes);
  },
  ExecuteStmt: (reader, draft, fields) => {
    draft.verb = 'execute';
    reader.add(draft, 'session');
    reader.execute(draft, fields);
  },
  DeclareCursorStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'declare';
    reader.add(draft, 'session');
    const query = nodeOf(fields['query']);
    if (query) reader.statement(query, draft.depth + 1, ctes);
  },
  CallStmt: (reader, draft, fields, ctes) => {
    draft.verb = 'call';
    reader.add(draft, 'execute');
    if (isFields(fields['funccall'])) {
      reader.call(draft, fields['funccall']);
      reader.inside(draft, fields['funccall']['args'], ctes);
    }
  },
  TransactionStmt: (reader, draft, fields) => {
    draft.verb = text(fields, 'kind').replace('TRANS_STMT_', '').toLowerCase().replaceAll('_', ' ');
    reader.add(draft, 'session');
    // What it commits or takes back is of any session.
    if (draft.verb.endsWith(' prepared')) reader.add(draft, 'write');
  },
  VariableSetStmt: (reader, draft, fields) => {
    draft.verb = text(fields, 'kind').startsWith('VAR_RESET') ? 'reset' : 'set';
    reader.add(draft, 'session');
    const name = text(fields, 'name');
    // SET TRANSACTION and SET SESSION CHARACTERISTICS hold nothing but isolation, access mode and a snapshot.
    if (fields['kind'] === 'VAR_SET_MULTI') return;
    if (name !== '') reader.setting(draft, name, settingValue(fields));
  },
  DeallocateStmt: session('deallocate'),
  ClosePortalStmt: session('close'),
  DiscardStmt: session('discard'),
};

function session(verb: string): Read {
  return (reader, draft) => {
    draft.verb = verb;
    reader.add(draft, 'session');
  };
}

const CODE: ReadonlySet<string> = new Set([
  'OBJECT_FUNCTION',
  'OBJECT_PROCEDURE',
  'OBJECT_ROUTINE',
  'OBJECT_AGGREGATE',
]);

const namesCode = (kind: string, fields: NodeFields): boolean =>
  (kind === 'RenameStmt' && CODE.has(text(fields, 'renameType'))) ||
  (kind === 'AlterObjectSchemaStmt' && CODE.has(text(fields, 'objectType')));

/** EXPLAIN ANALYZE runs the statement. Whatever is not plainly off is on. */
const analyses = (fields: NodeFields): boolean =>
  nodesOf(fields['options']).some(
    ({ fields: option }) =>
      text(option, 'defname').toLowerCase() === 'analyze' && !OFF.has(writtenOption(option['arg'])),
  );

/** The value of an option as it is written; '' without one. */
function writtenOption(value: unknown): string {
  const node = nodeOf(value);
  return node?.kind === 'Integer' ? String(node.fields['ival'] ?? 0) : text(node?.fields ?? {}, 'sval').toLowerCase();
}
const OFF: ReadonlySet<string> = new Set(['false', 'off', '0']);

/** MERGE selects by its join condition, but rows that are not in the source have none. */
function mergeFilter(reader: StatementReader, draft: ActionDraft, fields: NodeFields, ctes: NameSet): FilterStrength {
  const clauses = nodesOf(fields['mergeWhenClauses']).map((clause) => clause.fields);
  const changing = clauses.filter(
    (clause) => clause['commandType'] === 'CMD_DELETE' || clause['commandType'] === 'CMD_UPDATE',
  );
  if (changing.length === 0) return 'strong';
  if (changing.some((clause) => clause['matchKind'] === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE')) {
    draft.reasons.push('has no condition that selects rows of the target');
    return 'none';
  }
  return reader.where(draft, fields['relation'], fields['joinCondition'], [fields['sourceRelation']], ctes);
}

/** pg_dump sets what may not be there by `SELECT set_config(name, ...) FROM pg_settings WHERE name = '...'`. */
function settingOfRow(select: NodeFields): string | undefined {
  const [from, ...more] = nodesOf(select['fromClause']);
  const where = nodeOf(select['whereClause']);
  if (from?.kind !== 'RangeVar' || more.length > 0 || !/^(pg_catalog\.)?pg_settings$/.test(relationName(from.fields)))
    return undefined;
  if (
    where?.kind !== 'A_Expr' ||
    where.fields['kind'] !== 'AEXPR_OP' ||
    strings(where.fields['name']).join('.') !== '='
  )
    return undefined;
  const column = nodeOf(where.fields['lexpr']);
  const name = constant(where.fields['rexpr']);
  return column?.kind === 'ColumnRef' && strings(column.fields['fields']).at(-1) === 'name' && typeof name === 'string'
    ? name
    : undefined;
}

/** Plain tables of a FROM or USING list, by the names that the statement calls them. */
const tablesOf = (from: unknown, ctes: NameSet): NameSet =>
  new Set(
    nodesOf(from).flatMap(({ kind, fields }) => {
      if (kind !== 'RangeVar' || (text(fields, 'schemaname') === '' && ctes.has(text(fields, 'relname')))) return [];
      return [(isFields(fields['alias']) && text(fields['alias'], 'aliasname')) || text(fields, 'relname')];
    }),
  );

const cteNames = (fields: NodeFields, outer: NameSet): NameSet =>
  isFields(fields['withClause'])
    ? new Set([...outer, ...nodesOf(fields['withClause']['ctes']).map((cte) => text(cte.fields, 'ctename'))])
    : outer;

const SAMPLING = new Set(['bernoulli', 'system', 'pg_catalog.bernoulli', 'pg_catalog.system']);

/** A SET by its shape: ALTER ROLE and ALTER DATABASE hold it bare. */
const isSetting = (fields: NodeFields): boolean =>
  typeof fields['kind'] === 'string' && fields['kind'].startsWith('VAR_');

const objectType = (type: unknown): string =>
  typeof type === 'string'
    ? type.replace('OBJECT_', '').toLowerCase().replaceAll('_', ' ').replace('matview', 'materialized view')
    : '';

function objectNames(objects: unknown): string[] {
  return nodesOf(objects).map(({ kind, fields }) => {
    if (kind === 'List') return strings(fields['items']).join('.');
    if (kind === 'String') return text(fields, 'sval') || text(fields, 'str');
    if (kind === 'ObjectWithArgs') return strings(fields['objname']).join('.');
    if (kind === 'TypeName') return strings(fields['names']).join('.');
    return '';
  });
}

/** The value of a SET as one text; undefined for DEFAULT and RESET. What is not a constant is taken as it may be worst. */
function settingValue(fields: NodeFields): string | undefined {
  if (fields['kind'] !== 'VAR_SET_VALUE') return fields['kind'] === 'VAR_SET_CURRENT' ? '(current)' : undefined;
  const values = (Array.isArray(fields['args']) ? fields['args'] : []).map(constant);
  return values.map((value) => (value === undefined ? '(expression)' : String(value))).join(', ');
}
