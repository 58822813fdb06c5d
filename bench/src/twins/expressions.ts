/** Random expressions and conditions over the columns in scope; queries inside them come from the class that makes queries. */
import { random } from '../lineage/generate.js';
import { CONSTANTS, type Feature, type Field, type Table, type Type } from './vocabulary.js';

/** How often an expression in a condition, and one in an output, is about masked columns. */
const MASKED_IN_CONDITIONS = 0.05;
export const MASKED_IN_OUTPUTS = 0.6;

export abstract class ExpressionGenerator {
  protected readonly major: number;
  protected features = new Set<Feature>();
  protected masked = MASKED_IN_OUTPUTS;
  protected names = 0;
  readonly #next: () => number;

  constructor(seed: number, major: number) {
    this.#next = random(seed);
    this.major = major;
  }

  protected abstract query(
    outer: readonly Table[],
    depth: number,
    wanted?: readonly Type[],
  ): { sql: string; fields: Field[] };

  protected abstract select(
    outer: readonly Table[],
    types: readonly Type[],
    depth: number,
    first?: { sql: string; table: Table },
  ): { sql: string; names: string[] };

  /** Runs something in which masked columns are seldom wanted, because it decides which rows there are. */
  protected deciding<T>(make: () => T): T {
    const before = this.masked;
    this.masked = MASKED_IN_CONDITIONS;
    try {
      return make();
    } finally {
      this.masked = before;
    }
  }

  protected condition(scope: readonly Table[], depth: number): string {
    this.features.add('condition');
    return this.chance(0.07) ? this.comparison(scope) : this.deciding(() => this.anyCondition(scope, depth));
  }

  /** Of a masked column with what may be a whole value, or only looks like one. */
  protected comparison(scope: readonly Table[]): string {
    const type = this.pick<'t' | 'i'>(['t', 'i']);
    const columns = scope.flatMap(({ alias, fields }) =>
      fields.filter((one) => one.masked && one.type === type).map(({ name }) => `${alias}.${name}`),
    );
    if (columns.length === 0) return 'true';
    const column = this.pick(columns);
    const constant = (): string => this.pick(CONSTANTS[type]);
    return this.pick([
      () => `${column} = ${constant()}`,
      () => `${column} in (${constant()}, ${constant()})`,
      () => `${column} = any (array[${constant()}, ${constant()}])`,
      () => `${column} is ${this.pick(['', 'not '])}null`,
      () => `${column} = (select ${constant()})`,
      () => `${column} = ${this.expression(type, scope.map(withoutMasked), 1)}`,
      () => `nullif(${column}, ${constant()}) is null`,
      () => `${column} is distinct from ${constant()}`,
      () => `(${column} = ${constant()}) is not true`,
      () => `${constant()} = ${column}`,
      () => `exists (select ${column} intersect select ${constant()})`,
    ])();
  }

  protected anyCondition(scope: readonly Table[], depth: number): string {
    const text = (): string => this.expression('t', scope, depth - 1);
    const integer = (): string => this.expression('i', scope, depth - 1);
    const simple = [
      () => `${text()} = ${text()}`,
      () => `${text()} like '%o%'`,
      () => `${integer()} > ${this.pick(CONSTANTS.i)}`,
      () => `${integer()} = ${this.pick(CONSTANTS.i)}`,
      () => `${text()} is not null`,
      () => `${integer()} between 1 and 4`,
    ];
    if (depth <= 0) return this.pick(simple)();
    return this.pick([
      ...simple,
      () => `${this.expression('b', scope, depth - 1)} is not false`,
      () => `exists (${this.select(scope, ['i'], depth - 1).sql})`,
      () => `${integer()} in (${this.query(scope, depth - 1, ['i']).sql})`,
      () => `${text()} = any (${this.expression('a', scope, depth - 1)} || '{}'::text[])`,
      () => `(${this.anyCondition(scope, depth - 1)} or not ${this.anyCondition(scope, depth - 1)})`,
    ])();
  }

  /** A number of rows. */
  protected small = (scope: readonly Table[]): string =>
    this.chance(0.5) ? this.pick(['2', '3']) : `least(${this.expression('i', scope, 1)}, 4)`;

  protected expression(type: Type, scope: readonly Table[], depth: number): string {
    if (depth <= 0 || this.chance(0.35)) return this.leaf(type, scope);
    const text = (): string => this.expression('t', scope, depth - 1);
    const integer = (): string => this.expression('i', scope, depth - 1);
    const boolean = (): string => this.expression('b', scope, depth - 1);
    const document = (): string => this.expression('j', scope, depth - 1);
    const array = (): string => this.expression('a', scope, depth - 1);
    const same = (): string => this.expression(type, scope, depth - 1);
    if (this.chance(0.2)) {
      this.features.add('CASE');
      return this.pick([
        () => `(case when ${this.anyCondition(scope, depth - 1)} then ${same()} end)`,
        () => `(case when ${this.anyCondition(scope, depth - 1)} then ${same()} else ${same()} end)`,
        () => `coalesce(${same()}, ${same()})`,
        () => `nullif(${same()}, ${same()})`,
        () => `(${this.query(scope, depth - 1, [type]).sql} limit 1)`,
      ])();
    }
    return this.pick(this.computations({ text, integer, boolean, document, array }, scope, depth)[type])();
  }

