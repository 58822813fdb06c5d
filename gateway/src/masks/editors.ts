import type { Catalog, Output, StatementLineage } from '@sluice/analysis';
import {
  type Detector,
  type HiddenColumns,
  type ResultColumn,
  type RowEditor,
  type StreamEditor,
  Unmasked,
} from '@sluice/contract';
import type { AppliedMask } from '@sluice/guardrails';
import {
  type CellMask,
  type ColumnMask,
  CopyMask,
  type DetectorOptions,
  ENTITIES,
  type Entity,
  type Format,
  LargeRows,
  type Mode,
  type PgType,
  RowMasking,
  Unmaskable,
  builtIn,
  cellMaskOf,
  streamEditor,
  unreadableValues,
} from '@sluice/masking';
import type { Meaning } from './catalogs.js';
import { type MaskedColumns, stricter } from './columns.js';
import { copyFormat } from './copy.js';
import { type HiddenColumn, hiddenBy, whyNotFollowed } from './hidden.js';
import { typeOf } from './types.js';

/** For rows of more than 16 MiB, in bytes: one of them, and all that are on their way to clients at one time. */
const LARGE_ROWS = new LargeRows({ row: 128 * 1024 * 1024, together: 192 * 1024 * 1024 });

/** All that decides what becomes of a result. */
export interface Rules {
  readonly meaning: Meaning;
  readonly masked: MaskedColumns;
  readonly masks: readonly AppliedMask[];
  readonly key: Uint8Array;
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** The session has tables of its own, which are not in the catalog. */
  readonly temporary: boolean;
  /** Why nothing is known of a statement that has no lineage: a phrase. */
  readonly unfollowed: string;
  /** Told which columns of a result are NULL because nothing better is known of them. */
  readonly announce: (columns: readonly HiddenColumn[]) => HiddenColumns;
  /** Told that single values of a result were of no form that their mask reads. */
  readonly announceUnreadable: () => HiddenColumns;
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
  const rows = new RowMasking(masks, { count: rules.count, large: LARGE_ROWS });
  const hidden = hiddenIn(rules, lineage, outputs, masks, (at) => columns[at]?.name);
  return guarded({
    hidden,
    late: once(() => (rows.unreadable ? rules.announceUnreadable() : undefined)),
    push: (bytes, memory) => rows.push(bytes, memory),
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
  const rows = new CopyMask(
    copyFormat(rules.meaning.lineage, text, statement, names),
    masks.map((column) => {
      const mask = cellMaskOf(column);
      return mask && counted(mask, rules.count);
    }),
    undefined,
    LARGE_ROWS,
  );
  const hidden = hiddenIn(rules, lineage, outputs, masks, (at) => outputs?.[at]?.name);
  let unreadable = false;
  const watched = <T>(step: () => T): T => {
    const before = unreadableValues();
    const made = step();
    unreadable ||= unreadableValues() > before;
    return made;
  };
  return guarded({
    hidden,
    late: once(() => (unreadable ? rules.announceUnreadable() : undefined)),
    push: (bytes) => watched(() => rows.push(bytes)),
    end: () => watched(() => rows.end()),
  });
}

/** Until there is something to be said, and not again after that. */
function once(ask: () => HiddenColumns | undefined): () => HiddenColumns | undefined {
  let said = false;
  return () => {
    const told = said ? undefined : ask();
    said ||= told !== undefined;
    return told;
  };
}

/** The columns that are NULL because nothing better is known of them. */
function hiddenIn(
  { meaning, unfollowed, announce }: Rules,
  lineage: StatementLineage | undefined,
  outputs: readonly Output[] | undefined,
  masks: readonly (ColumnMask | undefined)[],
  nameOf: (at: number) => string | undefined,
): HiddenColumns | undefined {
  const hidden = masks.flatMap((mask, at): HiddenColumn[] => {
    if (!mask) return [];
    const why = whyNotFollowed(outputs?.[at], meaning.catalog, lineage?.unknown ?? unfollowed);
    const column = hiddenBy(mask, nameOf(at) ?? String(at + 1), why);
    return column ? [column] : [];
  });
  return hidden.length > 0 ? announce(hidden) : undefined;
}

const counted = (mask: CellMask, count: (cells: number) => void): CellMask => {
  const counting: CellMask = (bytes, start, end) => {
    const value = mask(bytes, start, end);
    if (value !== undefined) count(1);
    return value;
  };
  return mask.replacesNull ? Object.assign(counting, { replacesNull: true as const }) : counting;
};

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
export function maskOf(
  { meaning, masked, masks, key }: Rules,
  output: Output | undefined,
  type: PgType | undefined,
  format: Format,
): ColumnMask | undefined {
  if (masked.size > 0 && whyNotFollowed(output, meaning.catalog, '') !== undefined) return NULL;
  const rule = output && ruleFor(output, masked);
  if (rule) {
    const { mask, entity } = rule;
    if (!type) return NULL;
    const options = { mode: modeOf(mask), key, entity };
    // We cannot tell which part of a computed value came from the masked column, nor what its absence says.
    return { type: output.kind === 'direct' ? 'column' : 'fixed', of: type, format, options };
  }
  const detecting = detectors(masks, key);
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
const modeOf = ({ with: mode }: AppliedMask): Mode =>
  mode.type === 'partial' ? { type: 'partial', ...(mode.keepLast !== undefined && { keepLast: mode.keepLast }) } : mode;

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

export const entityOf = (detector: Detector): Entity | undefined =>
  ENTITIES.find((entity) => entity === detector.toUpperCase());

const made = new WeakMap<readonly AppliedMask[], DetectorOptions | undefined>();

function detectors(masks: readonly AppliedMask[], key: Uint8Array): DetectorOptions | undefined {
  if (made.has(masks)) return made.get(masks);
  const chosen = new Map<Entity, AppliedMask>();
  for (const mask of masks) {
    for (const detector of mask.detect) {
      const entity = entityOf(detector);
      const known = entity && chosen.get(entity);
      if (entity) chosen.set(entity, known ? stricter(known, mask) : mask);
    }
  }
  const modes = new Map([...chosen].map(([entity, mask]) => [entity, modeOf(mask)] as const));
  const options = modes.size > 0 ? { modes, key } : undefined;
  made.set(masks, options);
  return options;
}

/** Masks of detectors in what a program prints; undefined where no rule has any. Masks of columns have nothing to do there. */
export function streamEditors(masks: readonly AppliedMask[], key: Uint8Array): (() => StreamEditor) | undefined {
  const options = detectors(masks, key);
  return options && ((): StreamEditor => streamEditor(options));
}

/** Rows that cannot be masked are for the contract's word, whoever found it out. */
function guarded({ push, end, ...told }: RowEditor): RowEditor {
  const unmasked = (error: unknown): never => {
    if (!(error instanceof Unmaskable)) throw error;
    throw new Unmasked(`The result cannot be masked: ${error.message}.`);
  };
  return {
    ...told,
    push: (bytes, memory) => {
      try {
        const made = push(bytes, memory);
        return made instanceof Promise ? made.catch(unmasked) : made;
      } catch (error) {
        return unmasked(error);
      }
    },
    end: () => {
      try {
        return end();
      } catch (error) {
        return unmasked(error);
      }
    },
  };
}
