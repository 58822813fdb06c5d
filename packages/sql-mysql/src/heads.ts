/**
 * Reads definitions and administration: the verb, the objects, and the queries and expressions in the rest. Owns: that no query in
 * such a statement stays unseen. Does not: CREATE TABLE and CREATE VIEW (definitions.ts).
 */
import { costOf } from './definition-costs/read.js';
import { DefinitionParser, type KeepingDraft, nothingKept } from './definitions.js';
import type {
  CreateTable,
  CreateView,
  Expression,
  HeadStatement,
  HeadObject,
  Query,
  Statement,
  Transaction,
} from './tree.js';

/** A head while it is being read. */
interface HeadDraft {
  readonly start: number;
  verb: string;
  readonly objects: HeadObject[];
  readonly expressions: Expression[];
  readonly queries: Query[];
  readonly words: Set<string>;
  keeping?: KeepingDraft;
}

type Access = HeadObject['access'];

export abstract class HeadParser extends DefinitionParser {
  /** Code of routines that nobody reads here, so that its queries are not looked for. */
  #opaque = false;

  protected head(): HeadStatement | CreateTable | CreateView {
    const from = this.at;
    const read = this.#head();
    if (read.kind === 'create view') return read;
    const cost = costOf(this.tokens, from, this.last);
    return cost ? { ...read, cost } : read;
  }

