/**
 * What masks know of one session. Owns: its names as the target has confirmed them, and the plan for each command. Does not:
 * frame rows (protocols/postgres), judge (gateway).
 */
import type { Node } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import { tooLong } from '../costly.js';
import { followedText } from '../digest.js';
import {
  type CompleteNames,
  EMPTY_OVERLAY,
  KEEPS,
  type SessionNames as NameSpace,
  type StatementLineage,
  afterEffects,
  afterLook,
  atIdle,
  inFailedBlock,
  rolledBack,
  lookText,
  newSession,
  readLook,
  splitSearchPath,
  storedIn,
  withInitial,
  withoutFunctions,
} from '../lineage/index.js';
import {
  type Facts,
  type LookQuestion,
  type MaskedSession,
  type Masking,
  type SqlCommand,
  Unmasked,
  type AppliedMask,
  type ResultDescription,
} from '@sluice/contract';
import { type MaskPlan, type MaskPlanner, type NotFollowed, NotNow, keptValues } from '@sluice/analysis';
import { type LargeRows, RowRoom, entityOf, textMaskOf } from '@sluice/masking';
import type { Meaning, TargetCatalog } from './catalogs.js';
import { type MaskedColumns, type RuledColumns, ruledColumns, touches } from './columns.js';
import { inTime, pooledSession, refusedForPooler } from './pooled.js';
import { Backend, type Beginning, type Pooled, type Unfit, WHO, readBeginning, readProcess } from './backend.js';
import { isReadInPart } from '../catalog/named.js';
import { changedNames, changesOwnersAlone, definesTables } from './changed-tables.js';
import { definesAway } from './definitions.js';
import { type Code, OWN_CODE, actionsOf, codeIn, codeThat, defines, effectsOf } from './effects.js';
import { type EditorRules, copyMasks, rowMasks } from './editors.js';
import { hiddenAhead, isNotFollowed } from './ahead.js';
import { mayTell, runsAlone } from './errors.js';
import { isOfNames } from './names-only.js';
import { LookUps } from './look-ups.js';
import { meantTables } from './meant.js';
import { changes, definesForAll, isForAll, isTransactionControl, knownUpTo, nodeIn } from './followed.js';
import { Announcer, refusalOf } from './hidden.js';
import { Standing } from './standing.js';
import { definedBy } from './defined.js';
import { OwnDefinitions, commitsOthers } from './own-definitions.js';
import { Timeouts } from './timeouts.js';
import { type Turn, behind, moves } from './turns.js';
import { NOTHING_COMPARED, unknownUse, useOf } from './use.js';

/** What is fixed for a session. */
export interface MaskSettings {
  /** The role at the target. */
  readonly user: string;
  readonly pooled: Pooled;
  /** For pseudonyms. */
  readonly key: Uint8Array;
  /** The memory of long rows, which all sessions share. */
  readonly rows: LargeRows;
}

/** Who hears of what masks meet. */
export interface MaskListener {
  /** Patterns of rules that no column fits. */
  readonly onUnmatched: (patterns: readonly string[]) => void;
  /** The target does not do for masks. */
  readonly onUnfit: (unfit: Unfit) => void;
  /** So many cells were given another value. */
  readonly count: (cells: number) => void;
}

/** What is not known may have been made a moment ago by somebody else, of whom the gateway knows nothing. */
const isOfUnknownName = ({ refusal, unsure }: MaskPlan): boolean =>
  refusal?.unknownName === true || unsure?.unknownName === true;

/**
 * What masks know of one session: what its names mean, as far as the target has confirmed it. Follows the statements that
 * change that, and takes them back when the target rolls back.
 */
