/**
 * What a definition of MySQL and MariaDB costs whoever uses the tables meanwhile. Owns: the words for it. Does not: read definitions
 * (read.ts, alter-table.ts), nor look at a server.
 */
import { COMMON_DANGERS, type DangerWords, dangerWords } from '@sluice/analysis';
import type { DefinitionCost } from '@sluice/contract';

/**
 * The least that an InnoDB table in the usual row format needs for a change. `instant`: ALGORITHM=INSTANT. `nocopy`: ALGORITHM=INPLACE,
 * LOCK=NONE, and no row is written anew. `inplace`: the same, and the rows are written anew. `shared`: ALGORITHM=INPLACE while nobody
 * can write. `copy`: ALGORITHM=COPY while nobody can write. `depends`: on what the text does not say. `unknown`: nobody here reads it.
 */
const WAYS = ['instant', 'nocopy', 'inplace', 'shared', 'copy', 'depends', 'unknown'] as const;
export type Way = (typeof WAYS)[number];

/** What others cannot do while it works, in the words of the LOCK clause: nothing is forbidden, writing, reading and writing. */
export type LockMode = 'none' | 'shared' | 'exclusive';

export const DANGERS = {
  ...COMMON_DANGERS,
  'instant-not-named': dangerWords(
    'It needs to touch no row, but where that is impossible for this table (another engine, ROW_FORMAT=COMPRESSED, a FULLTEXT index) the server copies it without a word.',
    'Add ALGORITHM=INSTANT: the server then refuses what it cannot do at once.',
  ),
  'online-not-named': dangerWords(
    'It can be done while others read and write, but where that is impossible for this table the server keeps writers out, or copies it, without a word.',
    'Add ALGORITHM=INPLACE, LOCK=NONE: the server then refuses instead. DROP INDEX of MariaDB has no room for that, ALTER TABLE ... DROP INDEX has.',
  ),
  'may-copy': dangerWords(
    'Whether the table is copied while nobody can write to it depends on what was there before.',
    'Add ALGORITHM=INSTANT, and if the server refuses that ALGORITHM=INPLACE, LOCK=NONE: neither copies in silence. If both are refused, add a new column and fill it in batches.',
  ),
  'blocks-writes': dangerWords(
    'The whole table is worked on while nobody can write to it.',
    'Do it when nobody needs the table, or with a program that copies it beside and follows changes (gh-ost, pt-online-schema-change).',
  ),
  copies: dangerWords(
    'The whole table is copied while nobody can write to it.',
    'Do it when nobody needs the table, or with a program that copies it beside and follows changes (gh-ost, pt-online-schema-change).',
  ),
  'cost-not-known': dangerWords(
    'What it costs is not known here: the server may copy the table while nobody can use it.',
    'Try it on a copy of the table first, and do each change in a statement of its own.',
  ),
} as const satisfies Readonly<Record<string, DangerWords>>;

/** What is known to hurt whoever runs it on a table in use. */
export type Danger = keyof typeof DANGERS;

/** What one statement costs, in the words of MySQL. Without a lock: no table that was there before is touched. */
export interface Cost extends DefinitionCost {
  readonly lock?: { readonly mode: LockMode; readonly on: readonly string[] };
  readonly dangers: readonly Danger[];
  /** Of ALTER TABLE, CREATE INDEX and DROP INDEX. */
  readonly way?: Way;
}

/** Changes of one table, added up. */
export class ChangeSum {
  readonly #dangers = new Set<Danger>();
  readonly #on: string[];
  #way: Way = 'instant';
  reversible = true;
  /** Whatever the table is like, ALGORITHM=INPLACE writes no row of it anew, and reads none. */
  keepsRows = true;
  readsNone = true;
  /** A column comes or goes: at once only where nothing else has to be done. */
  reshapes = false;
  /** The table gets another name, which nobody can use it for meanwhile. */
  moves = false;
  algorithm = '';
  lock = '';

  constructor(table: string) {
    this.#on = [table];
  }

  add(way: Way, rows: 'light' | 'read' | 'written' = 'written'): void {
    if (WAYS.indexOf(way) > WAYS.indexOf(this.#way)) this.#way = way;
    if (rows !== 'light') this.readsNone = false;
    if (rows === 'written') this.keepsRows = false;
  }

  get way(): Way {
    return this.reshapes && this.#way === 'nocopy' ? 'inplace' : this.#way;
  }

  danger(danger: Danger): void {
    this.#dangers.add(danger);
  }

  alsoOn(table: string): void {
    this.#on.push(table);
  }

  /** ALGORITHM and LOCK are promises that the server keeps or refuses, for ways that are known. Without them it may do the worst. */
  get cost(): Cost {
    const { way, algorithm, reversible } = this;
    const known = way !== 'unknown';
    const instant = known && algorithm === 'INSTANT';
    const keeps = instant || (known && (algorithm === 'NOCOPY' || (algorithm === 'INPLACE' && this.keepsRows)));
    this.#warn();
    return {
      lock: { mode: this.#mode(known, instant), on: this.#on },
      rewrites: !keeps,
      scans: !instant && !(keeps && this.readsNone),
      reversible: known && reversible,
      dangers: [...this.#dangers],
      way,
    };
  }

  #mode(known: boolean, instant: boolean): LockMode {
    if (!known || this.moves || this.lock === 'EXCLUSIVE') return 'exclusive';
    return instant || this.lock === 'NONE' ? 'none' : 'shared';
  }

  #warn(): void {
    const danger = this.#dangerOfWay();
    if (danger) this.danger(danger);
  }

  #dangerOfWay(): Danger | undefined {
    const { way, algorithm, lock } = this;
    if (way === 'unknown') return 'cost-not-known';
    if (way === 'copy' || algorithm === 'COPY') return 'copies';
    if (way === 'shared') return 'blocks-writes';
    const promised = algorithm === 'INSTANT' || (IN_PLACE.has(algorithm) && lock === 'NONE');
    if (promised) return undefined;
    return way === 'instant' ? 'instant-not-named' : way === 'depends' ? 'may-copy' : 'online-not-named';
  }
}

const IN_PLACE: ReadonlySet<string> = new Set(['INPLACE', 'NOCOPY']);
