/** How COPY TO writes its rows, from the options of the statement. Pure. */
import type { Lineage } from '../lineage/index.js';
import { Unmasked } from '@sluice/contract';
import type { CopyFormat } from '@sluice/contract';

type NodeFields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is NodeFields => typeof value === 'object' && value !== null;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/**
 * How COPY TO writes its rows, from the options of the statement (documentation of COPY). An option that is not known is one
 * under which rows might be cut in the wrong places.
 *
 * @param names of the columns, in order
 */
export function copyFormat(lineage: Lineage, text: string, statement: number, names: readonly string[]): CopyFormat {
  const parsed = lineage.parse(text);
  if (!parsed.ok) throw new Unmasked('How this COPY writes its rows is not known: its text takes too long to be read.');
  const raw = parsed.statements[statement]?.['stmt'];
  const copy = isFields(raw) ? raw['CopyStmt'] : undefined;
  if (!isFields(copy)) throw new Unmasked('The target answers with COPY what is no COPY.');
  let format: CopyFormat = { format: 'text' };
  for (const item of list(copy['options'])) {
    const option = isFields(item) ? item['DefElem'] : undefined;
    if (isFields(option)) format = { ...format, ...read(String(option['defname']), option['arg'], names) };
  }
  return format;
}

function read(name: string, arg: unknown, names: readonly string[]): Partial<CopyFormat> {
  const value = literal(arg);
  switch (name) {
    case 'format':
      if (value === 'text' || value === 'csv' || value === 'binary') return { format: value };
      break;
    case 'delimiter':
    case 'null':
    case 'quote':
    case 'escape':
      if (typeof value === 'string') return { [name]: value };
      break;
    case 'header':
      if (arg === undefined || value === true || value === 'true' || value === 'on' || value === 1)
        return { header: true };
      if (value === false || value === 'false' || value === 'off' || value === 0) return { header: false };
      break;
    case 'force_quote': {
      const wanted = isFields(arg) && isFields(arg['List']) ? list(arg['List']['items']).map(literal) : undefined;
      return { forceQuote: names.map((column) => wanted?.includes(column) ?? true) };
    }
    default:
  }
  throw new Unmasked(`Columns are masked here, and the option "${name}" of COPY is not known well enough for that.`);
}

function literal(node: unknown): string | number | boolean | undefined {
  if (!isFields(node)) return undefined;
  for (const kind of ['String', 'Integer', 'Boolean']) {
    const value = node[kind];
    if (!isFields(value)) continue;
    if (kind === 'String') return String(value['sval'] ?? value['str'] ?? '');
    return kind === 'Integer' ? Number(value['ival'] ?? 0) : value['boolval'] === true;
  }
  return undefined;
}
