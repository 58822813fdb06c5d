/**
 * Random scripts over fixtures/twins/schema.sql, made to find a way to tell its two databases apart. Masked columns appear
 * often in outputs and seldom in conditions, because a script that is refused tells nothing.
 */
import { ExpressionGenerator, MASKED_IN_OUTPUTS, withoutMasked } from './expressions.js';
import { AB, CALL, CONSTANTS, type Feature, type Field, RELATIONS, type Table, type Type } from './vocabulary.js';

export interface Script {
  /** Texts for one session, in order, each of one statement. */
  readonly steps: readonly string[];
  readonly features: ReadonlySet<Feature>;
}

export class ScriptGenerator extends ExpressionGenerator {
  script(): Script {
    this.features = new Set();
    this.names = 0;
    this.masked = MASKED_IN_OUTPUTS;
    const roll = this.roll();
    return { steps: this.steps(roll), features: this.features };
  }

  private steps(roll: number): string[] {
    if (roll < 0.7) return [this.query([], 3).sql];
    if (roll < 0.8) return this.modification();
    if (roll < 0.94) return this.session();
    const text = this.expression('t', [{ alias: 'g', fields: RELATIONS['people'] ?? [] }], 1);
    return this.pick([
      () => this.largeObject(this.query([], 1, ['t']).sql),
      () => this.calls(text),
      () => this.estimated(),
    ])();
  }

  protected override query(
    outer: readonly Table[],
    depth: number,
    wanted?: readonly Type[],
  ): { sql: string; fields: Field[] } {
    const types =
      wanted ??
      Array.from({ length: this.pick([1, 2, 2, 3]) }, () => this.pick<Type>(['t', 't', 'i', 'i', 'b', 'j', 'a']));
    if (depth > 1 && this.chance(0.15)) return this.with(outer, depth, types);
    const arms = depth > 0 && this.chance(0.15) ? 2 : 1;
    const bodies = Array.from({ length: arms }, () => this.select(outer, types, depth));
    const names = bodies[0]?.names ?? [];
    const fields = types.map((type, at) => ({ type, name: names[at] ?? '', masked: true }));
    if (arms === 1) return { sql: bodies[0]?.sql ?? '', fields };
    this.features.add('set operation');
    const operation = this.pick(['union all', 'union all', 'union all', 'union', 'intersect', 'except all']);
    return { sql: bodies.map(({ sql }) => `(${sql})`).join(` ${operation} `), fields };
  }

  private with(outer: readonly Table[], depth: number, types: readonly Type[]): { sql: string; fields: Field[] } {
    const alias = this.name('w');
    if (this.chance(0.3)) {
      this.features.add('recursion');
      const start = this.select(outer, ['t', 'i'], depth - 1);
      const union = this.pick(['union all', 'union all', 'union']);
      const step = `select self.a || 'x', self.b + 1 from ${alias} as self where self.b between 0 and 5 and length(self.a) < 30`;
      const end = this.condition([{ alias, fields: AB }], 0);
      const plain = `select a as c1, b as c2 from ${alias}${this.chance(0.2) ? ` where ${end}` : ''}`;
      return {
        sql: `with recursive ${alias}(a, b) as (${start.sql} ${union} ${step}) ${plain}`,
        fields: [
          { name: 'c1', type: 't', masked: true },
          { name: 'c2', type: 'i', masked: true },
        ],
      };
    }
    const named = this.query(outer, depth - 1);
    const body = this.select(outer, types, depth - 1, {
      sql: `${alias} as n`,
      table: { alias: 'n', fields: named.fields },
    });
    return {
      sql: `with ${alias} as (${named.sql}) ${body.sql}`,
      fields: types.map((type, at) => ({ type, name: body.names[at] ?? '', masked: true })),
    };
  }

  protected override select(
    outer: readonly Table[],
    types: readonly Type[],
    depth: number,
    first?: { sql: string; table: Table },
  ): { sql: string; names: string[] } {
    const from = this.from(outer, depth, first);
    const scope = [...outer, ...from.tables];
    const grouped = this.chance(0.12);
    const key =
      grouped && this.chance(0.5) ? this.deciding(() => `(${this.expression('t', from.tables, 0)} || '')`) : undefined;
    const names = types.map(() => this.name('c'));
    const targets = types.map((type, at) => {
      const value = grouped
        ? this.aggregate(type, from.tables, depth - 1)
        : this.target(type, scope, from.tables, depth);
      return `${value} as ${names[at]}`;
    });
    const where = this.chance(0.5) ? ` where ${this.condition(scope, depth - 1)}` : '';
    const group = key === undefined ? '' : ` group by ${key}`;
    const having = grouped && this.chance(0.2) ? ` having count(*) > 0` : '';
    const distinct = !grouped && this.chance(0.04) ? 'distinct ' : '';
    const order =
      !grouped && distinct === '' && this.chance(0.1)
        ? ` order by ${this.deciding(() => this.expression('i', from.tables, 0))} + 0`
        : '';
    const limit = this.chance(0.05) ? ` limit ${this.pick(['3', '2 offset 1'])}` : '';
    return {
      sql: `select ${distinct}${targets.join(', ')} from ${from.sql}${where}${group}${having}${order}${limit}`,
      names,
    };
  }

