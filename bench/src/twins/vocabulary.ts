/** What random scripts are made of: the relations of fixtures/twins/schema.sql, and constants that are guesses at its values. */

/** Text, integer, boolean, jsonb, text[]. */
export type Type = 't' | 'i' | 'b' | 'j' | 'a';

export interface Field {
  readonly name: string;
  readonly type: Type;
  /** The two databases may differ in it. */
  readonly masked: boolean;
}

export interface Table {
  readonly alias: string;
  readonly fields: readonly Field[];
}

/** What a statement is made with; at least half of the scripts have one of `TELLING`. */
export const FEATURES = [
  'condition',
  'join',
  'window',
  'set operation',
  'set-returning function',
  'CASE',
  'array',
  'JSON',
  'aggregate',
  'recursion',
  'write',
  'session',
  'large object',
  'function call',
  'estimate',
] as const;
export type Feature = (typeof FEATURES)[number];

const named = (type: Type, plain: string, masked: string): Field[] => [
  ...plain
    .split(' ')
    .filter(Boolean)
    .map((name) => ({ name, type, masked: false })),
  ...masked
    .split(' ')
    .filter(Boolean)
    .map((name) => ({ name, type, masked: true })),
];

export const RELATIONS: Readonly<Record<string, readonly Field[]>> = {
  people: [
    ...named('t', 'name city', 'email code'),
    ...named('i', 'id dept', 'salary'),
    ...named('b', '', 'vip'),
    ...named('j', '', 'profile'),
    ...named('a', '', 'tags'),
  ],
  orders: [...named('t', 'item', ''), ...named('i', 'id person total', '')],
  accounts: [...named('t', '', 'iban'), ...named('i', 'id person', 'balance')],
  staff: [...named('t', 'name city', 'contact loud'), ...named('i', 'id', 'pay'), ...named('b', '', 'high')],
  all_money: named('i', 'id person', 'amount'),
};

/** Columns of what a script names itself. */
export const AB: readonly Field[] = [
  { name: 'a', type: 't', masked: true },
  { name: 'b', type: 'i', masked: true },
];

export const CONSTANTS: Readonly<Record<Type, readonly string[]>> = {
  t: [
    "'ada@one.io'",
    "'zoe@two.io'",
    "'di@one.io'",
    "'kim@two.io'",
    "'DE01'",
    "'FR02'",
    "'a'",
    "'x'",
    "'Oslo'",
    "''",
    "'bbb'",
  ].map((one) => `text ${one}`),
  i: ['1', '2', '3', '100', '200', '300', '900', '0', '-1', '10', '123456789'],
  b: ['true', 'false'],
  j: [`'{"k": "a", "n": 1}'::jsonb`, `'{"k": "z"}'::jsonb`, `'{}'::jsonb`],
  a: ["array['a', 'b']", "array['c']", "array[null, 'x']", "'{}'::text[]"],
};

/** Of masked columns other types than the five: only their own output shows them. */
export const MASKED_COLUMNS: readonly string[] = [
  ...'email salary rate born vip token profile tags seen code'.split(' ').map((name) => `people.${name}`),
  'accounts.iban',
  'accounts.balance',
  'wages.amount',
];

/** What a step begins with that is a message of the function call protocol: a number, and texts between bars. */
export const CALL = 'call|';
