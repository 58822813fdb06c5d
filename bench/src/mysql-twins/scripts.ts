/** Random scripts of a session: queries, and the ways in which what one statement has seen shows in another. */
import { Generator, randomOf } from '../mysql-lineage/generate.js';

export interface Step {
  readonly text: string;
  readonly how: 'query' | 'execute';
}

const MASKED = ['mail', 'born', 'wage', 'doc', 'host'];

export class ScriptGenerator {
  readonly #queries: Generator;
  readonly #random: () => number;

  constructor(seed: number, flavour: 'mariadb' | 'mysql') {
    this.#queries = new Generator(seed, flavour);
    this.#random = randomOf(seed ^ 0x5bd1e995);
  }

  script(): readonly Step[] {
    const query = this.#queries.statement();
    const column = this.#pick(MASKED);
    const text = (...texts: string[]): Step[] => texts.map((one) => ({ text: one, how: 'query' }));
    const both: Step[] = [
      { text: query, how: 'query' },
      { text: query, how: 'execute' },
    ];
    switch (this.#below(16)) {
      case 0:
        return text(`create temporary table kept as ${query}`, 'select * from kept', 'show columns from kept');
      case 1:
        return text(
          `set @x = (select ${column} from people where id = 1)`,
          'select @x',
          `select concat(@x, 'a') as c, @x is null`,
        );
      case 2:
        return text(`prepare p from ${quoted(query)}`, 'execute p', 'select found_rows()');
      case 3:
        return text(`explain ${query}`, 'show warnings');
      case 4:
        return text(
          `select ${column} into @y from people where id = 1`,
          'select @y, length(@y) as n',
          `select nick from people where id = @y`,
        );
      case 5:
        return text(
          'handler people open',
          'handler people read first',
          'handler people read next',
          'handler people close',
        );
      case 6:
        return text(`select count(*) as n, max(q.x) as m from (select ${column} as x from people) q`);
      case 7:
        return text(
          'begin',
          `insert into tags (person, label) select id, ${column} from people`,
          'select * from tags',
          'rollback',
        );
      case 8:
        return text(
          'begin',
          `update people set nick = 'n' where id = 1`,
          'select row_count()',
          `select * from people`,
          'rollback',
        );
      case 9:
        return text(
          `insert into people (id, ${column}) values (1, null)`,
          'show warnings',
          'get diagnostics condition 1 @m = message_text',
          'select @m',
        );
      case 10:
        return text(
          `select cast(${column} as signed) as n, ${column} + 0 as m from people`,
          'show warnings',
          'select @@warning_count',
        );
      case 11:
        return text(`select * from (${query}) w limit 2`, `select count(*) as n from (${query}) w`);
      case 12:
        return text(query, `select * from people order by ${this.#pick(['id', column])} limit 2`);
      case 13:
        return text('show index from people', `select ${column} from people procedure analyse()`);
      default:
        return both;
    }
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