  private target(type: Type, scope: readonly Table[], own: readonly Table[], depth: number): string {
    if (this.chance(0.1)) return this.windowed(type, own);
    if (depth > 1 && this.chance(0.06)) {
      this.features.add('set-returning function');
      const source = this.chance(0.3) ? scope : scope.map(withoutMasked);
      if (type === 'i') return `generate_series(1, ${this.small(source)})`;
      if (type === 't') return `unnest(${this.expression('a', source, 1)})`;
    }
    return this.expression(type, scope, depth);
  }

  private windowed(type: Type, own: readonly Table[]): string {
    this.features.add('window');
    const window = this.deciding(() => {
      const parts = [
        this.chance(0.5) ? `partition by ${this.expression('t', own, 0)}` : '',
        this.chance(0.7) ? `order by ${this.expression('i', own, 0)}` : '',
      ];
      return parts.filter(Boolean).join(' ');
    });
    const over = `over (${window})`;
    const call = ((): string => {
      switch (type) {
        case 'i':
          return this.pick([
            'row_number()',
            'rank()',
            'count(*)',
            'ntile(2)',
            `ntile(${this.small(own)})`,
            `sum(${this.expression('i', own, 0)})`,
            `count(${this.expression('t', own, 0)})`,
          ]);
        case 'b':
          return `bool_or(${this.expression('b', own, 0)})`;
        case 't':
          return this.pick([
            () => `lag(${this.expression('t', own, 0)}, 1)`,
            () => `first_value(${this.expression('t', own, 0)})`,
            () => `nth_value(${this.expression('t', own, 0)}, ${this.small(own)})`,
          ])();
        case 'a':
          return `array_agg(${this.expression('t', own, 0)})`;
        default:
          return `json_agg(${this.expression('t', own, 0)})`;
      }
    })();
    const value = `${call} ${over}`;
    return type === 'i' ? `(${value})::int` : type === 'j' ? `(${value})::jsonb` : value;
  }

  private aggregate(type: Type, own: readonly Table[], depth: number): string {
    this.features.add('aggregate');
    const text = (): string => this.expression('t', own, depth);
    const filter = this.chance(0.25) ? ` filter (where ${this.anyCondition(own, depth)})` : '';
    const distinct = this.chance(0.08) ? 'distinct ' : '';
    switch (type) {
      case 'i':
        return `(${this.pick([() => 'count(*)', () => `count(${distinct}${text()})`, () => `sum(${this.expression('i', own, depth)})`, () => `max(${this.expression('i', own, depth)})`])()}${filter})::int`;
      case 'b':
        return `bool_and(${this.expression('b', own, depth)})${filter}`;
      case 'a':
        return `array_agg(${text()})${filter}`;
      case 'j':
        return `(${this.pick([() => `json_agg(${text()})`, () => `json_object_agg(${text()} || '', ${this.expression('i', own, depth)})`])()}${filter})::jsonb`;
      default:
        return this.pick([
          () => `max(${text()})${filter}`,
          () => `string_agg(${text()}, ',' order by ${this.expression('i', own, 0)})${filter}`,
        ])();
    }
  }

  private from(
    outer: readonly Table[],
    depth: number,
    first?: { sql: string; table: Table },
  ): { sql: string; tables: Table[] } {
    const start = first ?? this.item(outer, depth);
    const tables = [start.table];
    let { sql } = start;
    while (tables.length < 3 && this.chance(0.3)) {
      this.features.add('join');
      const kind = this.pick([',', 'cross join', 'join', 'left join', 'full join']);
      const lateral = kind === ',' || kind === 'cross join' ? [...outer, ...tables] : outer;
      const next = this.item(lateral, depth - 1, lateral.length > outer.length);
      tables.push(next.table);
      sql +=
        kind === ',' || kind === 'cross join'
          ? ` ${kind} ${next.sql}`
          : ` ${kind} ${next.sql} on ${this.joined(tables, kind)}`;
    }
    return { sql, tables };
  }

  /** FULL JOIN is for hashes and merges only. */
  private joined(tables: readonly Table[], kind: string): string {
    if (kind !== 'full join') return this.condition(tables, 1);
    const [last, ...others] = tables.toReversed();
    return this.deciding(() => `${this.expression('i', others, 0)} = ${this.expression('i', last ? [last] : [], 0)}`);
  }

