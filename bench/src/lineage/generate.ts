/**
 * Random queries over the schema in fixtures/lineage: most are valid, and what is not is refused by the server and does
 * not count. Expressions know whether they are text, integer or boolean, and no more.
 */

type Type = 't' | 'i';

interface Field {
  readonly name: string;
  readonly type: Type;
}

interface Table {
  readonly alias: string;
  readonly fields: readonly Field[];
  /** The row has a name of its own, and fields that `alias.name` finds. */
  readonly row?: boolean;
}

const columns = (text: string, integers: string): Field[] => [
  ...text
    .split(' ')
    .filter(Boolean)
    .map((name) => ({ name, type: 't' as const })),
  ...integers
    .split(' ')
    .filter(Boolean)
    .map((name) => ({ name, type: 'i' as const })),
];

/** Relations to read from, by how FROM names them. */
const RELATIONS: Readonly<Record<string, readonly Field[]>> = {
  customers: columns('name email phone ssn city note', 'id'),
  'app.customers': columns('name email city', 'id'),
  'other.customers': columns('email code', 'id'),
  orders: columns('status', 'id customer_id'),
  items: columns('product', 'id order_id qty'),
  events: columns('payload who', 'id'),
  events_new: columns('payload who', 'id'),
  events_new_1: columns('payload who', 'id'),
  'only person': columns('name secret', 'id'),
  employee: columns('name secret', 'id salary'),
  derived: columns('email lower_email', 'plain'),
  notes: columns('text author', 'id'),
  tree: columns('label', 'id parent'),
  v_customers: columns('name email shout', 'id'),
  v_nested: columns('mixed', 'id'),
  v_renamed: columns('a b', ''),
  v_star: columns('name email ssn note', 'id'),
  v_union: columns('x', ''),
  v_rows: columns('zip', ''),
  m_customers: columns('email city', 'id'),
};

/** Numbers that look random and are the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes one random statement after the other. @param major for what only newer servers have; @param extended with overloads and extensions */
export class Generator {
  readonly #next: () => number;
  readonly #major: number;
  readonly #extended: boolean;
  #names = 0;

  constructor(seed: number, major: number, extended: boolean) {
    this.#next = random(seed);
    this.#major = major;
    this.#extended = extended;
  }

