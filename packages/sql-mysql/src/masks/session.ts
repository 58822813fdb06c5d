/**
 * What masks follow of one session: what its names and variables stand for, as far as the target has confirmed it. Owns: when an effect
 * of a statement counts. Does not: what the effects are (lineage), nor what becomes of rows (editors.ts).
 */
import type { HiddenWords, MaskPlan, MaskPlanner, NotFollowed } from '@sluice/analysis';
import {
  type AppliedMask,
  type Facts,
  type MaskedPackets,
  type MySqlDialect,
  type PacketMasking,
  type SqlCommand,
  Unmasked,
} from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import {
  type SessionEffect,
  type SessionNames,
  type StatementLineage,
  type FlowTarget,
  afterEffects,
  maybeAfter,
  newSession,
} from '../lineage/index.js';
import { type LargeRows, RowRoom } from '@sluice/masking';
import { Backend, type Pooled, type Unfit } from './backend.js';
import type { Meaning, TargetCatalog } from './catalogs.js';
import { type MaskedColumns, ruledColumns } from './columns.js';
import { definedBy } from './definitions.js';
import { type EditorRules, resultEditor } from './editors.js';
import { withoutValues } from './errors.js';
import { TOO_LONG, follow } from './follow.js';
import { UNREADABLE, announcement, hiddenAhead, hiddenColumn, isNotFollowed, refusalOf } from './hidden.js';
import { Judged } from './judged.js';
import { type Concern, concernOf, isHit } from './use.js';
import { showsWarnings, withWarnings } from './warnings.js';

/** Commands that were planned and have not been answered. Beyond it nothing is known of the session any more. */
const MAX_OPEN_PLANS = 1_000;

/** Who hears of what masks meet. */
export interface MaskListener {
  /** Patterns of rules that no column fits. */
  readonly onUnmatched: (patterns: readonly string[]) => void;
  /** The target does not do for masks. */
  readonly onUnfit: (unfit: Unfit) => void;
  /** So many cells were given another value. */
  readonly count: (cells: number) => void;
}

/** A command between its plan and the end of its answer. */
interface OpenPlan {
  readonly command: number;
  readonly effects: readonly SessionEffect[];
}

/** What is fixed for a session. */
export interface MaskSettings {
  /** For pseudonyms. */
  readonly key: Uint8Array;
  /** Memory of long rows, which all sessions share. */
  readonly rows: LargeRows;
  readonly pooled: Pooled;
}

export class MySqlMaskSession implements MaskPlanner, MaskedPackets {
  readonly #catalog: TargetCatalog;
  readonly #key: Uint8Array;
  readonly #told: MaskListener;
  readonly #backend: Backend;
  readonly room: RowRoom;
  #onStalled: () => void = () => undefined;
  #session: SessionNames = newSession();
  #open: OpenPlan[] = [];
  /** What defines something, was sent, and has not been answered. */
  readonly #running = new Set<Judged>();
  /** The target's number of the connection. */
  #thread: number | undefined;
  /** What the gateway itself has to say of the last statement that has warnings. */
  #warnings: readonly HiddenWords[] = [];