  private item(scope: readonly Table[], depth: number, lateral = false): { sql: string; table: Table } {
    const alias = this.name('t');
    if (depth > 0 && this.chance(0.15)) {
      const inner = this.query(lateral ? scope : [], depth - 1);
      return { sql: `${lateral ? 'lateral ' : ''}(${inner.sql}) as ${alias}`, table: { alias, fields: inner.fields } };
    }
    if (this.chance(0.12)) return this.function(alias, lateral ? scope : []);
    if (this.chance(0.05)) {
      const rows = Array.from({ length: 3 }, () => `(${this.pick(CONSTANTS.t)}, ${this.pick(CONSTANTS.i)})`).join(', ');
      return {
        sql: `(values ${rows}) as ${alias}(a, b)`,
        table: { alias, fields: AB.map((field) => ({ ...field, masked: false })) },
      };
    }
    const [relation = '', fields = []] = this.pick(Object.entries(RELATIONS));
    return { sql: `${relation} as ${alias}`, table: { alias, fields } };
  }

  private function(alias: string, scope: readonly Table[]): { sql: string; table: Table } {
    this.features.add('set-returning function');
    // Arguments decide how many rows there are.
    const source = this.chance(0.3) ? scope : scope.map(withoutMasked);
    const field = (name: string, type: Type): Field => ({ name, type, masked: false });
    const texts = { alias, fields: [field('v', 't')] };
    return this.pick([
      () => ({
        sql: `generate_series(1, ${this.small(source)}) as ${alias}(n)`,
        table: { alias, fields: [field('n', 'i')] },
      }),
      () => ({
        sql: `unnest(${this.expression('a', source, 1)}) with ordinality as ${alias}(v, o)`,
        table: { alias, fields: [field('v', 't')] },
      }),
      () => ({
        sql: `regexp_split_to_table(${this.expression('t', source, 1)}, '[o@]') as ${alias}(v)`,
        table: texts,
      }),
      () => ({
        sql: `jsonb_each_text(${this.expression('j', source, 0)}) as ${alias}(k, v)`,
        table: { alias, fields: [field('k', 't'), field('v', 't')] },
      }),
      () => ({
        sql: `row_of(${this.small(source)}) as ${alias}`,
        table: { alias, fields: RELATIONS['people'] ?? [] },
      }),
      ...(this.major >= 18
        ? [
            () => ({
              sql: `json_table(${this.expression('j', source, 0)}, '$.*' columns (v text path '$', o for ordinality)) as ${alias}`,
              table: texts,
            }),
          ]
        : []),
      () => ({ sql: `at_least(${this.small(source)}) as ${alias}(n)`, table: { alias, fields: [field('n', 'i')] } }),
    ])();
  }

  /** INSERT, UPDATE or DELETE, some with RETURNING. */
  private modification(): string[] {
    this.features.add('write');
    const table: Table = { alias: 'g', fields: RELATIONS['people'] ?? [] };
    const id = this.pick(['1', '2', '3', '6']);
    const shown = this.chance(0.7)
      ? ` returning ${this.expression('t', [table], 2)} as e, ${this.expression('i', [table], 1)} as n, g.id`
      : '';
    const guess = this.pick(CONSTANTS.t);
    const conflict = this.pick([
      '(email) do nothing',
      '(id) do nothing',
      'do nothing',
      '(email) do update set city = excluded.city',
    ]);
    return [
      this.pick([
        () => `update people as g set city = ${this.pick(CONSTANTS.t)} where g.id = ${id}${shown}`,
        () => `update people as g set city = 'Here' where g.id = ${id} and ${this.condition([table], 1)}${shown}`,
        () =>
          `delete from log where id = ${id} and exists (select 1 from people as g where ${this.condition([table], 1)})`,
        () =>
          `insert into log (body, number) select 'x', ${this.expression('i', [withoutMasked(table)], 1)} from people as g where ${this.condition([table], 1)} returning id * 0, number`,
        () => `insert into people as g (id, name, email) values (50, 'New', ${guess}) on conflict ${conflict}${shown}`,
        () =>
          `insert into people as g (id, name, email) select 50 + n, 'New', ${guess} || n from generate_series(1, 2) n on conflict ${conflict}${shown}`,
        () =>
          `merge into log as l using (${this.query([], 1, ['i', 't']).sql}) as s(n, v) on l.id = s.n when not matched then insert (body) values ('x')`,
        () =>
          `with w as (update people as g set dept = 1 where g.id = ${id} returning ${this.expression('t', [table], 1)} as v) select count(*) from w`,
      ])(),
      'select count(*), min(body), max(number) from log',
    ];
  }