  statement(): string {
    if (this.#chance(0.85)) return this.#query([], [], 3).sql;
    return this.#modification([]);
  }

  /** A SELECT with columns of known types under known names. */
  #query(outer: readonly Table[], named: readonly Table[], depth: number): { sql: string; fields: Field[] } {
    let scope = named;
    let withs = '';
    if (depth > 1 && this.#chance(0.25)) {
      const { sql, table } = this.#with(outer, named, depth - 1);
      withs = sql;
      scope = [...named, table];
    }
    const width = this.#pick([1, 2, 2, 3]);
    const types = Array.from({ length: width }, () => this.#pick<Type>(['t', 't', 'i']));
    const arms = depth > 1 && this.#chance(0.15) ? 2 : 1;
    const bodies = Array.from({ length: arms }, () => this.#select(outer, scope, types, depth));
    const names = bodies[0]?.names ?? [];
    const operation = this.#pick(['union all', 'union', 'intersect', 'except']);
    const tail = this.#chance(0.1) ? ' order by 1' : this.#chance(0.05) ? ' limit 3' : '';
    const sql = `${withs}${bodies.map((body) => (arms > 1 ? `(${body.sql})` : body.sql)).join(` ${operation} `)}${tail}`;
    return { sql, fields: types.map((type, index) => ({ type, name: names[index] ?? '' })) };
  }

  #select(
    outer: readonly Table[],
    named: readonly Table[],
    types: readonly Type[],
    depth: number,
  ): { sql: string; names: string[] } {
    if (this.#chance(0.04)) {
      const row = (): string => `(${types.map((type) => this.#expression(type, outer, depth - 1)).join(', ')})`;
      return { sql: `values ${row()}, ${row()}`, names: types.map((_, index) => `column${index + 1}`) };
    }
    const from = this.#from(outer, named, depth);
    const scope = [...outer, ...from.tables];
    const names = types.map(() => this.#name('c'));
    const window = this.#chance(0.1) ? this.#expression('t', from.tables, 0) : undefined;
    const grouped = window === undefined && this.#chance(0.15);
    const targets = types.map((type, index) => {
      const plain = (): string => this.#expression(type, scope, depth);
      const value = grouped
        ? type === 'i'
          ? `count(${this.#expression('t', from.tables, 0)})`
          : `string_agg(${this.#expression('t', from.tables, 1)}, ',' order by ${this.#expression('t', from.tables, 0)})`
        : window !== undefined && this.#chance(0.5)
          ? type === 'i'
            ? `row_number() over (partition by ${window})::int`
            : `max(${this.#expression('t', from.tables, 0)}) over w`
          : plain();
      return `${value} as ${names[index]}`;
    });
    const where = this.#chance(0.4) ? ` where ${this.#condition(scope, depth - 1)}` : '';
    const group = grouped && this.#chance(0.5) ? ` group by ${this.#expression('t', from.tables, 0)}` : '';
    const windows = window === undefined ? '' : ` window w as (order by ${window})`;
    const distinct = !grouped && this.#chance(0.08) ? 'distinct ' : '';
    return { sql: `select ${distinct}${targets.join(', ')} from ${from.sql}${where}${group}${windows}`, names };
  }

  #from(outer: readonly Table[], named: readonly Table[], depth: number): { sql: string; tables: Table[] } {
    const first = this.#item(outer, named, depth, []);
    const tables = [first.table];
    let { sql } = first;
    while (tables.length < 3 && this.#chance(0.35)) {
      const kind = this.#pick(['comma', 'left', 'inner', 'natural', 'cross']);
      const lateral = kind === 'comma' || kind === 'cross' ? tables : [];
      const next = this.#item(outer, named, depth - 1, lateral);
      tables.push(next.table);
      if (kind === 'comma' || kind === 'cross') sql += `${kind === 'cross' ? ' cross join' : ','} ${next.sql}`;
      else if (kind === 'natural') sql += ` natural left join ${next.sql}`;
      else sql += ` ${kind} join ${next.sql} on ${this.#condition([next.table], 0)}`;
    }
    return { sql, tables };
  }

  #item(
    outer: readonly Table[],
    named: readonly Table[],
    depth: number,
    lateral: readonly Table[],
  ): { sql: string; table: Table } {
    const alias = this.#name('t');
    if (named.length > 0 && this.#chance(0.4)) {
      const { alias: name, fields } = this.#pick(named);
      return { sql: `${name} as ${alias}`, table: { alias, fields } };
    }
    if (depth > 0 && this.#chance(0.25)) {
      const sub = this.#query(this.#chance(0.5) ? outer : [], named, depth - 1);
      const fields = sub.fields.map(({ type }) => ({ type, name: this.#name('r') }));
      const isLateral = lateral.length > 0 && this.#chance(0.6);
      const inner = isLateral ? this.#query([...outer, ...lateral], named, depth - 1) : sub;
      if (this.#chance(0.5))
        return {
          sql: `${isLateral ? 'lateral ' : ''}(${inner.sql}) as ${alias}`,
          table: { alias, fields: inner.fields },
        };
      const names = inner.fields.map(({ type }, index) => ({ type, name: fields[index]?.name ?? this.#name('r') }));
      return {
        sql: `${isLateral ? 'lateral ' : ''}(${inner.sql}) as ${alias}(${names.map(({ name }) => name).join(', ')})`,
        table: { alias, fields: names },
      };
    }
    if (this.#chance(0.08)) return this.#function(alias, [...outer, ...lateral]);
    const [relation = '', fields = []] = this.#pick(Object.entries(RELATIONS));
    return { sql: `${relation} as ${alias}`, table: { alias, fields, row: !relation.startsWith('v_') } };
  }

  #function(alias: string, scope: readonly Table[]): { sql: string; table: Table } {
    const text = (): string => this.#expression('t', scope, 1);
    return this.#pick([
      () => ({ sql: `unnest(array[${text()}, ${text()}]) as ${alias}(v)`, table: { alias, fields: columns('v', '') } }),
      () => ({
        sql: `generate_series(1, length(${text()})) with ordinality as ${alias}(n, o)`,
        table: { alias, fields: columns('', 'n') },
      }),
      () => ({
        sql: `jsonb_each_text(jsonb_build_object('k', ${text()})) as ${alias}(k, v)`,
        table: { alias, fields: columns('k v', '') },
      }),
      () => ({ sql: `string_to_table(${text()}, ',') as ${alias}(v)`, table: { alias, fields: columns('v', '') } }),
    ])();
  }

  #with(outer: readonly Table[], named: readonly Table[], depth: number): { sql: string; table: Table } {
    const alias = this.#name('w');
    if (this.#chance(0.15)) {
      const sql = this.#modification(['t', 'i']);
      return { sql: `with ${alias} (a, b) as (${sql}) `, table: { alias, fields: columns('a', 'b') } };
    }
    if (this.#chance(0.35)) {
      const table: Table = { alias, fields: columns('a', 'b') };
      const start = this.#select(outer, named, ['t', 'i'], depth);
      const self: Table = { alias: 'self', fields: table.fields };
      const text = this.#expression('t', [self], 1);
      const step = `select ${text}, self.b + 1 from ${alias} as self where self.b < 3`;
      return { sql: `with recursive ${alias} (a, b) as (${start.sql} union all ${step}) `, table };
    }
    const { sql, fields } = this.#query(outer, named, depth);
    return { sql: `with ${alias} as (${sql}) `, table: { alias, fields } };
  }

  /** INSERT, UPDATE or DELETE with RETURNING. @param types what it has to return; whatever it likes when empty */
  #modification(types: readonly Type[]): string {
    const target: Table = { alias: 'g', fields: columns('text author', 'id') };
    const source = this.#item([], [], 1, []);
    const both = [target, source.table];
    const shown = (scope: readonly Table[]): string =>
      types.length === 0
        ? this.#pick(['*', `g.text, ${this.#expression('t', scope, 1)} as e`])
        : types.map((type) => this.#expression(type, scope, 1)).join(', ');
    return this.#pick([
      () =>
        `insert into public.notes as g (text, author) ${this.#select([], [], ['t', 't'], 1).sql} returning ${shown([target])}`,
      () =>
        `update public.notes as g set text = ${this.#expression('t', both, 1)} from ${source.sql} returning ${shown(both)}`,
      () =>
        `delete from public.notes as g using ${source.sql} where ${this.#condition(both, 1)} returning ${shown(both)}`,
      ...(this.#major >= 18 && types.length === 0
        ? [
            () =>
              `update public.notes as g set author = ${this.#expression('t', [target], 1)} returning old.text, new.author, old.*`,
            () =>
              `merge into public.notes as g using ${source.sql} on ${this.#condition(both, 0)} when matched then update set text = ${this.#expression('t', both, 1)} when not matched then do nothing returning merge_action(), g.*`,
          ]
        : []),
    ])();
  }

  #expression(type: Type, scope: readonly Table[], depth: number): string {
    const fields = scope.flatMap(({ alias, fields: all }) =>
      all.filter((field) => field.type === type).map((field) => `${alias}.${field.name}`),
    );
    const leaf = (): string => (fields.length > 0 ? this.#pick(fields) : type === 't' ? `'x'` : '1');
    if (depth <= 0 || this.#chance(0.4)) return leaf();
    const text = (): string => this.#expression('t', scope, depth - 1);
    const integer = (): string => this.#expression('i', scope, depth - 1);
    const sub = (wanted: Type): string => `(${this.#select(scope, [], [wanted], depth - 1).sql} limit 1)`;
    if (type === 'i') {
      return this.#pick([
        () => `length(${text()})`,
        ...(this.#extended ? [() => `length(${integer()})`, () => `strpos(${text()}::citext, ${text()}::citext)`] : []),
        () => `(${integer()} + ${integer()})`,
        () => `coalesce(${integer()}, ${integer()})`,
        () => `(case when ${this.#condition(scope, depth - 1)} then ${integer()} else 0 end)`,
        () => sub('i'),
      ])();
    }
    const rows = scope.filter(({ row }) => row === true);
    return this.#pick([
      () => `upper(${text()})`,
      // Overloads of these names, and functions and operators of extensions.
      ...(this.#extended
        ? [
            () => `upper(${integer()})`,
            () => `(${integer()} || ${text()})`,
            () => `(${text()} + ${integer()})`,
            () => `replace(${text()}, ${integer()})`,
            () => `replace(${text()}::citext, 'a', ${text()}::citext)`,
            () => `(${text()}::citext || ${text()})::text`,
            () => `similarity(${text()}, ${text()})::text`,
            () => `(${text()} % ${text()})::text`,
            () => `(hstore('k', ${text()}) -> 'k')`,
            () => `(array[${integer()}] # ${integer()})::text`,
          ]
        : []),
      () => `(${text()} || ${text()})`,
      () => `concat(${text()}, ${integer()})`,
      () => `coalesce(${text()}, ${text()})`,
      () => `nullif(${text()}, ${text()})`,
      () => `greatest(${text()}, ${text()})`,
      () => `(case when ${this.#condition(scope, depth - 1)} then ${text()} else ${text()} end)`,
      () => `(case ${text()} when ${text()} then 'x' end)`,
      () => sub('t'),
      () => `array_to_string(array[${text()}, ${text()}], '-')`,
      () => `(array[${text()}, 'x'])[1]`,
      () => `array_to_string(array(${this.#select(scope, [], ['t'], depth - 1).sql}), ',')`,
      () => `(jsonb_build_object('k', ${text()}) ->> 'k')`,
      () => `(row(${text()}, ${integer()})).f1`,
      () => `row(${text()}, ${integer()})::text`,
      () => `(${text()} collate "C")`,
      () => `cast(${text()} as varchar(20))`,
      () => `xmlforest(${text()} as x)::text`,
      () => `(${this.#condition(scope, depth - 1)})::text`,
      () => (rows.length > 0 ? `${this.#pick(rows).alias}::text` : text()),
      () => (rows.length > 0 ? `to_jsonb(${this.#pick(rows).alias})::text` : text()),
    ])();
  }

  #condition(scope: readonly Table[], depth: number): string {
    const text = (): string => this.#expression('t', scope, depth - 1);
    const simple = [
      () => `${text()} = ${text()}`,
      () => `${text()} like 'a%'`,
      () => `${this.#expression('i', scope, depth - 1)} > 1`,
      () => `${text()} is null`,
      () => `${text()} between 'a' and ${text()}`,
    ];
    if (depth <= 0) return this.#pick(simple)();
    return this.#pick([
      ...simple,
      () => `${text()} in (${this.#select(scope, [], ['t'], depth - 1).sql})`,
      () => `exists (${this.#select(scope, [], ['t'], depth - 1).sql})`,
      () => `${text()} = any (array[${text()}, 'x'])`,
      () => `(${this.#condition(scope, depth - 1)} or not ${this.#condition(scope, depth - 1)})`,
    ])();
  }

  #name = (letter: string): string => `${letter}${++this.#names}`;
  #chance = (share: number): boolean => this.#next() < share;

  #pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#next() * items.length)];
    if (item === undefined) throw new Error('There is nothing to pick from.');
    return item;
  }
}