  protected computations(
    {
      text,
      integer,
      boolean,
      document,
      array,
    }: Readonly<Record<'text' | 'integer' | 'boolean' | 'document' | 'array', () => string>>,
    scope: readonly Table[],
    depth: number,
  ): Readonly<Record<Type, readonly (() => string)[]>> {
    const noted = (feature: Feature, make: () => string) => (): string => {
      this.features.add(feature);
      return make();
    };
    const row = scope.at(-1)?.alias ?? '';
    return {
      t: [
        () => `upper(${text()})`,
        () => `(${text()} || ${text()})`,
        () => `substr(${text()}, 1, ${this.pick(['1', '2'])})`,
        () => `${integer()}::text`,
        () => `(${text()} collate "C")`,
        () => `${text()}::varchar(3)`,
        () => 'mail_of(1)',
        ...(this.chance(0.04) ? [noted('large object', () => `encode(lo_get(770001), 'escape')`)] : []),
        noted('array', () => `(${array()})[1]`),
        noted('array', () => `array_to_string(${array()}, ',')`),
        noted('JSON', () => `(${document()} ->> 'k')`),
        noted('JSON', () => `${document()}::text`),
        ...(row === '' ? [] : [noted('JSON', () => `to_jsonb(${row})::text`), (): string => `${row}::text`]),
      ],
      i: [
        () => `length(${text()})`,
        () => `(${integer()} + 1)`,
        () => `abs(${integer()})`,
        () => `twice(${integer()})`,
        () => `(${text()} = ${text()})::int`,
        () => `ascii(${text()})`,
        noted('array', () => `cardinality(${array()})`),
        noted('array', () => `array_position(${array()}, ${text()})`),
        noted('JSON', () => `jsonb_array_length(jsonb_build_array(${text()}, ${integer()}))`),
        ...(this.chance(0.1) ? [(): string => `(100 / ${integer()})`] : []),
      ],
      b: [
        () => this.anyCondition(scope, depth - 1),
        () => `(${boolean()} and ${boolean()})`,
        () => `(${text()} ~ 'o')`,
        noted('array', () => `(${array()} @> array[${text()}])`),
        noted('JSON', () => `(${document()} ? 'k')`),
      ],
      j: [
        noted('JSON', () => `jsonb_build_object('k', ${text()}, 'n', ${integer()})`),
        noted('JSON', () => `jsonb_build_object(coalesce(${text()}, 'none'), 1)`),
        noted('JSON', () => `to_jsonb(${array()})`),
        noted('JSON', () => `jsonb_strip_nulls(jsonb_build_object('v', ${text()}))`),
        noted('JSON', () => `(${document()} || ${document()})`),
        noted('JSON', () => `jsonb_path_query_array(${document()}, '$.*')`),
        noted('JSON', () => `to_jsonb(${boolean()})`),
      ],
      a: [
        noted('array', () => `array[${text()}, ${text()}]`),
        noted('array', () => `string_to_array(${text()}, 'o')`),
        noted('array', () => `array_remove(${array()}, ${text()})`),
        noted('array', () => `(${array()} || ${text()})`),
        noted('array', () => `array(${this.query(scope, depth - 1, ['t']).sql})`),
        noted('array', () => `regexp_match(${text()}, '(.)o')`),
      ],
    };
  }

  protected leaf(type: Type, scope: readonly Table[]): string {
    const wantsMasked = this.chance(this.masked);
    const fields = scope.flatMap(({ alias, fields: all }) =>
      all.filter((one) => one.type === type).map((one) => ({ ...one, name: `${alias}.${one.name}` })),
    );
    const fitting = fields.filter(({ masked }) => masked === wantsMasked);
    if (type === 'j' || type === 'a') this.features.add(type === 'j' ? 'JSON' : 'array');
    return fitting.length > 0 ? this.pick(fitting).name : this.pick(CONSTANTS[type]);
  }

  protected name = (letter: string): string => `${letter}${++this.names}`;
  protected roll = (): number => this.#next();
  protected chance = (share: number): boolean => this.#next() < share;

  protected pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#next() * items.length)];
    if (item === undefined) throw new Error('There is nothing to pick from.');
    return item;
  }
}

export const withoutMasked = ({ alias, fields }: Table): Table => ({
  alias,
  fields: fields.filter(({ masked }) => !masked),
});