  /** What a session leaves behind for its later statements. */
  private session(): string[] {
    this.features.add('session');
    const made = this.query([], 2);
    const columns = made.fields.map((_, at) => `k${at}`);
    const kept: Table = { alias: 'kept', fields: made.fields.map((field, at) => ({ ...field, name: `k${at}` })) };
    const people: Table = { alias: 'g', fields: RELATIONS['people'] ?? [] };
    const branch = this.anyCondition([people], 1);
    return this.pick([
      () => [
        `create temp table kept(${columns.join(', ')}) as ${made.sql}`,
        this.select([], ['t', 'i'], 1, { sql: 'kept', table: kept }).sql,
      ],
      () => [
        `create temp table kept(${columns.join(', ')}) as ${made.sql}`,
        `select count(*) from kept`,
        `insert into kept select * from kept`,
        'table kept',
      ],
      () => [
        `create temp view kept(${columns.join(', ')}) as ${made.sql}`,
        this.select([], ['t', 'b'], 1, { sql: 'kept', table: kept }).sql,
      ],
      () => [
        `declare cur scroll cursor for ${made.sql}`,
        'fetch 2 from cur',
        'fetch absolute 1 from cur',
        'move all in cur',
        'fetch prior from cur',
      ],
      () => [
        `prepare ask(int, text) as select g.id, ${this.expression('t', [people], 1)} from people as g where g.salary = $1 or g.email = $2`,
        `execute ask(${this.pick(CONSTANTS.i)}, ${this.pick(CONSTANTS.t)})`,
        'deallocate ask',
      ],
      () => [
        `prepare ask(int[]) as select id from people where salary = any ($1)`,
        `execute ask(${this.pick([`'{1,2,3}'`, 'array(select generate_series(90, 110))', 'array[100, 200]'])})`,
        'deallocate ask',
      ],
      () => [
        // A rollback leaves a sequence as it is.
        "select setval('counter', 1, false)",
        `select case when ${branch} then nextval('counter') end from people as g where g.id = 1`,
        'select last_value, is_called from counter',
      ],
      () => [
        `select (${branch}) and set_config('my.bit', 'yes', true) is not null from people as g where g.id = 1`,
        `select current_setting('my.bit', true)`,
      ],
      () => [
        `copy (${made.sql}) to stdout${this.pick(['', ' (format csv)', ' (format csv, header, force_quote *)', ' (format binary)'])}`,
      ],
      () => ['savepoint s', made.sql, 'rollback to s', made.sql],
      () => [`explain (costs off) ${made.sql}`],
      () => [
        'table people',
        'select born, token, seen, rate, profile, tags from people where dept = 1',
        'copy people to stdout',
      ],
    ])();
  }

  private largeObject(query: string): string[] {
    this.features.add('large object');
    return this.pick([
      ['select lo_open(770001, 262144)', 'select loread(0, 3)', 'select lo_tell(0), loread(0, 9)'],
      [`select count(*) from people where convert_from(lo_get(770001), 'utf8') > 'm'`],
      [
        `select lo_from_bytea(770002, convert_to(x.v::text, 'utf8')) from (${query}) as x(v) limit 1`,
        'select lo_get(770002)',
      ],
      ['select 1 / (get_byte(lo_get(770001), 0) - 97)'],
      [`${CALL}952|770001|262144`, `${CALL}954|0|100`],
      [`${CALL}3458|770001`],
      [`select case when (${query} limit 1)::text like '%o%' then lo_create(770003) end`, `${CALL}964|770003`],
    ]);
  }

  /** By the number of the function. */
  private calls(value: string): string[] {
    this.features.add('function call');
    return this.pick([
      [`select set_config('my.x', ${value}, true) is null from people as g where g.id = 1`, `${CALL}2077|my.x`],
      [`${CALL}2078|my.x|${this.pick(['a', 'ada@one.io'])}|t`, `${CALL}2077|my.x`],
      [`${CALL}2923|select email from people|t|f|`],
      [`${CALL}3062|abc`, `${CALL}1317|abcd`],
      [`${CALL}2078|search_path|pg_temp|t`, 'select email from public.people'],
    ]);
  }

  /** Rules ask for an estimate, and the planner knows what is in the columns. */
  private estimated(): string[] {
    this.features.add('estimate');
    const constant = this.pick(['100', '500', '3000', '3100', '6000', '-1']);
    const column = this.pick(['amount', 'amount', 'person', 'id']);
    return [
      this.pick([
        `update wages set person = 1 where ${column} = ${constant}`,
        `delete from wages where ${column} = ${constant}`,
        `delete from wages where ${column} in (${constant}, 100, 3100)`,
        `update wages set person = 1 where id = any ('{1,2,3,4,5}') and amount > ${constant}`,
        `delete from wages as w using wages as o where w.id = o.id and o.id = 3 and w.amount < ${constant}`,
        `explain delete from wages where amount = ${constant}`,
        `prepare ask(int) as delete from wages where amount = $1`,
      ]),
      'select count(*) from wages where id < 10',
    ];
  }
}
