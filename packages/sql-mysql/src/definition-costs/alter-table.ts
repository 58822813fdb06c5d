/**
 * Reads the actions of ALTER TABLE, and what each needs of an InnoDB table: for MySQL by chapter 17.12.1 of its manual ("Online DDL
 * Operations"), for MariaDB as 10.11 answers to ALGORITHM and LOCK. Does not: partitions, versioning, tablespaces, which are `unknown`.
 */
import { TokenCursor } from '../cursor.js';
import { ChangeSum, type Cost, type Way } from './cost.js';

export abstract class ChangeReader extends TokenCursor {
  /** The version that does it at once, by flavour. */
  protected since(mysql: number, mariadb: number, way: Way = 'instant', before: Way = 'inplace'): Way {
    return this.reading.version >= (this.isMaria ? mariadb : mysql) ? way : before;
  }

  /** Only the definition changes. */
  protected light(mysql: Way = 'instant'): Way {
    return this.since(80_012, 100_300, this.isMaria ? 'instant' : mysql, 'nocopy');
  }

  protected tableName(): string {
    const { schema, name } = this.objectName();
    return schema === undefined ? name : `${schema}.${name}`;
  }

  /** Behind ALTER [IGNORE] TABLE. */
  protected alterTable(ignore: boolean): Cost {
    this.takeWords('IF', 'EXISTS');
    const sum = new ChangeSum(this.tableName());
    if (ignore) sum.add('depends');
    this.#waits();
    if (this.done) sum.add('unknown');
    while (!this.done) {
      if (!this.clause(sum)) this.#action(sum);
      if (this.done || this.takeSign(',')) continue;
      sum.add('unknown');
      this.#skipAction();
      this.takeSign(',');
    }
    return sum.cost;
  }