  constructor(catalog: TargetCatalog, { key, rows, pooled }: MaskSettings, told: MaskListener) {
    this.#catalog = catalog;
    this.#key = key;
    this.#backend = new Backend(pooled);
    this.#told = told;
    this.room = new RowRoom(rows, { onStalled: () => this.#onStalled() });
  }

  /** `onStalled` has to end the session, since it keeps some of the memory of long rows and others wait. */
  belongsTo(person: string, onStalled: () => void): void {
    this.room.person = person;
    this.#onStalled = onStalled;
  }

  /** The connection is gone. */
  closed(): void {
    this.room.clear();
    for (const one of this.#running) one.unheard(this.#thread);
  }

  met(greeted: number, found: string | null): string | undefined {
    this.#thread = Number(found ?? greeted);
    const unfit = this.#backend.met(greeted, found);
    if (!unfit) return undefined;
    this.#told.onUnfit(unfit);
    return `${unfit.message} ${unfit.hint}`;
  }

  /** A statement that is prepared shows nothing, and its names are looked up again when it is run. */
  prepare(): undefined {
    return undefined;
  }

  /** The target has made the session new (COM_RESET_CONNECTION, COM_CHANGE_USER). */
  reset(): void {
    this.#session = newSession();
    this.#open = [];
    this.#warnings = [];
  }

  /** At once while the catalog is fresh. Rejects when it cannot be read. */
  plan(
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
    wish: NotFollowed = 'mask',
  ): MaskPlan | Promise<MaskPlan> {
    const meaning = this.#catalog.get();
    if (!(meaning instanceof Promise)) return this.#plan(meaning, command, facts, masks, wish);
    return meaning.then((late) => this.#plan(late, command, facts, masks, wish));
  }

  #plan(
    meaning: Meaning,
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
    wish: NotFollowed,
  ): MaskPlan {
    const { catalog } = meaning;
    const { masked, counted, guarded, unmatched } = ruledColumns(catalog, masks);
    if (unmatched.length > 0) this.#told.onUnmatched(unmatched);
    const dialect = dialectOf(command);
    const session = this.#sessionFor(command, dialect);
    const lineage = follow(catalog, session, command.text, facts.digest, dialect);
    const told: HiddenWords[] = [];
    const rules: EditorRules = {
      catalog,
      masked,
      counted,
      isGuarded: guarded.size > 0,
      masks,
      key: this.#key,
      session,
      count: this.#told.count,
      announce: (columns) => told.push(announcement(columns)),
      announceUnreadable: () => told.push(UNREADABLE),
    };
    const concern = guardedConcern(lineage, { masked, guarded }, catalog, facts);
    const hidden = wish === 'mask' || guarded.size === 0 ? [] : hiddenColumns(lineage, rules, facts);
    const notFollowed = hidden.filter(isNotFollowed);
    const refusal =
      wish === 'refuse' && notFollowed.length > 0 ? refusalOf(notFollowed) : this.#refusal(lineage, guarded, catalog);
    if (!refusal) this.#opened(command, lineage);
    const isRuled = masks.length > 0;
    const followed = { text: command.text, digest: facts.digest, dialect, session, lineage, isRuled };
    const judged = new Judged(this.#catalog, meaning, followed, definedBy(facts, command, catalog));
    return {
      packets: this.#packets(command, { lineage, concern, judged }, rules, told),
      ...concern.used,
      hidden,
      ...(refusal && { refusal }),
    };
  }

  /** OK packets report what LAST_INSERT_ID() and settings were given, and no mask is between. */
  #refusal(lineage: StatementLineage | undefined, masked: MaskedColumns, catalog: Catalog): MaskPlan['refusal'] {
    const stored = lineage?.flows.find(
      ({ target, value }) =>
        isReported(target) && (value.unknown !== undefined || isHit(value.sources, masked, catalog)),
    )?.target;
    if (!stored || masked.size === 0) return undefined;
    const what = stored.type === 'setting' ? `The setting ${stored.name}` : 'LAST_INSERT_ID()';
    return {
      message: `${what} would be given a masked value, which the target reports to the client.`,
      hint: 'Use a variable of your own (SET @name = ...), whose values are masked.',
    };
  }

  /** What names mean to a command that is sent behind others whose answers have not come. */
  #sessionFor({ id }: SqlCommand, { database }: MySqlDialect): SessionNames {
    const before = this.#open.filter(({ command }) => command !== id);
    const session = before.reduce((known, { effects }) => maybeAfter(known, effects), this.#session);
    return session.database === database ? session : { ...session, database };
  }

  #opened({ id }: SqlCommand, lineage: StatementLineage | undefined): void {
    const effects = lineage?.effects ?? [LOST];
    this.#open = [...this.#open.filter(({ command }) => command !== id), { command: id, effects }];
    if (this.#open.length <= MAX_OPEN_PLANS) return;
    const [first, ...rest] = this.#open;
    this.#session = maybeAfter(this.#session, first?.effects ?? []);
    this.#open = rest;
  }

  /** Answers come in order: whatever was planned before this one and has no answer was never sent. */
  #answered(id: number, change: (effects: readonly SessionEffect[]) => void): void {
    const at = this.#open.findIndex(({ command }) => command === id);
    const own = this.#open[at];
    if (!own) return;
    this.#open = this.#open.slice(at + 1);
    change(own.effects);
  }

  #packets(
    { id, text }: SqlCommand,
    { lineage, concern: { isSecret }, judged }: Followed,
    rules: EditorRules,
    told: readonly HiddenWords[],
  ): PacketMasking {
    const shows = showsWarnings(text);
    // What shows the warnings of another statement leaves them as they are.
    const isOver = (): void => {
      if (shows === 'nothing') this.#warnings = told;
    };
    // The text of a PREPARE that is not written in it is quoted by errors, as code may say what it likes.
    const runsCode = lineage?.effects.some((one) => one.type === 'code' || preparesUnread(one)) ?? true;
    const hides = isSecret || (rules.isGuarded && runsCode);
    return {
      rows: (_result, columns, format, meter) =>
        this.#sure(() => {
          const editor = resultEditor({ ...rules, meter }, lineage, columns, format);
          return shows === 'all' ? withWarnings(editor, this.#warnings, columns, format) : editor;
        }),
      get warnings() {
        return shows === 'nothing' ? told.length : 0;
      },
      sent: () => {
        if (judged.sent()) this.#running.add(judged);
      },
      stands: () => judged.stands(),
      error: (payload) => {
        isOver();
        const { changed } = judged;
        this.#answered(id, (effects) => {
          this.#session = maybeAfter(this.#session, changed ?? effects);
        });
        return hides || changed ? withoutValues(payload, runsCode || changed !== undefined) : payload;
      },
      completed: () => {
        isOver();
        this.#answered(id, (effects) => {
          this.#session = afterEffects(this.#session, judged.changed ?? effects);
        });
      },
      ended: () => {
        judged.ended();
        this.#running.delete(judged);
      },
    };
  }

  /** Where the target describes something else than the catalog has, the catalog is read again before it is used again. */
  #sure<T>(edit: () => T): T {
    try {
      return edit();
    } catch (error) {
      if (error instanceof Unmasked) this.#catalog.changed();
      throw error;
    }
  }
}

