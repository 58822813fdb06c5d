/** What the server calls an output that has no alias (FigureColname in parse_target.c). Pure. */
import { type NodeFields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';

export const nameOf = (value: unknown): string => figure(value)?.name ?? '?column?';

/** A weak name gives way to that of a type. */
interface Figured {
  readonly name: string;
  readonly weak?: true;
}

type Figure = (fields: NodeFields) => Figured | undefined;

const fixed =
  (name: string): Figure =>
  () => ({ name });

const FIGURES: Readonly<Record<string, Figure>> = {
  ColumnRef: ({ fields }) => last(strings(fields).filter((name) => name !== '*')),
  A_Indirection: ({ indirection, arg }) =>
    last(
      nodesOf(indirection).flatMap(({ kind, fields }) =>
        kind === 'String' ? [text(fields, 'sval') || text(fields, 'str')] : [],
      ),
    ) ?? figure(arg),
  FuncCall: ({ funcname }) => last(strings(funcname)),
  A_Expr: ({ kind }) => (kind === 'AEXPR_NULLIF' ? { name: 'nullif' } : undefined),
  TypeCast: ({ arg, typeName }) => {
    const inner = figure(arg);
    if (inner && !inner.weak) return inner;
    const name = isFields(typeName) ? strings(typeName['names']).at(-1) : undefined;
    return name === undefined ? inner : { name, weak: true };
  },
  CollateClause: ({ arg }) => figure(arg),
  GroupingFunc: fixed('grouping'),
  MergeSupportFunc: fixed('merge_action'),
  SubLink: ({ subLinkType, subselect }) => {
    if (subLinkType === 'EXISTS_SUBLINK') return { name: 'exists' };
    if (subLinkType === 'ARRAY_SUBLINK') return { name: 'array' };
    if (subLinkType !== 'EXPR_SUBLINK') return undefined;
    return firstTarget(nodeOf(subselect)?.fields);
  },
  CaseExpr: ({ defresult }) => {
    const inner = figure(defresult);
    return inner && !inner.weak ? inner : { name: 'case', weak: true };
  },
  A_ArrayExpr: fixed('array'),
  RowExpr: fixed('row'),
  CoalesceExpr: fixed('coalesce'),
  MinMaxExpr: ({ op }) => ({ name: op === 'IS_LEAST' ? 'least' : 'greatest' }),
  SQLValueFunction: ({ op }) => ({
    name: String(op)
      .replace(/^SVFOP_/, '')
      .replace(/_N$/, '')
      .toLowerCase(),
  }),
  XmlExpr: ({ op }) => (op === 'IS_DOCUMENT' ? undefined : { name: String(op).replace(/^IS_/, '').toLowerCase() }),
  XmlSerialize: fixed('xmlserialize'),
  JsonParseExpr: fixed('json'),
  JsonScalarExpr: fixed('json_scalar'),
  JsonSerializeExpr: fixed('json_serialize'),
  JsonObjectConstructor: fixed('json_object'),
  JsonArrayConstructor: fixed('json_array'),
  JsonArrayQueryConstructor: fixed('json_array'),
  JsonObjectAgg: fixed('json_objectagg'),
  JsonArrayAgg: fixed('json_arrayagg'),
  JsonFuncExpr: ({ op }) => ({ name: String(op).replace(/_OP$/, '').toLowerCase() }),
};

function figure(value: unknown): Figured | undefined {
  const node = nodeOf(value);
  const read = node && Object.hasOwn(FIGURES, node.kind) ? FIGURES[node.kind] : undefined;
  return node && read?.(node.fields);
}

function last(names: readonly string[]): Figured | undefined {
  const name = names.at(-1);
  return name === undefined || name === '*' ? undefined : { name };
}

function firstTarget(select: NodeFields | undefined): Figured | undefined {
  if (!select) return undefined;
  if (isFields(select['larg'])) return firstTarget(select['larg']);
  if (select['valuesLists'] !== undefined) return { name: 'column1' };
  const [target] = nodesOf(select['targetList']);
  if (!target) return undefined;
  const name = text(target.fields, 'name');
  return name === '' ? figure(target.fields['val']) : { name };
}