  #head(): HeadStatement | CreateTable | CreateView {
    const start = this.start;
    switch (this.word()) {
      case 'CREATE':
        return this.#create(start);
      case 'ALTER':
        return this.#alter(start);
      case 'DROP':
        return this.#drop(start);
      case 'TRUNCATE':
        this.skip();
        this.takeWord('TABLE');
        return this.#named(start, 'truncate', 'table', 'destroy');
      case 'RENAME':
        return this.#rename(start);
      case 'GRANT':
      case 'REVOKE':
        return this.#grant(start);
      case 'LOCK':
        return this.#lockTables(start);
      case 'KILL':
        return this.#kill(start);
      default:
        return this.#plain(start);
    }
  }

  /** A head of which the verb is known; the next tokens are the rest. */
  protected headFrom(start: number, verb: string): HeadStatement {
    return this.#finished(this.#draft(start, verb));
  }

  #draft(start: number, verb: string): HeadDraft {
    return { start, verb, objects: [], expressions: [], queries: [], words: new Set() };
  }

  #create(start: number): HeadStatement | CreateTable | CreateView {
    this.skip();
    const modifiers = this.#modifiers();
    const type = this.word();
    if (type === 'TABLE') return this.createTable(start, modifiers);
    if (type === 'VIEW') return this.createView(start, false);
    if (type === '') throw this.error();
    this.skip();
    const draft = this.#draft(start, `create ${typeName(type)}`);
    for (const word of modifiers) draft.words.add(word);
    this.takeWords('IF', 'NOT', 'EXISTS');
    if (ROUTINES.has(type)) return this.#routine(draft, type);
    if (type === 'INDEX') {
      draft.words.add('INDEX');
      this.takeName();
      return this.#onTable(draft, 'define');
    }
    if (type === 'USER' || type === 'ROLE') return this.#users(draft, 'define');
    if (this.isName() || this.kind() === 'string') this.#object(draft, objectType(type), 'define');
    return this.#finished(draft);
  }

  /** OR REPLACE, TEMPORARY, DEFINER = x and the like, up to the type of what is made. */
  #modifiers(): Set<string> {
    const words = new Set<string>();
    for (;;) {
      const word = this.word();
      if (word === 'OR' && this.isWord('REPLACE', 1)) {
        words.add('REPLACE');
        this.skip(2);
      } else if (word === 'DEFINER' || word === 'ALGORITHM') {
        this.skip();
        this.expectSign('=');
        this.#user();
      } else if (word === 'SQL' && this.isWord('SECURITY', 1)) {
        this.skip(2);
        this.takeName();
      } else if (MODIFIERS.has(word)) {
        words.add(word);
        this.skip();
      } else return words;
    }
  }

  /** name, 'name'@'host', CURRENT_USER() */
  #user(): string {
    if (this.isWord('CURRENT_USER') || this.isWord('CURRENT_ROLE')) {
      const name = this.word().toLowerCase();
      this.skip();
      if (this.takeSign('(')) this.expectSign(')');
      return name;
    }
    const name = this.takeNameOrText();
    if (this.kind() !== 'variable') return name;
    const host = this.text();
    this.skip();
    return `${name}@${host}`;
  }

  #users(draft: HeadDraft, access: Access): HeadStatement {
    this.takeWords('IF', 'EXISTS');
    do {
      const start = this.start;
      if (!this.isName() && this.kind() !== 'string' && !this.isWord('CURRENT_USER')) break;
      const name = this.#user();
      draft.objects.push({ type: 'user', access, object: { name, ...this.span(start) } });
    } while (this.takeSign(','));
    return this.#finished(draft);
  }

  #object(draft: HeadDraft, type: HeadObject['type'], access: Access): void {
    const start = this.start;
    const object = this.kind() === 'string' ? { name: this.takeText(), ...this.span(start) } : this.objectName();
    draft.objects.push({ type, access, object });
  }

  /** ... ON t: of an index or a trigger. */
  #onTable(draft: HeadDraft, access: Access): HeadStatement {
    while (!this.done && !this.isWord('ON')) this.#step(draft);
    if (this.takeWord('ON')) this.#object(draft, 'table', access);
    if (draft.words.has('UNIQUE') && this.isSign('(')) this.keyParts((draft.keeping = nothingKept()));
    return this.#finished(draft);
  }

  /** Routines, triggers and events: what they do is code for later. */
  #routine(draft: HeadDraft, type: string): HeadStatement {
    if (type === 'PACKAGE') this.takeWord('BODY');
    this.takeWords('IF', 'NOT', 'EXISTS');
    this.#object(draft, 'routine', 'define');
    this.#opaque = true;
    for (; !this.done; this.skip()) {
      const word = this.word();
      if (word !== '') draft.words.add(word);
      if (type !== 'TRIGGER' || word !== 'ON' || draft.objects.length > 1) continue;
      this.skip();
      this.#object(draft, 'table', 'define');
    }
    return this.#headOf(draft);
  }

  #alter(start: number): HeadStatement | CreateView {
    this.skip();
    const modifiers = this.#modifiers();
    const type = this.word();
    if (type === 'VIEW') return this.createView(start, true);
    if (type === '') throw this.error();
    this.skip();
    const draft = this.#draft(start, `alter ${typeName(type)}`);
    for (const word of modifiers) draft.words.add(word);
    this.takeWords('IF', 'EXISTS');
    if (ROUTINES.has(type)) return this.#routine(draft, type);
    if (type === 'USER' || type === 'ROLE') return this.#users(draft, 'define');
    const named = this.isName() && !(type === 'DATABASE' && ALTERED.has(this.word()));
    if (named) this.#object(draft, objectType(type), 'define');
    if (type === 'TABLE') this.#alterations(draft);
    return this.#finished(draft);
  }

  /** Actions of ALTER TABLE, of which tables and expressions are looked at. */
  #alterations(draft: HeadDraft): void {
    const keeping = (draft.keeping = nothingKept());
    /** The column that MODIFY defines, until it is known to be computed. */
    let modified: string | undefined;
    let changes = false;
    const ends = (): void => {
      if (modified !== undefined) keeping.plain.push(modified);
      modified = undefined;
      changes = false;
    };
    while (!this.done) {
      if (this.isSign(',')) ends();
      if (this.isWord('MODIFY') && (this.isName(1) || this.isWord('COLUMN', 1) || this.isWord('IF', 1))) {
        draft.words.add('MODIFY');
        this.skip();
        this.takeWord('COLUMN');
        this.takeWords('IF', 'EXISTS');
        modified = this.takeName();
        changes = true;
        continue;
      }
      if (this.isWord('CHANGE')) changes = true;
      // Not the option of the table.
      if (modified !== undefined && this.isWord('AUTO_INCREMENT') && !this.isSign('=', 1))
        keeping.numbered.push(modified);
      if (this.isWord('AS') && this.isSign('(', 1)) {
        // What it held is computed anew.
        if (changes) draft.words.add('COMPUTED');
        modified = undefined;
      }
      if (this.#converted(draft) || this.uniqueKey(keeping)) continue;
      const moved = this.isWord('RENAME') && (this.isWord('TO', 1) || this.isWord('AS', 1) || this.#isPlainRename());
      const exchanged = this.isWords('WITH', 'TABLE');
      // It may be one that is computed.
      if (this.isUniqueColumn()) keeping.checks.push(...draft.expressions);
      if (moved || exchanged) {
        draft.words.add(this.word());
        this.skip();
        if (!this.takeWord('TO') && !this.takeWord('AS') && !this.takeWord('TABLE')) this.takeSign('=');
        this.#object(draft, 'table', exchanged ? 'write' : 'define');
      } else if (this.isWord('REFERENCES')) {
        this.skip();
        draft.objects.push({ type: 'table', access: 'read', object: this.referenced(keeping) });
      } else if (!this.#storage(draft) && !this.dividedBy(keeping) && !this.defined(draft.expressions, keeping))
        this.#step(draft);
    }
    ends();
  }

  /** CONVERT PARTITION p TO TABLE t, CONVERT TABLE t TO PARTITION p ... of MariaDB: rows become those of another table. */
  #converted(draft: HeadDraft): boolean {
    const leaves = this.isWords('CONVERT', 'PARTITION');
    if (!leaves && !this.isWords('CONVERT', 'TABLE')) return false;
    draft.words.add(leaves ? 'CONVERT PARTITION' : 'CONVERT TABLE');
    this.skip(2);
    if (leaves) {
      this.takeName();
      this.expectWord('TO');
      this.expectWord('TABLE');
    }
    this.#object(draft, 'table', 'define');
    return true;
  }

  /** Options that say where rows are kept: `ENGINE x`, CONNECTION, DATA DIRECTORY. Adds `ENGINE X` or `OUTSIDE` to the words. */
  #storage(draft: HeadDraft): boolean {
    if (this.isWord('ENGINE') && (this.isSign('=', 1) || this.isName(1) || this.kind(1) === 'string')) {
      this.skip();
      this.takeSign('=');
      draft.words.add(`ENGINE ${this.takeNameOrText().toUpperCase()}`);
      return true;
    }
    const elsewhere = this.isWord('CONNECTION') && (this.isSign('=', 1) || this.kind(1) === 'string');
    if (!elsewhere && !this.isWords('DATA', 'DIRECTORY') && !this.isWords('INDEX', 'DIRECTORY')) return false;
    draft.words.add('OUTSIDE');
    this.skip();
    return true;
  }

  /** RENAME t, and not RENAME COLUMN or INDEX. */
  #isPlainRename(): boolean {
    return this.isName(1) && !RENAMED.has(this.word(1));
  }

  #drop(start: number): HeadStatement {
    this.skip();
    const modifiers = this.#modifiers();
    const type = this.word();
    if (type === '') throw this.error();
    this.skip();
    const draft = this.#draft(start, `drop ${typeName(type)}`);
    for (const word of modifiers) draft.words.add(word);
    if (type === 'PACKAGE') this.takeWord('BODY');
    this.takeWords('IF', 'EXISTS');
    if (type === 'USER' || type === 'ROLE') return this.#users(draft, 'destroy');
    if (type === 'INDEX') return this.#onTable(draft, 'define');
    if (this.isName() || this.kind() === 'string' || this.isSign('.'))
      this.list(() => this.#object(draft, objectType(type), 'destroy'));
    return this.#finished(draft);
  }

  #named(start: number, verb: string, type: HeadObject['type'], access: Access): HeadStatement {
    const draft = this.#draft(start, verb);
    this.list(() => this.#object(draft, type, access));
    return this.#finished(draft);
  }

  #rename(start: number): HeadStatement {
    this.skip();
    const type = this.word();
    this.skip();
    const draft = this.#draft(start, `rename ${typeName(type)}`);
    if (type === 'USER') return this.#finished(draft);
    if (type !== 'TABLE' && type !== 'TABLES') throw this.error();
    this.takeWords('IF', 'EXISTS');
    this.list(() => {
      this.#object(draft, 'table', 'define');
      while (!this.done && !this.isWord('TO')) this.#step(draft);
      this.expectWord('TO');
      this.#object(draft, 'table', 'define');
    });
    return this.#finished(draft);
  }

  /** Privileges ON object TO users, or roles TO users. */
  #grant(start: number): HeadStatement {
    const draft = this.#draft(start, this.word().toLowerCase());
    this.skip();
    this.#opaque = true;
    while (!this.done && !this.isWord('ON') && !this.isWord('TO') && !this.isWord('FROM')) this.#step(draft);
    if (this.takeWord('ON')) this.#granted(draft);
    return this.#finished(draft);
  }

  #granted(draft: HeadDraft): void {
    const kind = this.takeOne(GRANTED);
    if (this.takeWord('BODY') || this.isSign('*')) return;
    const start = this.start;
    if (this.isName() && this.isSign('.', 1) && this.isSign('*', 2)) {
      const name = this.takeName();
      draft.objects.push({ type: 'schema', access: 'write', object: { name, ...this.span(start) } });
      this.skip(2);
      return;
    }
    if (this.isName()) this.#object(draft, kind === undefined || kind === 'TABLE' ? 'table' : 'routine', 'write');
  }

  #lockTables(start: number): HeadStatement {
    this.skip();
    const draft = this.#draft(start, 'lock');
    if (!this.takeWord('TABLES') && !this.takeWord('TABLE')) return this.#finished(draft);
    draft.words.add('TABLES');
    this.list(() => {
      this.#object(draft, 'table', 'read');
      while (!this.done && !this.isSign(',')) this.#step(draft);
    });
    return this.#finished(draft);
  }

  #kill(start: number): HeadStatement {
    this.skip();
    const draft = this.#draft(start, 'kill');
    for (let word = this.takeOne(KILLED); word !== undefined; word = this.takeOne(KILLED)) draft.words.add(word);
    if (draft.words.has('USER')) this.#user();
    else draft.expressions.push(this.expression());
    return this.#finished(draft);
  }

  /** Verbs of one or two words, with nothing but the tables behind them. */
  #plain(start: number): HeadStatement {
    const first = this.word();
    if (this.isMaria && this.#isCompound(first)) return this.#compound(start);
    if (!PLAIN.has(first)) throw this.error();
    this.skip();
    const draft = this.#draft(start, first.toLowerCase());
    if (first === 'GET' || first === 'SIGNAL' || first === 'RESIGNAL') return this.#diagnostics(draft);
    const maintained = MAINTAINED.has(first);
    if (maintained) while (this.takeOne(LOCAL_WORDS));
    if (maintained && (this.takeWord('TABLE') || this.takeWord('TABLES'))) {
      draft.verb += ' table';
      if (this.isName() || this.isSign('.')) this.list(() => this.#object(draft, 'table', 'read'));
    }
    return this.#finished(draft);
  }

  #diagnostics(draft: HeadDraft): HeadStatement {
    if (draft.verb === 'get') {
      draft.verb = 'get diagnostics';
      if (this.takeWord('CURRENT') || this.takeWord('STACKED')) draft.words.add('CURRENT');
      this.expectWord('DIAGNOSTICS');
    }
    return this.#finished(draft);
  }

  /** Code outside of routines: BEGIN NOT ATOMIC, IF, WHILE ..., with or without a label. */
  #isCompound(first: string): boolean {
    if (first === 'BEGIN') return this.isWord('NOT', 1);
    return COMPOUND.has(first) || (this.isName() && this.isSign(':', 1));
  }

  #compound(start: number): HeadStatement {
    this.#opaque = true;
    this.at = this.last;
    return this.#headOf(this.#draft(start, 'compound statement'));
  }

  /** undefined: it only begins like one. */
  protected transaction(): Transaction | undefined {
    const start = this.start;
    const first = this.word();
    const second = this.word(1);
    if (first === 'BEGIN' && second === 'NOT') return undefined;
    if (first === 'START' && second !== 'TRANSACTION') return undefined;
    if (first === 'RELEASE' && second !== 'SAVEPOINT') return undefined;
    this.skip(first === 'START' || first === 'RELEASE' ? 2 : 1);
    if (first === 'RELEASE' || first === 'SAVEPOINT') this.takeName();
    let verb = first.toLowerCase();
    if (first === 'XA') verb += ` ${second === 'BEGIN' ? 'start' : second.toLowerCase()}`;
    while (!this.done) {
      if (first === 'ROLLBACK' && this.takeWord('TO')) verb = 'rollback to';
      else if (this.kind() === 'operator' && !this.isSign(',') && !(first === 'XA' && this.isSign('=')))
        throw this.error();
      else this.skip();
    }
    return { kind: 'transaction', verb, ...this.span(start) };
  }

  // The rest of a statement

  /** Takes one token of the rest, or a query in parentheses or behind AS. */
  #step(draft: HeadDraft): void {
    if (this.isSign('(') && this.queryAhead() && this.queryFills()) {
      draft.queries.push(this.parenthesised(() => this.query()));
      return;
    }
    if (this.isWord('AS') && (this.isWord('SELECT', 1) || this.isWord('WITH', 1))) {
      this.skip();
      draft.queries.push(this.query());
      return;
    }
    const start = this.start;
    const word = this.word();
    if (word !== '') draft.words.add(word);
    if (this.kind() === 'variable')
      draft.expressions.push({ kind: 'variable', name: this.text(), ...this.span(start) });
    this.skip();
  }

  #finished(draft: HeadDraft): HeadStatement {
    while (!this.done) this.#step(draft);
    return this.#headOf(draft);
  }

  #headOf({ start, verb, objects, expressions, queries, words, keeping }: HeadDraft): HeadStatement {
    return {
      kind: 'head',
      verb,
      objects,
      expressions,
      queries,
      words,
      ...(keeping && { keeping }),
      ...this.span(start),
    };
  }

  /** @throws Unread where a query stands in the text that is nowhere in the tree. */
  protected checkQueries({ kind }: Statement): void {
    if (this.#opaque || !LOOSE.has(kind)) return;
    for (let at = this.first; at < this.last; at++) {
      if (!this.#beginsQuery(at) || this.queriesRead.has(at)) continue;
      this.at = at;
      throw this.error('has a query in a place that is not understood');
    }
  }

  #beginsQuery(at: number): boolean {
    if (this.tokens.kinds[at] !== 'word') return false;
    const word = this.tokens.texts[at] ?? '';
    if (word === 'SELECT') return true;
    const inParentheses = this.tokens.texts[at - 1] === '(' && this.tokens.kinds[at - 1] === 'operator';
    return inParentheses && (word === 'WITH' || word === 'VALUES' || word === 'TABLE');
  }
}