const preparesUnread = (effect: SessionEffect): boolean => effect.type === 'prepare' && 'unread' in effect.prepared;

interface Followed {
  readonly lineage: StatementLineage | undefined;
  readonly concern: Concern;
  readonly judged: Judged;
}

/** What is counted may be asked anything, and leaves through answers alone. */
function guardedConcern(
  lineage: StatementLineage | undefined,
  { masked, guarded }: { readonly masked: MaskedColumns; readonly guarded: MaskedColumns },
  catalog: Catalog,
  facts: Facts,
): Concern {
  const concern = concernOf(lineage, masked, catalog, facts);
  if (guarded === masked) return concern;
  const { used, isSecret } = concernOf(lineage, guarded, catalog, facts);
  const moved = [...new Set([...concern.used.use.moved, ...used.use.moved])];
  const unsure = concern.used.unsure ?? (moved.length > 0 ? used.unsure : undefined);
  const use = { ...concern.used.use, moved };
  return { used: { ...concern.used, use, ...(unsure && { unsure }) }, isSecret };
}

const isReported = ({ type, ...target }: FlowTarget): boolean =>
  type === 'setting' || (type === 'function' && 'name' in target && target.name === 'last_insert_id');

const LOST: SessionEffect = { type: 'code', reason: 'runs after a statement that was not followed' };

const hiddenColumns = (
  lineage: StatementLineage | undefined,
  { catalog, masked }: EditorRules,
  facts: Facts,
): MaskPlan['hidden'] => (lineage ? hiddenAhead(lineage, catalog, masked, facts) : [hiddenColumn('', TOO_LONG)]);

function dialectOf({ dialect }: SqlCommand): MySqlDialect {
  if (dialect.name !== 'mysql') throw new TypeError(`masks of MySQL do not follow ${dialect.name}`);
  return dialect;
}
