import type { Catalog } from '../catalog/catalog.js';
import type { Output, StatementLineage } from '../lineage/index.js';
import { type ResultColumn, type RowEditor, Unmasked, type AppliedMask } from '@sluice/contract';
import {
  type ColumnMask,
  CopyMasking,
  type Format,
  type PgType,
  RowMasking,
  type RowRoom,
  Unmaskable,
  builtIn,
  cellMaskOf,
  detectorsOf,
  modeOf,
  stricter,
} from '@sluice/masking';
import type { Meaning } from './catalogs.js';
import type { MaskedColumns } from './columns.js';
import { copyFormat } from './copy.js';
import { typeOf } from './types.js';

/** All that decides what becomes of a result. */
export interface Rules {
  readonly meaning: Meaning;
  readonly masked: MaskedColumns;
  readonly masks: readonly AppliedMask[];
  readonly key: Uint8Array;
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** Of the session, for long rows. */
  readonly room: RowRoom;
  /** The session has tables of its own, which are not in the catalog. */
  readonly temporary: boolean;
}

/**
 * The editor for rows that the target has described like this; undefined when they may pass.
 *
 * @throws Unmasked when the description is not that of the result that was judged
 */
export function rowEditor(
  rules: Rules,
  lineage: StatementLineage | undefined,
  columns: readonly ResultColumn[],
): RowEditor | undefined {
  const outputs = agreed(rules, lineage, columns);
  const masks = columns.map((column, at) =>
    maskOf(rules, outputs?.[at], typeOf(rules.meaning.catalog, column.type, column.typmod), column.format),
  );
  if (masks.every((mask) => mask === undefined)) return undefined;
  const rows = new RowMasking(masks, rules);
  return guarded({
    push: (bytes, memory) => rows.push(bytes, memory),
    sent: (all) => rows.sent(all),
    end: () => {
      if (rows.pending > 0) throw new Unmasked('The rows of the target end in the middle of one.');
      return Buffer.alloc(0);
    },
  });
}

/** The same for COPY TO STDOUT. The target says nothing of types: they are those of the columns that are copied as they are. */
export function copyEditor(
  rules: Rules,
  lineage: StatementLineage | undefined,
  text: string,
  statement: number,
  formats: readonly Format[],
): RowEditor | undefined {
  const outputs = lineage?.unknown === undefined ? lineage?.outputs : undefined;
  if (outputs && outputs.length !== formats.length) throw mismatch(outputs.length, formats.length);
  const masks = formats.map((format, at) => {
    const output = outputs?.[at];
    return maskOf(rules, output, output && typeOfSource(rules, output), format);
  });
  if (masks.every((mask) => mask === undefined)) return undefined;
  const names = outputs?.map(({ name }) => name) ?? formats.map(() => '');
  const format = copyFormat(rules.meaning.lineage, text, statement, names);
  const rows = new CopyMasking(format, masks, rules);
  return guarded({
    push: (bytes) => rows.push(bytes),
    sent: (all) => rows.sent(all),
    end: () => {
      rows.end();
      return Buffer.alloc(0);
    },
  });
}

/** It comes from a column that is gone: which rule was for it is not known any more. */
export function isStale({ sources }: Pick<Output, 'sources'>, catalog: Catalog): boolean {
  for (const source of sources) if (catalog.base(source) !== source) return true;
  return false;
}

/** Type of a column that is given out as it is stored. */
function typeOfSource({ meaning: { catalog } }: Rules, { sources, kind }: Output): PgType | undefined {
  const [base] = sources;
  if (!base || sources.size > 1 || kind !== 'direct') return undefined;
  const attribute = catalog.relationByOid(base.relation)?.columns.find((one) => one.base === base);
  return attribute && typeOf(catalog, attribute.type, attribute.typmod);
}