  /** WAIT n and NOWAIT of MariaDB. */
  #waits(): void {
    if (this.takeWord('NOWAIT')) return;
    if (this.isWord('WAIT') && this.kind(1) === 'integer') this.skip(2);
  }

  /** ALGORITHM and LOCK. Said twice, nobody knows which is meant. */
  protected clause(sum: ChangeSum): boolean {
    const name = this.word();
    if (name !== 'ALGORITHM' && name !== 'LOCK') return false;
    this.skip();
    this.takeSign('=');
    const value = this.word();
    this.skip();
    const before = name === 'LOCK' ? sum.lock : sum.algorithm;
    if (before !== '' || !CLAUSE_VALUES.has(value)) sum.add('unknown');
    if (name === 'LOCK') sum.lock = value;
    else sum.algorithm = value;
    return true;
  }

  #action(sum: ChangeSum): void {
    switch (this.word()) {
      case 'ADD':
        this.skip();
        return this.#add(sum);
      case 'DROP':
        this.skip();
        return this.#drop(sum);
      case 'MODIFY':
      case 'CHANGE':
        return this.#change(sum);
      case 'ALTER':
        this.skip();
        return this.#alter(sum);
      case 'RENAME':
        this.skip();
        return this.#rename(sum);
      default:
        return this.#options(sum);
    }
  }

  /** To the comma before the next action. Returns the words outside of parentheses. */
  #skipAction(): string[] {
    const words: string[] = [];
    for (let depth = 0; !this.done; this.skip()) {
      if (depth === 0 && this.isSign(',')) break;
      if (this.isSign('(')) depth++;
      else if (this.isSign(')')) depth--;
      else if (depth === 0) words.push(this.word());
    }
    return words;
  }

  // ADD

  #add(sum: ChangeSum): void {
    if (PARTS.has(this.word())) return this.#unknown(sum);
    if (this.takeWord('CONSTRAINT') && !CONSTRAINTS.has(this.word())) this.takeName();
    const word = this.word();
    if (INDEXES.has(word)) return this.addIndex(sum, word, this.#skipAction());
    if (word === 'PRIMARY') {
      this.#skipAction();
      return sum.add('inplace');
    }
    if (word === 'FOREIGN') return this.#foreignKey(sum);
    if (word === 'CHECK') {
      this.#skipAction();
      return sum.add('copy');
    }
    this.takeWord('COLUMN');
    this.takeWords('IF', 'NOT', 'EXISTS');
    if (!this.isSign('(')) return this.#column(sum);
    this.skip();
    do this.#column(sum);
    while (this.takeSign(','));
    if (!this.takeSign(')')) sum.add('unknown');
  }

  protected addIndex(sum: ChangeSum, kind: string, words: readonly string[]): void {
    // The first FULLTEXT index of a table brings a hidden column, a UNIQUE one may become the key that rows are kept by.
    if (kind === 'FULLTEXT') return sum.add('shared');
    if (kind === 'SPATIAL') return sum.add('shared', 'read');
    if (kind === 'UNIQUE') return sum.add('nocopy');
    if (words.includes('VECTOR')) return this.#unknown(sum);
    sum.add('nocopy', 'read');
  }

  /** Its rows are compared by a copy, unless the session has switched foreign keys off. */
  #foreignKey(sum: ChangeSum): void {
    while (!this.done && !this.isSign(',') && !this.isWord('REFERENCES')) this.#skipOne();
    if (this.takeWord('REFERENCES')) sum.alsoOn(this.tableName());
    this.#skipAction();
    sum.add('copy');
  }

  #skipOne(): void {
    let depth = 0;
    do {
      if (this.isSign('(')) depth++;
      else if (this.isSign(')')) depth--;
      this.skip();
    } while (depth > 0 && !this.done);
  }

  #column(sum: ChangeSum): void {
    if (!this.isName()) return this.#unknown(sum);
    this.skip();
    const words = new Set<string>();
    let way = this.since(80_012, 100_300);
    while (!this.done && !this.isSign(',') && !this.isSign(')')) {
      const word = this.word();
      words.add(word);
      if (word === 'DEFAULT' && !this.#isSameForAll()) way = 'depends';
      if (word === 'REFERENCES') {
        this.skip();
        sum.alsoOn(this.tableName());
        way = 'copy';
      } else this.#skipOne();
    }
    sum.add(this.#wayOf(words, way));
    if (!words.has('AS')) sum.reshapes = true;
    if (words.has('PRIMARY') || words.has('UNIQUE') || words.has('KEY')) sum.add('inplace');
  }

  #wayOf(words: ReadonlySet<string>, plain: Way): Way {
    if (words.has('CHECK') && !this.isMaria) return 'copy';
    if (words.has('AS')) return words.has('STORED') || words.has('PERSISTENT') ? 'copy' : plain;
    if (words.has('AUTO_INCREMENT') || words.has('SERIAL')) return 'shared';
    if (words.has('SYSTEM') || words.has('ROW')) return 'depends';
    const placed = words.has('FIRST') || words.has('AFTER');
    return placed && plain === 'instant' ? this.since(80_029, 100_400) : plain;
  }

  /** A constant, or the time, which is one for the whole statement. */
  #isSameForAll(): boolean {
    const at = this.isSign('-', 1) || this.isSign('+', 1) ? 2 : 1;
    const kind = this.kind(at);
    if (kind === 'word') return SAME_FOR_ALL.has(this.word(at));
    return ['string', 'integer', 'decimal', 'float', 'hex', 'bit'].includes(kind);
  }

  // Other actions

  #drop(sum: ChangeSum): void {
    const word = this.word();
    if (PARTS.has(word)) return this.#unknown(sum);
    const named = this.isWord('COLUMN') ? 'COLUMN' : DROPPED.has(word) && this.kind(1) !== 'end' ? word : 'COLUMN';
    if (word === named) this.skip();
    if (named === 'PRIMARY') {
      this.#skipAction();
      return sum.add('depends');
    }
    if (named === 'FOREIGN') this.takeWord('KEY');
    this.takeWords('IF', 'EXISTS');
    if (!this.isName()) return this.#unknown(sum);
    const name = this.takeName();
    if (!this.takeWord('RESTRICT')) this.takeWord('CASCADE');
    if (named === 'INDEX' || named === 'KEY') return this.dropIndex(sum, name);
    if (named === 'FOREIGN') return sum.add(this.light('nocopy'), 'light');
    // It may be the name of a key.
    if (named === 'CONSTRAINT' || named === 'CHECK') return sum.add('depends');
    sum.reversible = false;
    sum.danger('drops-column');
    sum.reshapes = true;
    sum.add(this.since(80_029, 100_400));
  }

  /** If it was the key that rows are kept by, they are kept by another one then. */
  protected dropIndex(sum: ChangeSum, name: string): void {
    sum.add(name.toUpperCase() === 'PRIMARY' ? 'depends' : 'nocopy');
  }

  /** MODIFY and CHANGE say all of the column, and nothing of what it was. */
  #change(sum: ChangeSum): void {
    const renames = this.isWord('CHANGE');
    this.skip();
    this.takeWord('COLUMN');
    this.takeWords('IF', 'EXISTS');
    if (!this.isName()) return this.#unknown(sum);
    const before = this.takeName();
    if (renames && !this.isName()) return this.#unknown(sum);
    if (renames && this.takeName().toLowerCase() !== before.toLowerCase()) sum.danger('renames');
    this.#skipAction();
    sum.reversible = false;
    sum.add('depends');
  }

  #alter(sum: ChangeSum): void {
    if (this.takeWord('INDEX') || this.takeWord('KEY')) {
      this.takeWords('IF', 'EXISTS');
      this.takeName();
      this.takeWord('NOT');
      if (!this.takeOne(SEEN)) return this.#unknown(sum);
      return sum.add(this.light('nocopy'), 'light');
    }
    if (this.isWord('CHECK') || this.isWord('CONSTRAINT')) return this.#unknown(sum);
    this.takeWord('COLUMN');
    this.takeWords('IF', 'EXISTS');
    if (!this.isName()) return this.#unknown(sum);
    this.skip();
    if (!this.takeWords('DROP', 'DEFAULT')) {
      if (!this.takeWords('SET', 'DEFAULT')) return this.#unknown(sum);
      this.#skipAction();
    }
    sum.add(this.light(), 'light');
  }

  #rename(sum: ChangeSum): void {
    if (this.takeWord('COLUMN')) {
      this.#twoNames();
      sum.danger('renames');
      return sum.add(this.since(80_028, 100_300, 'instant', 'nocopy'), 'light');
    }
    if (this.takeWord('INDEX') || this.takeWord('KEY')) {
      this.#twoNames();
      return sum.add(this.light('nocopy'), 'light');
    }
    if (!this.takeWord('TO') && !this.takeWord('AS')) this.takeSign('=');
    this.tableName();
    sum.danger('renames');
    sum.moves = true;
    sum.add(this.light(), 'light');
  }

  #twoNames(): void {
    this.takeWords('IF', 'EXISTS');
    this.takeName();
    this.expectWord('TO');
    this.takeName();
  }

  /** Options of the table, with blanks between them. */
  #options(sum: ChangeSum): void {
    do this.#option(sum);
    while (!this.done && !this.isSign(','));
  }

  #option(sum: ChangeSum): void {
    this.takeWord('DEFAULT');
    const word = this.word();
    if (this.takeWord('FORCE')) return sum.add('inplace');
    // Another engine is copied to, whatever ALGORITHM says (MariaDB 10.11), and the columns behind ORDER BY have commas of their own.
    if (word === 'ENGINE' || word === 'ORDER') {
      this.at = this.last;
      return sum.add('unknown');
    }
    if (word === 'CONVERT') {
      this.#skipAction();
      sum.reversible = false;
      return sum.add(this.isMaria ? 'depends' : 'copy');
    }
    const name = this.takeWords('CHARACTER', 'SET') ? 'CHARSET' : word;
    const way = OPTIONS.get(name);
    if (way === undefined) return this.#unknown(sum);
    if (name === word) this.skip();
    this.takeSign('=');
    if (this.done || this.isSign(',')) return this.#unknown(sum);
    this.skip();
    if (way === 'light') sum.add(this.isMaria ? this.light() : 'depends', 'light');
    else sum.add(way);
  }

  #unknown(sum: ChangeSum): void {
    this.#skipAction();
    sum.add('unknown');
  }
}