export class MaskSession implements MaskedSession, MaskPlanner {
  readonly #catalog: TargetCatalog;
  readonly #user: string;
  readonly #key: Uint8Array;
  readonly #told: MaskListener;
  readonly #backend: Backend;
  readonly #announcer = new Announcer();
  readonly #room: RowRoom;
  readonly texts = textMaskOf(() => this.#touched);
  #onStalled: () => void = () => undefined;
  /** What each transaction starts from, with a pooler that gives it another process of the server. */
  readonly #fresh: NameSpace | undefined;
  readonly #isPooled: boolean;
  /** Something was prepared since the target was last ready. */
  #prepared = false;
  #names: NameSpace | undefined;
  #status: 'idle' | 'open' | 'failed' | 'new' = 'new';
  /** Since the target was last ready: an error; in this transaction: definitions that others do not see yet. */
  #failed = false;
  #defined = false;
  /** In this transaction: tables that are defined, or more than that. They are read again when it is over. */
  #tables: ReadonlySet<string> | 'and more' = NO_TABLES;
  /** Commands that may define something for others, and of which the target has not said yet what came of them. */
  #defining = 0;
  /** In this transaction: something touched masked columns. What is checked at its end may print their values. */
  #touched = false;
  /** In this transaction: code that nobody read has run; and it was a text of the client's own (DO, CALL). */
  #code: string | undefined;
  #ownCode = false;
  /** In this transaction: a look found what its end may take back (SET LOCAL). Why it was needed. */
  #lookedInside: string | undefined;
  /** By this session: code that nobody read has run, or messages of the protocol have made names. */
  #madeNames: { readonly code: boolean; readonly statement: boolean; readonly portal: boolean } = NO_NAMES_MADE;
  /** What was looked at already, and could not be made out. */
  #looked: NameSpace | undefined;
  #meaning: Meaning | undefined;
  readonly #timeouts = new Timeouts();
  readonly #lookUps = new LookUps();
  readonly #own: OwnDefinitions;

  constructor(catalog: TargetCatalog, { user, pooled, key, rows }: MaskSettings, told: MaskListener) {
    this.#room = new RowRoom(rows, { onStalled: () => this.#onStalled() });
    this.#backend = new Backend(pooled, told.onUnfit);
    this.#fresh = pooled === 'transaction' ? pooledSession(user) : undefined;
    this.#isPooled = pooled !== undefined;
    this.#catalog = catalog;
    this.#own = new OwnDefinitions(catalog.underWay, this);
    this.#user = user;
    this.#key = key;
    this.#told = told;
  }

  /**
   * At once while the catalog is fresh. Rejects when it cannot be read, with a NotNow for what can be judged later. The
   * end of a transaction never waits for the catalog: that may be waiting for the transaction.
   */
  plan(
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
    wish: NotFollowed = 'mask',
  ): MaskPlan | Promise<MaskPlan> {
    // With a pooler BEGIN waits: the transaction has a process to itself, and may hold the one that a look-up needs.
    const waits = this.#fresh !== undefined && this.#status === 'idle';
    const known = isTransactionControl(facts) && !waits ? this.#catalog.known : undefined;
    const meaning = known ?? this.#meaningFor(command.text, facts);
    const held = this.#fresh && (this.#prepared || this.#status === 'open');
    const wait = (late: Promise<Meaning>): Promise<Meaning> => (held ? inTime(late) : late);
    const planned = (now: Meaning, asked: SqlCommand): MaskPlan => this.#plan(now, asked, facts, masks, wish);
    // What code has done in a transaction is found by comparing with what was read as a whole.
    const needsAll = ({ masking }: MaskPlan, now: Meaning): boolean =>
      masking?.runsCode === true && this.#status === 'open' && isReadInPart(now.catalog);
    // Where it is not known whether there is more, what was known counts.
    const sure = (plan: MaskPlan, now: Meaning, asked: SqlCommand): MaskPlan | Promise<MaskPlan> => {
      const read = (): Promise<Meaning> => wait(this.#catalog.refresh());
      const isAll = needsAll(plan, now);
      const late = isAll ? read() : isOfUnknownName(plan) ? this.#lookUps.read(read) : undefined;
      if (!late) return plan;
      const kept = keptValues(asked);
      return late.then(
        (all) => (all === now ? plan : planned(all, kept)),
        () => plan,
      );
    };
    if (meaning instanceof Promise) {
      const kept = keptValues(command);
      return wait(meaning).then((late) => sure(planned(late, kept), late, kept));
    }
    return sure(planned(meaning, command), meaning, command);
  }

  #meaningFor(text: string, facts: Facts): Meaning | Promise<Meaning> {
    if (!definesTables(facts)) return this.#catalog.get();
    const { fresh } = this.#catalog;
    if (fresh && !tooLong(text) && changesOwnersAlone(fresh.lineage, facts, text)) return fresh;
    return this.#catalog.getFor(text);
  }

  /** Names that only one role has (`$user`) are left to lineage. */
  async meant(command: SqlCommand, facts: Facts): Promise<readonly (readonly string[] | undefined)[]> {
    if (isTransactionControl(facts)) return facts.statements.map(() => []);
    const meaning = await this.#catalog.get();
    const names = this.#names ?? this.#fresh ?? newSession(this.#user, splitSearchPath(meaning.searchPath));
    const read = followedText(command.text, facts.digest);
    return read === undefined || this.#defined ? [] : meantTables(meaning, read, facts, names);
  }

  /** Before a Parse, with which a pooler gives the session a process: what is to be looked up on another is looked up now. */
  prepare(): Promise<unknown> | undefined {
    if (!this.#fresh) return undefined;
    const known = this.#prepared || this.#status === 'open' ? undefined : this.#catalog.get();
    this.#prepared = true;
    return known instanceof Promise ? known : undefined;
  }

  /**
   * The memory of long rows is shared: `onStalled` has to end the session, since it keeps some and others wait.
   */
  belongsTo(person: string, onStalled: () => void): void {
    this.#room.person = person;
    this.#onStalled = onStalled;
  }

  /** Where no code has run that could have put others in their places, and no schema of the path comes before them. */
  get ownTables(): ReadonlySet<string> {
    const { searchPath, anyPath, overlay } = this.#names ?? {};
    const at = searchPath?.indexOf('pg_temp') ?? -1;
    if (!overlay || anyPath !== undefined || overlay.uncertain !== undefined || at > 0 || this.#defined)
      return new Set();
    const own = [...overlay.relations.values()].filter(
      ({ permanent, written, view, sequence }) =>
        permanent === undefined && written === undefined && !view && !sequence,
    );
    return new Set(own.map(({ name }) => name));
  }

  /** The connection is gone. What it was doing at the target may have been done all the same, and nobody was told. */
  closed(): void {
    this.#room.clear();
    if (this.#defining > 0 || this.#ownCode || this.#tables !== NO_TABLES) this.#catalog.doubted();
    this.#own.close();
  }

  /** Returns what to call when the target has said what came of a command. */
  #begins(mayDefine: boolean): () => void {
    if (!mayDefine) return () => undefined;
    this.#defining++;
    let isOver = false;
    return () => {
      if (!isOver) this.#defining--;
      isOver = true;
    };
  }

  ready(status: 'idle' | 'open' | 'failed', isDone = false): void {
    this.#room.clear();
    const failed = this.#failed;
    this.#failed = false;
    const before = this.#status;
    this.#status = status;
    this.#prepared = false;
    if (this.#names) this.#isReady(this.#names, status, before, failed);
    this.#own.ready(status, isDone);
  }

  #isReady(
    known: NameSpace,
    status: 'idle' | 'open' | 'failed',
    before: 'idle' | 'open' | 'failed' | 'new',
    failed: boolean,
  ): void {
    if (status === 'idle') {
      this.#timeouts.idle(failed);
      if (this.#ownCode || this.#tables === 'and more') this.#catalog.changed();
      else if (this.#tables.size > 0) this.#catalog.changed(this.#tables);
      this.#defined = false;
      this.#tables = NO_TABLES;
      this.#ownCode = false;
      this.#touched = false;
      // An error outside a block, or of the COMMIT itself: the target has undone all since its last transaction.
      const names = failed ? rolledBack(known) : known;
      const why = this.#code ?? this.#lookedInside;
      const effects =
        why === undefined ? [] : [codeThat(failed && this.#code !== undefined && this.#code !== KEEPS, why)];
      // What is deferred to the end of a transaction runs behind all that was set in it.
      if (this.#code === KEEPS) effects.push({ type: 'kept', reason: KEEPS });
      this.#names = atIdle(afterEffects(names, effects));
      this.#code = undefined;
      this.#lookedInside = undefined;
      if (before === 'new') this.#names = withInitial(this.#names);
      if (this.#fresh) this.#names = this.#fresh;
    }
    if (status !== 'failed') return;
    this.#names = inFailedBlock(known);
    this.#timeouts.blockFailed();
  }

  /** Of a Parse, a Sync or a refused command, which have no masking: the target undoes what came before all the same. */
  failed(): void {
    this.#failed = true;
  }

  knows(kind: 'statement' | 'portal', name: string): boolean {
    const { prepared, cursors } = this.#names?.overlay ?? EMPTY_OVERLAY;
    return (kind === 'statement' ? prepared : cursors).has(name);
  }

  taken(kind: 'statement' | 'portal', name: string): void {
    if (name !== '' && !this.#madeNames[kind]) this.#madeNames = { ...this.#madeNames, [kind]: true };
    if (!this.#names || !this.knows(kind, name)) return;
    this.#names = afterEffects(this.#names, [{ type: kind === 'statement' ? 'deallocate' : 'close', name }]);
  }

  namesNow(): NamesThen {
    return { catalog: this.#catalog.known?.catalog, own: this.#names?.overlay.relations ?? EMPTY_OVERLAY.relations };
  }

  /** What is dropped the target notices, and what is made in front of something else it does not. */
  isOutdated({ catalog, own }: NamesThen): boolean {
    const now = this.#names?.overlay.relations ?? EMPTY_OVERLAY.relations;
    return catalog !== this.#meaning?.catalog || (now !== own && [...now.keys()].some((name) => !own.has(name)));
  }

  /** Code that nobody read, or a masked value, may have been put into it. */
  hidesSetting(name: string): boolean {
    const kept = this.#names && storedIn(this.#names.overlay, name);
    return kept !== undefined && (kept.unknown !== undefined || kept.sources.size > 0);
  }

  opened(process: number): LookQuestion {
    return {
      text: WHO,
      answered: (value) => {
        const beginning = readBeginning(value);
        if (beginning) this.#begun(beginning);
        return this.#backend.opened(process, readProcess(value));
      },
    };
  }

  /** What the gateway's own connection has begun with may be of before a change of the role or the database (ALTER ROLE ... SET). */
  #begun({ path, role, user, timeouts }: Beginning): void {
    if (this.#fresh) return;
    this.#timeouts.begun(timeouts);
    const names = this.#names ?? newSession(user);
    this.#names = { ...names, searchPath: splitSearchPath(path), user, role: role === user ? undefined : role };
  }

  get pooled(): boolean {
    return this.#fresh !== undefined;
  }

  get needsLook(): boolean {
    if (this.#status !== 'idle' && this.#status !== 'open') return false;
    return this.#backend.due || this.#isUncertain;
  }

  get needsLookAfterChange(): boolean {
    return this.#fresh !== undefined || this.#code !== undefined || this.#lookedInside !== undefined;
  }

  get #isUncertain(): boolean {
    if (!this.#names || this.#names === this.#looked) return false;
    const { overlay, anyPath } = this.#names;
    return overlay.uncertain !== undefined || (anyPath !== undefined && this.#status === 'open');
  }

  look(): LookQuestion {
    if (!this.#isUncertain) return { text: WHO, answered: (value) => this.#backend.met(readProcess(value)) };
    const before = this.#names;
    const meaning = this.#meaning;
    this.#looked = before;
    return {
      text: lookText(this.#status === 'open' && before?.overlay.uncertain !== undefined),
      answered: (value) => {
        const look = value === undefined ? undefined : readLook(value);
        const met = this.#backend.met(look);
        if (this.#status === 'open') this.#lookedInside ??= before?.overlay.uncertain;
        if (!look || !before || !meaning) return met;
        this.#names = afterLook(before, look, meaning.catalog);
        return { ...met, statements: new Map(look.statements) };
      },
    };
  }

  #plan(
    meaning: Meaning,
    command: SqlCommand,
    facts: Facts,
    masks: readonly AppliedMask[],
    wish: NotFollowed,
  ): MaskPlan {
    // A look that failed, or met another catalog, may succeed after this command.
    if (this.#status === 'idle' || meaning !== this.#meaning) this.#looked = undefined;
    this.#meaning = meaning;
    const names = (this.#names ??= this.#fresh ?? newSession(this.#user, splitSearchPath(meaning.searchPath)));
    const ruled = columnsFor(meaning, masks);
    const { masked: columns, counted, guarded, enforced, unmatched } = ruled;
    if (unmatched.length > 0) this.#told.onUnmatched(unmatched);
    const rules: EditorRules = {
      meaning,
      masked: columns,
      counted,
      isGuarded: guarded.size > 0,
      masks,
      key: this.#key,
      count: this.#told.count,
      room: this.#room,
      temporary: this.#temporary,
      altered: this.#altered,
      unfollowed: this.#defined ? DEFINED_BEFORE : TOO_LONG,
      announce: (hidden) => this.#announcer.tell(command.text, hidden),
      announceUnreadable: () => this.#announcer.tellUnreadable(command.text),
    };
    const voidParameters = voidsIn(command);
    // What is bound may run on when a function of the session has been replaced.
    const fixed = command.parameters === undefined ? names : withoutFunctions(names);
    const complete = this.#completeNames;
    const session = {
      ...fixed,
      ...(voidParameters.length > 0 && { voidParameters }),
      ...(complete && { complete }),
    };
    const read = followedText(command.text, facts.digest);
    const followed = read === undefined ? undefined : meaning.lineage.of(read, meaning.catalog, session);
    const unread = followed?.find((one) => one.unread !== undefined)?.unread;
    if (unread !== undefined) {
      throw new NotNow(
        `the definition of ${unread} cannot be read while something that it reads is locked (by ALTER, TRUNCATE or LOCK TABLE) or defined anew; try again when that is over`,
      );
    }
    // Definitions of this transaction are not in the catalog that others see: what a name shows is not known.
    const lineage = this.#defined ? undefined : knownUpTo(followed, facts, enforced);
    const tells =
      mayTell(lineage, facts, guarded, meaning.catalog, names) ||
      (guarded.size > 0 && command.parameters?.some(({ type }) => meaning.catalog.checksByCode(type ?? 0)) === true) ||
      (guarded.size > 0 && lineage?.some((one) => touches(one, guarded, meaning.catalog)) === true);
    if (tells) this.#touched = true;
    // In a block, what came before shows in an error only at the end, and in the rows of cursors.
    const isOwn = (this.#status === 'open' || this.#status === 'failed') && runsAlone(lineage);
    const entities = new Set(enforced.flatMap(({ detect }) => detect.flatMap((name) => entityOf(name) ?? [])));
    const code = codeIn(followed, facts, this.#mayKeep(meaning));
    let answered = (): void => undefined;
    const defined = definedBy(followed, facts, command.text, meaning.catalog, this.#mayDefineMore);
    const turn = (): Turn => ({
      owner: this,
      facts,
      meaning,
      lineage: masks.length === 0 ? undefined : lineage,
      own: names.overlay.relations,
      defines: this.#own.takesEffect(defined, facts, { ranCode: this.#ownCode, isMore: this.#tables !== NO_TABLES }),
      bound: (isOpen) => this.#timeouts.bound(isOpen),
    });
    const standing =
      masks.length === 0
        ? undefined
        : new Standing(this.#catalog, this, {
            text: command.text,
            facts,
            meaning,
            lineage,
            columns: ruled,
            again: (late) => {
              const anew = read === undefined ? undefined : late.lineage.of(read, late.catalog, session);
              const now = lineage && knownUpTo(anew, facts, enforced);
              return { meaning: late, lineage: now, columns: columnsFor(late, masks) };
            },
            asksWhenSlow: this.#fresh === undefined,
            inTime: (lookup) => (this.#fresh ? inTime(lookup) : lookup),
          });
    const ended = this.#begins(code !== undefined || defines(facts) || facts.actions.some(commitsOthers));
    const masking: Masking = {
      // What a transaction has moved is looked at before anything can commit it.
      changesSession: changes(followed, facts) || (standing !== undefined && this.#own.inBlock && moves(turn())),
      runsCode: code !== undefined,
      // Statements before it in the same text may have made a temporary table by now.
      // Without masks the session is followed for what names mean, and whatever the target describes may pass.
      rows: (statement, result, meter) =>
        masks.length === 0
          ? undefined
          : this.#sure(() => {
              const now = { ...rules, meter, temporary: this.#temporary, altered: this.#altered };
              const late = standing?.late(statement);
              if (late && late.lineage?.[statement]?.outputs.length === columnsIn(result))
                return rowMasks({ ...now, meaning: late.meaning }, late.lineage[statement], result);
              return rowMasks(now, lineage?.[statement], result);
            }),
      copy: (statement, formats, meter) =>
        masks.length === 0
          ? undefined
          : this.#sure(() => copyMasks({ ...rules, meter }, lineage?.[statement], command.text, statement, formats)),
      texts: textMaskOf(
        () => tells || standing?.isInDoubt === true || (!isOwn && this.#touched),
        entities,
        isOfNames(
          facts,
          (name) => names.overlay.relations.has(name) || meaning.catalog.relationsNamed(name).length > 0,
        ),
      ),
      behind: () => (this.#catalog.underWay.isQuiet ? undefined : behind(this.#catalog.underWay, turn())),
      sent: (stop) => {
        answered = this.#own.sends(turn(), defined, stop);
      },
      stands: (statement, goesOn) => standing?.check(statement, goesOn),
      failed: () => {
        ended();
        answered();
        this.#failed = true;
        // Code can commit what it did before it fails; what a statement runs beside itself cannot.
        if (code) this.#madeNames = { ...this.#madeNames, code: true };
        if (code && code.reason !== KEEPS)
          this.#names = afterEffects(this.#names ?? names, [this.#codeHasRun(code, followed)]);
      },
      completed: (statement) => {
        if (statement >= facts.statements.length - 1) {
          ended();
          answered();
        }
        if (endsBlock(facts.statements[statement])) this.#own.leftBlock();
        // What it did to the session by other definitions nobody has read.
        const hasFallen = standing?.hasFallen(statement) === true;
        this.#completed(hasFallen ? undefined : followed?.[statement], facts, statement, enforced, () =>
          nodeIn(meaning, read, statement),
        );
      },
    };
    const usedOf = (of: MaskedColumns): Pick<MaskPlan, 'use' | 'compared' | 'unsure'> =>
      lineage
        ? useOf(lineage, of, meaning, command, facts)
        : { use: unknownUse(facts, of), compared: NOTHING_COMPARED };
    const used = usedOf(columns);
    const { compared } = used;
    // What is counted may be asked anything, and leaves through answers alone.
    const byGuard = guarded === columns ? used : usedOf(guarded);
    const use = { ...used.use, moved: [...new Set([...used.use.moved, ...byGuard.use.moved])] };
    const unsure = used.unsure ?? (use.moved.length > 0 ? byGuard.unsure : undefined);
    const away = guarded.size > 0 && defines(facts) && definesAway(read, facts, meaning, guarded, enforced);
    const hiddenColumns =
      wish === 'mask' || guarded.size === 0 ? [] : hiddenAhead(command, facts, lineage, followed, rules);
    const notFollowed = hiddenColumns.filter(isNotFollowed);
    const pooled = this.#fresh && refusedForPooler(followed, facts, names);
    const refusal = pooled ?? (wish === 'refuse' && notFollowed.length > 0 ? refusalOf(notFollowed) : undefined);
    return {
      hidden: hiddenColumns,
      masking,
      compared,
      use: away ? { ...use, moved: [...use.moved, 'definition'] } : use,
      ...(refusal && { refusal }),
      ...(unsure !== undefined && { unsure }),
    };
  }

  /** Of texts that are not followed: what they change may run such code. */
  #mayKeep(meaning: Meaning | undefined): boolean {
    const { onRead, onWrite } = meaning?.catalog.guards.settingCode ?? { onRead: NO_OIDS, onWrite: NO_OIDS };
    return onRead.size + onWrite.size > 0;
  }

  /** The session has tables of its own, which no catalog of ours has. */
  get #temporary(): boolean {
    return (this.#names?.overlay.relations.size ?? 0) > 0;
  }

  /** Tables that this transaction has altered: pg_class.oid. */
  get #altered(): ReadonlySet<number> {
    const relations = [...(this.#names?.overlay.relations.values() ?? [])];
    return new Set(relations.flatMap(({ stored }) => (stored ? [stored.oid] : [])));
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

  #completed(
    lineage: StatementLineage | undefined,
    facts: Facts,
    statement: number,
    masks: readonly AppliedMask[],
    node: () => Node | undefined,
  ): void {
    if (!this.#names) return;
    const effects = effectsOf(lineage, facts, statement, this.#mayKeep(this.#meaning)).map((effect) =>
      effect.type === 'code' ? this.#codeHasRun(effect, lineage && [lineage]) : effect,
    );
    if (effects.some(({ type }) => type === 'uncertain')) this.#madeNames = { ...this.#madeNames, code: true };
    this.#names = afterEffects(this.#names, effects);
    this.#timeouts.follow(effects);
    // Nobody knows what another session has defined in it.
    if (actionsOf(facts, statement).some(commitsOthers)) this.#catalog.doubted();
    const isUnfollowed = definesForAll(lineage, facts, statement, masks);
    if (isUnfollowed) {
      this.#defined = true;
      this.#names = withoutFunctions(this.#names);
    }
    if (isUnfollowed || (defines(facts, statement) && lineage?.effects.some(isForAll)))
      this.#hasChanged(this.#meaning && changedNames(lineage, facts, statement, node(), this.#meaning.catalog));
  }

  /** An event trigger may define anything besides; a pooler keeps no plan for the next transaction. */
  get #mayDefineMore(): boolean {
    return this.#meaning?.catalog.guards.onDefinition !== false || this.#fresh !== undefined;
  }

  #hasChanged(tables: readonly string[] | undefined): void {
    if (!tables || this.#mayDefineMore) this.#tables = 'and more';
    else if (this.#tables !== 'and more' && tables.length > 0) this.#tables = new Set([...this.#tables, ...tables]);
  }

  /** Another session of a pooler may have made some in the same process. */
  get #completeNames(): CompleteNames | undefined {
    const { code, statement, portal } = this.#madeNames;
    const isUnsure = code || this.#isPooled || this.#names?.overlay.uncertain !== undefined;
    return isUnsure || (statement && portal) ? undefined : { prepared: !statement, cursors: !portal };
  }

  #codeHasRun(code: Code, lineage: readonly StatementLineage[] | undefined): Code {
    this.#madeNames = { ...this.#madeNames, code: true };
    this.#code = code.reason === KEEPS ? KEEPS : (this.#code ?? code.reason);
    if (code.reason === KEEPS) return code;
    if (!lineage || lineage.some(({ statement }) => OWN_CODE.has(statement))) this.#ownCode = true;
    return code;
  }
}

/** The catalog, and the relations of the session, by which a statement was prepared. */
interface NamesThen {
  readonly catalog: Catalog | undefined;
  readonly own: NameSpace['overlay']['relations'];
}

const NO_TABLES: ReadonlySet<string> = new Set();
const NO_NAMES_MADE = { code: false, statement: false, portal: false };
const NO_OIDS: ReadonlySet<number> = new Set();
const DEFINED_BEFORE = 'stands behind a definition in the same transaction';
const TOO_LONG = 'is too long to be followed';
const endsBlock = (effect: Facts['statements'][number] | undefined): boolean =>
  effect?.type === 'transaction' &&
  (effect.kind === 'commit' || effect.kind === 'rollback' || effect.kind === 'prepare');

const columnsIn = (result: ResultDescription): number => result.columns.length;

/** pg_type.oid of void. */
const VOID = 2278;
const voidsIn = ({ parameters = [] }: SqlCommand): number[] =>
  parameters.flatMap(({ type }, at) => (type === VOID ? [at + 1] : []));

const columnsOf = new WeakMap<Meaning, Map<string, RuledColumns>>();

/** The same rules mean the same columns as long as the catalog is the same. */
function columnsFor(meaning: Meaning, masks: readonly AppliedMask[]): RuledColumns {
  let known = columnsOf.get(meaning);
  if (!known) columnsOf.set(meaning, (known = new Map()));
  const key = JSON.stringify(masks);
  let columns = known.get(key);
  if (!columns) known.set(key, (columns = ruledColumns(meaning, masks)));
  return columns;
}