/** Statements in which not every token has been given a meaning. */
const LOOSE: ReadonlySet<string> = new Set([
  'head',
  'show',
  'create table',
  'create view',
  'transaction',
  'set variables',
]);

const typeName = (word: string): string => TYPE_NAMES.get(word) ?? word.toLowerCase();
const TYPE_NAMES: ReadonlyMap<string, string> = new Map([
  ['SCHEMA', 'database'],
  ['TABLES', 'table'],
]);

function objectType(word: string): HeadObject['type'] {
  switch (word) {
    case 'TABLE':
    case 'TABLES':
    case 'SEQUENCE':
      return 'table';
    case 'VIEW':
      return 'view';
    case 'DATABASE':
    case 'SCHEMA':
      return 'schema';
    case 'PROCEDURE':
    case 'FUNCTION':
    case 'TRIGGER':
    case 'EVENT':
    case 'PACKAGE':
    case 'LIBRARY':
      return 'routine';
    default:
      return 'object';
  }
}

const MODIFIERS: ReadonlySet<string> = new Set(
  'TEMPORARY AGGREGATE UNIQUE FULLTEXT SPATIAL ONLINE OFFLINE IGNORE UNDO'.split(' '),
);
const ROUTINES: ReadonlySet<string> = new Set('PROCEDURE FUNCTION TRIGGER EVENT PACKAGE LIBRARY'.split(' '));
/** Words behind ALTER DATABASE that are not its name. */
const ALTERED: ReadonlySet<string> = new Set('CHARACTER CHARSET COLLATE DEFAULT ENCRYPTION READ COMMENT'.split(' '));
const RENAMED: ReadonlySet<string> = new Set(['COLUMN', 'INDEX', 'KEY', 'TO', 'AS']);
const GRANTED: ReadonlySet<string> = new Set('TABLE FUNCTION PROCEDURE PACKAGE LIBRARY'.split(' '));
const KILLED: ReadonlySet<string> = new Set('HARD SOFT CONNECTION QUERY ID USER'.split(' '));
const MAINTAINED: ReadonlySet<string> = new Set('OPTIMIZE REPAIR CHECK ANALYZE CHECKSUM FLUSH'.split(' '));
const LOCAL_WORDS: ReadonlySet<string> = new Set(['LOCAL', 'NO_WRITE_TO_BINLOG']);
const COMPOUND: ReadonlySet<string> = new Set('IF CASE LOOP WHILE REPEAT FOR DECLARE'.split(' '));
const PLAIN: ReadonlySet<string> = new Set(
  `OPTIMIZE REPAIR CHECK ANALYZE CHECKSUM FLUSH UNLOCK PURGE CHANGE START STOP RESET INSTALL UNINSTALL SHUTDOWN RESTART CLONE BINLOG
   HELP SIGNAL RESIGNAL GET CACHE LOAD IMPORT BACKUP SET`.split(/\s+/),
);