const CLAUSE_VALUES: ReadonlySet<string> = new Set(
  'DEFAULT INSTANT NOCOPY INPLACE COPY NONE SHARED EXCLUSIVE'.split(' '),
);
const PARTS: ReadonlySet<string> = new Set(['PARTITION', 'SYSTEM', 'PERIOD']);
const CONSTRAINTS: ReadonlySet<string> = new Set('PRIMARY UNIQUE FOREIGN CHECK'.split(' '));
const INDEXES: ReadonlySet<string> = new Set('INDEX KEY UNIQUE FULLTEXT SPATIAL VECTOR'.split(' '));
const DROPPED: ReadonlySet<string> = new Set('INDEX KEY PRIMARY FOREIGN CONSTRAINT CHECK'.split(' '));
const SEEN: ReadonlySet<string> = new Set(['VISIBLE', 'INVISIBLE', 'IGNORED']);
const SAME_FOR_ALL: ReadonlySet<string> = new Set(
  'NULL TRUE FALSE CURRENT_TIMESTAMP NOW LOCALTIME LOCALTIMESTAMP'.split(' '),
);
const OPTIONS: ReadonlyMap<string, Way | 'light'> = new Map([
  ['ROW_FORMAT', 'depends'],
  ['KEY_BLOCK_SIZE', 'depends'],
  ['CHARSET', 'depends'],
  ['COLLATE', 'depends'],
  ['AUTO_INCREMENT', 'depends'],
  ['COMMENT', 'light'],
  ['STATS_PERSISTENT', 'light'],
  ['STATS_AUTO_RECALC', 'light'],
  ['STATS_SAMPLE_PAGES', 'light'],
]);
