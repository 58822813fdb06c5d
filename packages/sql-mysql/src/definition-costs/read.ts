/**
 * What a definition costs, from its tokens: the text decides, with flavour and version. Owns: each kind of definition but ALTER TABLE
 * (alter-table.ts). Whatever it does not read costs the most.
 */
import { type Tokens, Unread } from '../tokens.js';
import { ChangeReader } from './alter-table.js';
import { ChangeSum, type Cost, type Danger, type LockMode } from './cost.js';

/** undefined: it is no definition of a table. `from` and `to`: numbers of tokens. */
export function costOf(tokens: Tokens, from: number, to: number): Cost | undefined {
  return new CostReader(tokens, from, to).read();
}

class CostReader extends ChangeReader {
  read(): Cost | undefined {
    try {
      return this.#read();
    } catch (error) {
      if (error instanceof Unread) return notKnown();
      throw error;
    }
  }

  #read(): Cost | undefined {
    const verb = this.word();
    this.skip();
    const words = this.#modifiers();
    const object = this.word();
    this.skip();
    switch (`${verb} ${object}`) {
      case 'ALTER TABLE':
        return this.alterTable(words.has('IGNORE'));
      case 'CREATE INDEX':
        return this.#createIndex(words);
      case 'DROP INDEX':
        return this.#dropIndex();
      case 'CREATE TABLE':
        return words.has('REPLACE') ? this.#lost('drops-table') : made();
      case 'DROP TABLE':
      case 'DROP TABLES':
        return words.has('TEMPORARY') ? made() : this.#lost('drops-table');
      case 'DROP DATABASE':
      case 'DROP SCHEMA':
        return lost('drops-database', []);
      case 'RENAME TABLE':
      case 'RENAME TABLES':
        return this.#renameTables();
      case 'OPTIMIZE TABLE':
      case 'OPTIMIZE TABLES':
        return this.#upkeep('shared');
      case 'REPAIR TABLE':
      case 'REPAIR TABLES':
        return this.#upkeep('exclusive');
      default:
        if (verb !== 'TRUNCATE') return undefined;
        if (object !== 'TABLE') this.at--;
        return this.#lost('truncates');
    }
  }

  #modifiers(): Set<string> {
    const words = new Set<string>();
    if (this.takeWords('OR', 'REPLACE')) words.add('REPLACE');
    for (let word = this.takeOne(MODIFIERS); word !== undefined; word = this.takeOne(MODIFIERS)) words.add(word);
    return words;
  }

  #createIndex(words: ReadonlySet<string>): Cost {
    this.takeWords('IF', 'NOT', 'EXISTS');
    this.takeName();
    while (!this.done && !this.isWord('ON')) this.skip();
    this.expectWord('ON');
    const sum = new ChangeSum(this.tableName());
    if (words.has('REPLACE')) sum.add('depends');
    const kind = INDEX_KINDS.find((one) => words.has(one)) ?? (words.size === 0 ? 'INDEX' : '');
    this.addIndex(sum, kind, words.has('VECTOR') ? ['VECTOR'] : []);
    while (!this.done) if (!this.clause(sum)) this.skip();
    return sum.cost;
  }

  #dropIndex(): Cost {
    this.takeWords('IF', 'EXISTS');
    const name = this.takeName();
    this.expectWord('ON');
    const sum = new ChangeSum(this.tableName());
    this.dropIndex(sum, name);
    while (!this.done) {
      if (this.clause(sum)) continue;
      sum.add('unknown');
      this.skip();
    }
    return sum.cost;
  }

  #lost(danger: Danger): Cost {
    this.takeWords('IF', 'NOT', 'EXISTS');
    this.takeWords('IF', 'EXISTS');
    return lost(
      danger,
      this.list(() => this.tableName()),
    );
  }

  #renameTables(): Cost {
    this.takeWords('IF', 'EXISTS');
    const tables = this.list(() => {
      const table = this.tableName();
      while (!this.done && !this.isWord('TO')) this.skip();
      this.expectWord('TO');
      this.tableName();
      return table;
    });
    return {
      lock: { mode: 'exclusive', on: tables },
      rewrites: false,
      scans: false,
      reversible: true,
      dangers: ['renames'],
    };
  }

  /** The table is written anew: a FULLTEXT index or another engine has it copied. */
  #upkeep(mode: LockMode): Cost {
    const tables = this.list(() => this.tableName());
    return { lock: { mode, on: tables }, rewrites: true, scans: true, reversible: true, dangers: ['copies'] };
  }
}

const MODIFIERS: ReadonlySet<string> = new Set(
  'TEMPORARY UNIQUE FULLTEXT SPATIAL VECTOR ONLINE OFFLINE IGNORE LOCAL NO_WRITE_TO_BINLOG'.split(' '),
);
const INDEX_KINDS = ['UNIQUE', 'FULLTEXT', 'SPATIAL', 'VECTOR'];

/** No table that was there before is touched. */
const made = (): Cost => ({ rewrites: false, scans: false, reversible: true, dangers: [] });

/** Of what keeps no rows. */
const lost = (danger: Danger, on: readonly string[]): Cost => ({
  lock: { mode: 'exclusive', on },
  rewrites: false,
  scans: false,
  reversible: false,
  dangers: [danger],
});

const notKnown = (): Cost => ({
  lock: { mode: 'exclusive', on: [] },
  rewrites: true,
  scans: true,
  reversible: false,
  dangers: ['cost-not-known'],
});