/** The outputs, if they are known and the target describes the same. */
function agreed(
  { meaning: { catalog }, temporary }: Rules,
  lineage: StatementLineage | undefined,
  columns: readonly ResultColumn[],
): readonly Output[] | undefined {
  if (!lineage || lineage.unknown !== undefined) return undefined;
  const { outputs } = lineage;
  if (outputs.length !== columns.length) throw mismatch(outputs.length, columns.length);
  for (const [at, { name, table, attribute, type }] of columns.entries()) {
    const output = outputs[at] as Output;
    if (output.stored && output.unknown === undefined && described(catalog, output.type ?? 0) !== type) {
      throw new Unmasked(`The target says that column "${name}" is of another type than the statement does.`);
    }
    const relation = table === 0 ? undefined : catalog.relationByOid(table);
    if (table !== 0 && !relation && !temporary) {
      throw new Unmasked(`The target says that column "${name}" comes from a table that was not there before.`);
    }
    if (!relation || attribute <= 0 || output.unknown !== undefined) continue;
    const base = relation.columns.find((one) => one.base.attnum === attribute)?.base;
    if (!base || !catalog.roots(base).every((root) => output.sources.has(root))) {
      throw new Unmasked(`The target says that column "${name}" comes from elsewhere than the statement does.`);
    }
  }
  return outputs;
}

/** The type that a description has: of a domain, what it is made of (getBaseTypeAndTypmod in printtup.c). */
function described(catalog: Catalog, oid: number): number {
  let type = catalog.typeByOid(oid);
  while (type?.kind === 'd') type = catalog.typeByOid(type.base);
  return type?.oid ?? oid;
}

const mismatch = (expected: number, found: number): Unmasked =>
  new Unmasked(`The target describes ${found} columns where the statement has ${expected}.`);

/** What becomes of a column: undefined, it passes. */
function maskOf(
  { meaning, masked, masks, key }: Rules,
  output: Output | undefined,
  type: PgType | undefined,
  format: Format,
): ColumnMask | undefined {
  if (masked.size > 0 && (!output || output.unknown !== undefined || isStale(output, meaning.catalog))) return NULL;
  const rule = output && ruleFor(output, masked);
  if (rule) {
    const { mask, entity } = rule;
    if (!type) return NULL;
    const options = { mode: modeOf(mask), key, entity };
    // We cannot tell which part of a computed value came from the masked column, nor what its absence says.
    return { type: output.kind === 'direct' ? 'column' : 'fixed', of: type, format, options };
  }
  const detecting = detectorsOf(masks, key);
  if (!detecting) return undefined;
  const column = {
    type: 'detect',
    of: type ?? (format === 'text' ? TEXT : UNKNOWN),
    format,
    options: detecting,
  } as const;
  return cellMaskOf(column) && column;
}

const NULL: ColumnMask = { type: 'null' };
const TEXT = builtIn(25);
const UNKNOWN: PgType = { oid: 0, kind: 'pseudo' };
function ruleFor(
  { sources, counts }: Output,
  masked: MaskedColumns,
): { mask: AppliedMask; entity: string } | undefined {
  if (counts) return undefined;
  let found: { mask: AppliedMask; entity: string } | undefined;
  for (const source of sources) {
    const mask = masked.get(source);
    if (!mask) continue;
    const entity = source.name.slice(source.name.lastIndexOf('.') + 1).toUpperCase();
    found = found ? { mask: stricter(found.mask, mask), entity: found.entity } : { mask, entity };
  }
  return found;
}

/** Rows that cannot be masked are for the contract's word, whoever found it out. */
function guarded({ push, sent, end }: RowEditor): RowEditor {
  const unmasked = (error: unknown): never => {
    if (!(error instanceof Unmaskable)) throw error;
    throw new Unmasked(`The result cannot be masked: ${error.message}.`);
  };
  return {
    push: (bytes, memory) => {
      try {
        const made = push(bytes, memory);
        return made instanceof Promise ? made.catch(unmasked) : made;
      } catch (error) {
        return unmasked(error);
      }
    },
    sent,
    end: () => {
      try {
        return end();
      } catch (error) {
        return unmasked(error);
      }
    },
  };
}
