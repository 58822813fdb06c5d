/** Random queries, most of them valid: what a statement can do with a column between its table and the client. */

/** mulberry32: 32 bits of state, one value for each call. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Relation {
  readonly name: string;
  readonly columns: readonly string[];
}

const STORED: readonly Relation[] = [
  { name: 'people', columns: ['id', 'nick', 'mail', 'born', 'wage', 'doc', 'host'] },
  { name: 'visits', columns: ['id', 'person', 'place', 'day', 'wage'] },
  { name: 'tags', columns: ['person', 'place', 'label'] },
  { name: 'contacts', columns: ['id', 'label', 'wage'] },
  { name: 'journeys', columns: ['label', 'place', 'tag'] },
];

export class Generator {
  readonly #random: () => number;
  readonly #isMariaDb: boolean;
  #names = 0;
  #variables: string[] = [];

  constructor(seed: number, flavour: 'mariadb' | 'mysql') {
    this.#random = randomOf(seed);
    this.#isMariaDb = flavour === 'mariadb';
  }

  statement(): string {
    this.#names = 0;
    this.#variables = [];
    return this.#query([], [], this.#chance(0.2) ? 3 : 2, undefined);
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  /** @param outer columns of the queries around it, as written; width: how many columns it has to have */
  #query(named: readonly Relation[], outer: readonly string[], depth: number, width: number | undefined): string {
    if (depth > 0 && this.#chance(0.25)) return this.#with(named, outer, depth, width);
    if (depth > 0 && this.#chance(0.2)) {
      const columns = width ?? 1 + this.#below(3);
      const operator = this.#pick(['union', 'union all', 'union all', 'except', 'intersect']);
      const [left, right] = [
        this.#select(named, outer, depth - 1, columns),
        this.#select(named, outer, depth - 1, columns),
      ];
      return `${left} ${operator} ${right}`;
    }
    return this.#select(named, outer, depth, width);
  }

  #with(named: readonly Relation[], outer: readonly string[], depth: number, width: number | undefined): string {
    const isRecursive = this.#chance(0.3);
    const list = [...named];
    const parts: string[] = [];
    for (let count = 1 + this.#below(2); count > 0; count--) {
      const columns = 1 + this.#below(3);
      const name = this.#chance(0.2) ? this.#pick(STORED).name : this.#name('q');
      if (list.some((one) => one.name === name)) continue;
      const names = Array.from({ length: columns }, () => this.#name('n'));
      const own = { name, columns: names };
      const first = this.#select(list, [], depth - 1, columns);
      const again = isRecursive && this.#chance(0.6);
      const values = names.map((_, at) =>
        at === 0 ? `concat(left(${name}.${names[0]}, 20), 'x')` : `${name}.${this.#pick(names)}`,
      );
      const stop = `where char_length(${name}.${names[0]}) < 4`;
      const query = again
        ? `select cast(x.k0 as char(60)), ${names
            .slice(1)
            .map((_, at) => `cast(x.k${at + 1} as char(60))`)
            .join(', ')}`.replace(/, $/, '') +
          ` from (${aliased(first)}) x union all select ${values.join(', ')} from ${name} ${stop}`
        : first;
      parts.push(`${name} (${names.join(', ')}) as (${query})`);
      list.push(own);
    }
    return `with ${isRecursive ? 'recursive ' : ''}${parts.join(', ')} ${this.#select(list, outer, depth - 1, width)}`;
  }

  #select(named: readonly Relation[], outer: readonly string[], depth: number, width: number | undefined): string {
    const { text, columns, stars } = this.#from(named, outer, depth);
    const visible = [...columns, ...columns, ...outer];
    if (width === undefined && this.#chance(0.15)) return `select ${this.#pick(['*', ...stars])} from ${text}`;
    const isGrouped = this.#chance(0.15);
    const aliases: string[] = [];
    const items = Array.from({ length: width ?? 1 + this.#below(4) }, () => {
      const value = isGrouped ? this.#aggregate(visible, depth) : this.#item(named, visible, aliases, depth);
      // An alias that is the name of a column as well: which of both a subquery means is a rule of its own.
      const alias = this.#chance(0.3) ? this.#pick(['nick', 'mail', 'place', 'label']) : this.#name('a');
      if (!isGrouped) aliases.push(alias);
      return `${value} as ${alias}`;
    });
    const order = this.#chance(0.1) ? ` order by 1` : '';
    return `select ${items.join(', ')} from ${text}${width === undefined ? order : ''}`;
  }

  #from(
    named: readonly Relation[],
    outer: readonly string[],
    depth: number,
  ): { text: string; columns: string[]; stars: string[] } {
    const parts: string[] = [];
    const columns: string[] = [];
    const stars: string[] = [];
    const count = 1 + (depth > 0 ? this.#below(3) : 0);
    let merged = false;
    for (let at = 0; at < count; at++) {
      const one = this.#aliased(named, at > 0 ? [...columns] : [], outer, depth);
      const other = this.#chance(0.15) ? this.#aliased(named, [], outer, 0) : undefined;
      const join = at === 0 ? '' : this.#join(merged);
      if (join.startsWith('natural')) merged = true;
      const factor = other
        ? `(${one.text} ${this.#pick(['right join', 'left join'])} ${other.text} on 1 = 1)`
        : one.text;
      const isPlain = join.includes(' join') && !join.includes('natural') && !join.includes('cross');
      parts.push(`${join}${factor}${isPlain ? ' on 1 = 1' : ''}`);
      for (const { alias, names } of other ? [one, other] : [one]) {
        columns.push(...names.map((name) => `${alias}.${name}`));
        stars.push(`${alias}.*`);
      }
    }
    return { text: parts.join(' '), columns, stars };
  }

  #aliased(
    named: readonly Relation[],
    left: readonly string[],
    outer: readonly string[],
    depth: number,
  ): { alias: string; text: string; names: readonly string[] } {
    const alias = this.#name('t');
    const { text, names } = this.#relation(named, left, outer, depth);
    return { alias, text: `${text} ${alias}`, names };
  }

  #join(merged: boolean): string {
    if (merged) return ', ';
    return this.#pick([
      ', ',
      ', ',
      'cross join ',
      'natural join ',
      'natural right join ',
      'natural left join ',
      'left join ',
      'right join ',
    ]);
  }

  #relation(
    named: readonly Relation[],
    left: readonly string[],
    outer: readonly string[],
    depth: number,
  ): { text: string; names: readonly string[] } {
    if (depth > 0 && this.#chance(0.3)) {
      const names = Array.from({ length: 1 + this.#below(3) }, () => this.#name('c'));
      const isLateral = !this.#isMariaDb && left.length > 0 && this.#chance(0.4);
      const query = this.#query(named, isLateral ? [...left, ...outer] : [], depth - 1, names.length);
      return this.#isMariaDb
        ? { text: `(${this.#outputs(query, names)})`, names }
        : { text: `${isLateral ? 'lateral ' : ''}(${this.#outputs(query, names)})`, names };
    }
    if (left.length > 0 && this.#chance(0.08)) {
      return {
        text: `json_table(concat('["', ${this.#pick(left)}, '"]'), '$[*]' columns (n for ordinality, v varchar(60) path '$'))`,
        names: ['n', 'v'],
      };
    }
    const { name, columns } = this.#pick([...STORED, ...STORED.slice(0, 2), ...named, ...named]);
    const meant = named.find((one) => one.name === name);
    return { text: name, names: meant?.columns ?? columns };
  }

  /** A derived table with these names: by a list behind it in MySQL, and in MariaDB by a query around it. */
  #outputs(query: string, names: readonly string[]): string {
    const inner = this.#name('w');
    return `with ${inner} (${names.join(', ')}) as (${query}) select * from ${inner}`;
  }

  #item(named: readonly Relation[], columns: readonly string[], aliases: readonly string[], depth: number): string {
    const column = this.#pick(columns);
    switch (this.#below(depth > 0 ? 14 : 9)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return column;
      case 4:
        return this.#function(columns);
      case 5:
        return `case when ${column} > ${this.#pick(columns)} then ${this.#pick(columns)} else 'no' end`;
      case 6:
        return this.#window(columns);
      case 7: {
        const name = `@v${this.#below(3)}`;
        this.#variables.push(name);
        return this.#chance(0.6) ? `(${name} := ${column})` : `concat('v', ifnull(${name}, ''))`;
      }
      case 8:
        return `(${column} = ${this.#pick(columns)}) + ${this.#pick(columns)}`;
      case 9:
        return aliases.length > 0 ? `(select ${this.#pick(aliases)})` : column;
      case 10:
        return `(select max(x) from (${this.#select(named, [], 0, 1).replace(/ as \w+ from /, ' as x from ')}) s)`;
      case 11:
        return `(select ${this.#aggregate([...columns], 0)} from ${this.#pick(STORED).name} s)`;
      case 12:
        return `exists (${this.#select(named, columns, 0, 1)})`;
      default:
        return `(${column} in (${this.#select(named, [], 0, 1)}))`;
    }
  }

  #function(columns: readonly string[]): string {
    const [one, other] = [this.#pick(columns), this.#pick(columns)];
    return this.#pick([
      `concat(${one}, ${other})`,
      `upper(${one})`,
      `coalesce(${one}, ${other})`,
      `if(${one} is null, 'x', ${other})`,
      `nullif(${one}, ${other})`,
      `substring(${one}, 2, 3)`,
      `replace(${one}, '1', ${other})`,
      `greatest(${one}, ${other})`,
      `json_object('k', ${one})`,
      `hex(${one})`,
      `cast(${one} as char)`,
      `trim(leading 'n' from ${one})`,
      `${one} collate utf8mb4_bin`,
      `json_extract(json_array(${one}, ${other}), '$[0]')`,
      `crc32(${one})`,
      `elt(2, ${one}, ${other})`,
      `interval(${one}, 1, 10)`,
      `md5(${one})`,
      `${one} like concat('%', ${other}, '%')`,
      `date_add(${one}, interval 1 day)`,
    ]);
  }

  #aggregate(columns: readonly string[], _depth: number): string {
    const [one, other] = [this.#pick(columns), this.#pick(columns)];
    return this.#pick([
      `max(${one})`,
      `min(${one})`,
      `sum(${one})`,
      `count(${one})`,
      'count(*)',
      `group_concat(${one} order by ${other}, ${one} separator '|')`,
      `group_concat(distinct ${one} order by ${one})`,
      `bit_xor(crc32(${one}))`,
      `avg(char_length(${one}))`,
      `max(concat(${one}, ${other}))`,
    ]);
  }

  #window(columns: readonly string[]): string {
    const [one, other] = [this.#pick(columns), this.#pick(columns)];
    return this.#pick([
      `row_number() over (order by ${one})`,
      `rank() over (partition by ${one} order by ${other})`,
      `max(${one}) over (partition by ${other})`,
      `first_value(${one}) over (order by ${other}, ${one})`,
      `count(*) over (partition by ${one})`,
    ]);
  }
}

/** The outputs of a query as k0, k1 ...: those of `select ... as x from`. */
function aliased(query: string): string {
  let at = 0;
  return query.replaceAll(/ as (\w+)(?=, | from )/g, (whole, _name, offset: number) =>
    isOuter(query, offset) ? ` as k${at++}` : whole,
  );
}

function isOuter(text: string, offset: number): boolean {
  let open = 0;
  for (const one of text.slice(0, offset)) open += Number(one === '(') - Number(one === ')');
  return open === 0;
}
