import { builtIn, type PgType } from '../src/index.js';

/** A type, and values of it: each an SQL expression, `g` being 1, 2, 3 ... in the generated ones. */
export interface Sample {
  readonly sql: string;
  readonly type: PgType;
  readonly values: readonly string[];
  /** The least server that knows the type. */
  readonly since?: number;
  /** The value that says nothing may be among the values. */
  readonly neutral?: boolean;
}

const q = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const s = (oid: number, sql: string, values: readonly string[], typmod = -1): Sample => ({
  sql,
  type: builtIn(oid, typmod),
  values,
});

const RANDOM = '(random() * 1e9)';
const TEXTS = [
  q(''),
  q('short'),
  q('ada.lovelace@example.com'),
  q('4111 1111 1111 1111'),
  q('日本語のテキストです、長い文'),
  q('emoji 😀😀😀😀😀 here'),
  q('12345-6789'),
  q('10.11.12.13'),
  q('2024-05-06'),
  q(`it's "quoted", {braced} \\ (bracketed)`),
  `md5(g::text)`,
];
const TIMES = ["'04:05:06.789'", "'00:00:00'", "'24:00:00'", 'make_time(g % 24, g * 7 % 60, g * 1.5)'];
const STAMPS = [
  "'2024-05-06 07:08:09.123456'",
  "'infinity'",
  "'-infinity'",
  "'0044-03-15 12:00:00 BC'",
  "'1999-12-31 23:59:59.999999'",
  `'2000-01-01'::timestamp + ${RANDOM} * interval '3 seconds'`,
  `'2000-01-01'::timestamp - ${RANDOM} * interval '40 seconds'`,
];
const NUMBERS = ['0', '12345', '-98765', '7', '2147483647', '-2147483648', `(${RANDOM})::int`];
const DECIMALS = [
  "'0'",
  "'123456.789'",
  "'-0.00001234'",
  "'99999999999999999999999999999.5'",
  "'NaN'",
  "'Infinity'",
  "'-Infinity'",
  "'1e40'",
  "'1e-30'",
  `(${RANDOM} * 1000)::numeric / 97`,
  `-(${RANDOM})::numeric`,
];

const INTEGER = builtIn(23);
const TEXT = builtIn(25);

/** Every built-in type that a column can have, and a few that only are outputs. */
export const SAMPLES: readonly Sample[] = [
  s(21, 'int2', ['0', '12345', '-32768', '32767', '7', 'g']),
  s(23, 'int4', NUMBERS),
  s(20, 'int8', [...NUMBERS, '9223372036854775807', '-9223372036854775808', '4111111111111111']),
  s(26, 'oid', ['0', '4294967295', '12345', 'g']),
  s(28, 'xid', ["'12345'", "'4294967295'"]),
  s(29, 'cid', ["'12345'"]),
  s(5069, 'xid8', ["'12345678901'", "'18446744073709551615'"]),
  s(27, 'tid', ["'(12,34)'"]),
  s(700, 'float4', ["'0'", "'3.25'", "'-1.5e30'", "'NaN'", "'Infinity'", "'-Infinity'", "'1e-40'", RANDOM]),
  s(701, 'float8', ["'0'", "'52.520008'", "'-1.5e300'", "'NaN'", "'Infinity'", "'5e-324'", "'12345678'", RANDOM]),
  s(1700, 'numeric', DECIMALS),
  s(
    1700,
    'numeric(10,2)',
    ["'12345678.90'", "'0.01'", "'-99999999.99'", `(${RANDOM})::numeric / 1000`],
    ((10 << 16) | 2) + 4,
  ),
  s(1700, 'numeric(3,0)', ["'999'", "'7'", "'-123'"], (3 << 16) + 4),
  s(1700, 'numeric(4,4)', ["'0.1234'", "'0.9999'"], ((4 << 16) | 4) + 4),
  s(1700, 'numeric(3,5)', ["'0.00123'"], ((3 << 16) | 5) + 4),
  s(1700, 'numeric(3,-2)', ["'12300'"], ((3 << 16) | (-2 & 0x7ff)) + 4),
  s(790, 'money', ["'12345.67'", "'-0.01'", "'0'", "'$99,999,999.00'"]),
  s(16, 'bool', ['true', 'false']),
  s(1082, 'date', [
    "'2024-05-06'",
    "'2000-01-01'",
    "'1970-01-01'",
    "'0044-03-15 BC'",
    "'4714-11-24 BC'",
    "'5874897-12-31'",
    "'infinity'",
    "'-infinity'",
    "'2000-02-29'::date + g * 137",
    "'1900-03-01'::date - g * 997",
  ]),
  s(1083, 'time', TIMES),
  s(1083, 'time(0)', TIMES, 0),
  s(1266, 'timetz', ["'04:05:06.789+05:30'", "'23:59:59-08'", "'00:00:00+15:59:59'"]),
  s(1114, 'timestamp', STAMPS),
  s(1114, 'timestamp(3)', STAMPS, 3),
  s(1184, 'timestamptz', STAMPS),
  s(1186, 'interval', [
    "'1 year 2 mons 3 days 04:05:06.789'",
    "'-1 year -2 mons +3 days -04:05:06'",
    "'0'",
    "'400 days'",
    "'1000:00:00'",
    "'-00:00:00.5'",
    "'178000000 years'",
    "g * interval '1 hour 7 minutes'",
  ]),
  s(2950, 'uuid', ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", 'md5(g::text)::uuid']),
  s(25, 'text', TEXTS),
  ...[1, 3, 11, 20, 22, 60].flatMap((n) => [
    s(
      1043,
      `varchar(${n})`,
      TEXTS.map((one) => `left(${one}, ${n})`),
      n + 4,
    ),
    s(
      1042,
      `char(${n})`,
      TEXTS.map((one) => `left(${one}, ${n})`),
      n + 4,
    ),
  ]),
  s(1043, 'varchar', TEXTS),
  s(19, 'name', TEXTS),
  s(18, '"char"', [q('x'), q('')]),
  s(17, 'bytea', ["'\\x'", "'\\x00ff10'", "decode(md5(g::text), 'hex')"]),
  s(114, 'json', [
    q('{"a": [1, 2.5e3, -7, true, null, "ada@example.com"], "b\\u00e9": {"c": "\\u0041\\"\\\\", "empty": {}}}'),
    q('[]'),
    q('"a \\ud83d\\ude00 string that is long"'),
    q('12345678901234567890.5'),
    q('{"a":1,"a":2}'),
    q('null'),
    'json_build_object(md5(g::text), g, $$x$$, md5(g::text))',
  ]),
  s(3802, 'jsonb', [
    q('{"a": [1, 2.5e3, -7, true, null, "ada@example.com"], "b\\u00e9": {"c": "\\u0041\\"\\\\", "empty": {}}}'),
    q('"12345678"'),
    q('12345678'),
    q('[12345, -0.5, 1e5, 98765432101234567890, 10.5E+300]'),
    'jsonb_build_object(md5(g::text), g, $$x$$, md5(g::text))',
  ]),
  s(142, 'xml', [q('<a b="c">text &amp; more</a>'), q('only text'), q('')]),
  s(4072, 'jsonpath', [q('$.a[*] ? (@ > 1)')]),
  s(3614, 'tsvector', [q("'fat':1A 'cat':2 'it''s':3")]),
  s(3615, 'tsquery', [q('fat & (cat | !dog)')]),
  s(869, 'inet', [
    "'192.168.1.77'",
    "'10.1.2.3/20'",
    "'::1'",
    "'2001:db8:1:2:3:4:5:6/64'",
    "'::ffff:1.2.3.4'",
    "'0.0.0.0/0'",
    "('10.0.0.0'::inet + g * 7919)",
  ]),
  s(650, 'cidr', ["'192.168.1.0/24'", "'10.0.0.0/8'", "'2001:db8::/32'", "'1.2.3.4/32'", "'10.1.2.128/25'"]),
  s(829, 'macaddr', ["'08:00:2b:01:02:03'"]),
  s(774, 'macaddr8', ["'08:00:2b:01:02:03:04:05'"]),
  s(1560, 'bit(11)', ["B'10110011101'"], 11),
  s(1560, 'bit(64)', ['(g * 7919)::bigint::bit(64)'], 64),
  s(1562, 'varbit(20)', ["B'1011'", "B''"], 20),
  s(1562, 'varbit', ["B'101100111011011'"]),
  s(600, 'point', ["'(1.5,-2.5)'"]),
  s(601, 'lseg', ["'[(1,2),(3,4)]'"]),
  s(602, 'path', ["'[(1,2),(3,4)]'", "'((1,2),(3,4))'"]),
  s(603, 'box', ["'(3,4),(1,2)'"]),
  s(604, 'polygon', ["'((1,2),(3,4),(5,0))'"]),
  s(628, 'line', ["'{1,2,3}'"]),
  s(718, 'circle', ["'<(1,2),3>'"]),
  s(3220, 'pg_lsn', ["'16/B374D848'"]),
  s(5038, 'pg_snapshot', ["'10:20:10,14,15'"]),
  s(2970, 'txid_snapshot', ["'10:20:10,14,15'"]),
  ...(
    [
      'regproc:24:now',
      'regprocedure:2202:now()',
      'regoper:2203:pg_catalog.||/',
      'regoperator:2204:+(int4,int4)',
      'regclass:2205:pg_class',
      'regtype:2206:int4',
      'regrole:4096:postgres',
      'regnamespace:4089:pg_catalog',
      'regcollation:4191:"C"',
      'regconfig:3734:english',
      'regdictionary:3769:simple',
    ] as const
  ).map((entry) => {
    const [name = '', oid, ...value] = entry.split(':');
    return s(Number(oid), name, [q(value.join(':'))]);
  }),
  s(22, 'int2vector', ["'1 2 3'"]),
  s(30, 'oidvector', ["'1 2 3'"]),
  s(1790, 'refcursor', [q('a cursor name')]),
  s(1007, 'int4[]', ["'{1,NULL,-12345}'", "'{}'", "'[0:1][2:3]={{1,2},{3,4}}'"]),
  s(1016, 'int8[]', ["'{12345678901,2}'"]),
  s(1009, 'text[]', [
    "array['a\"b\\c', null, 'NULL', '', 'a,b}{', 'ada@example.com', '日本語']",
    "'{{a,b},{c,d}}'",
    'array[md5(g::text)]',
  ]),
  s(1015, 'varchar(5)[]', ["'{ab,abcde}'"], 9),
  s(1014, 'char(5)[]', ["'{ab,abcde}'"], 9),
  s(1231, 'numeric(8,3)[]', ["'{1.5,NULL,12345.678}'"], ((8 << 16) | 3) + 4),
  s(1000, 'bool[]', ["'{t,f}'"]),
  s(1001, 'bytea[]', ["array['\\xdeadbeef'::bytea]"]),
  s(2951, 'uuid[]', ["array['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid]"]),
  s(1182, 'date[]', ["'{2024-05-06,infinity}'"]),
  s(1185, 'timestamptz[]', ["array['2024-05-06 07:08:09+02'::timestamptz]"]),
  s(1187, 'interval[]', ["array['1 day 02:03:04'::interval]"]),
  s(3807, 'jsonb[]', ['array[\'{"a": "b c"}\'::jsonb]']),
  s(199, 'json[]', ['array[\'{"a": "b \\\\ c"}\'::json]']),
  s(1041, 'inet[]', ["'{192.168.1.77,::1}'"]),
  s(1020, 'box[]', ["'{(3,4),(1,2);(5,6),(0,0)}'"]),
  s(1017, 'point[]', ["array['(1,2)'::point]"]),
  s(1561, 'bit(3)[]', ["'{101,011}'"], 3),
  s(3905, 'int4range[]', ["array['[1,5)'::int4range]"]),
  s(791, 'money[]', ["array['1234.56'::money]"]),
  s(143, 'xml[]', ["array['<a/>'::xml]"]),
  s(3904, 'int4range', ["'[15,52345)'", "'(,5]'", "'[3,)'", "'empty'", "'(,)'", "'[7,8)'"]),
  s(3926, 'int8range', ["'[15,5234567890123)'"]),
  s(3906, 'numrange', ["'[1.5,52345.75]'", "'(12,17)'", "'[-155,-12)'"]),
  s(3908, 'tsrange', ["'[2024-05-06 01:02:03,2025-01-01)'", "'[,2024-05-06 01:02:03]'"]),
  s(3910, 'tstzrange', ["'[2024-05-06 01:02:03+02,infinity)'"]),
  s(3912, 'daterange', ["'[2024-05-06,2024-07-08)'", "'[2024-05-06,2026-07-08]'"]),
  s(4451, 'int4multirange', ["'{[1,5),[7,9)}'"]),
  s(4532, 'nummultirange', ["'{[1.5,5)}'"]),
  s(4533, 'tsmultirange', ["'{[2024-05-06 01:02:03,2025-01-01)}'"]),
  s(4534, 'tstzmultirange', ["'{[2024-05-06 01:02:03,2025-01-01)}'"]),
  s(4535, 'datemultirange', ["'{[2024-05-06,2025-01-01)}'"]),
  s(4536, 'int8multirange', ["'{[1,5)}'"]),
];

/** Types that a database makes itself: `oids` has what it gave them. */
export function made(oids: ReadonlyMap<string, number>): Sample[] {
  const own = (name: string, kind: PgType['kind'], more: Partial<PgType>): PgType => ({
    oid: oids.get(name) ?? 0,
    kind,
    name,
    ...more,
  });
  const mood = own('mood', 'enum', { labels: ['calm', 'it\'s, "odd"', 'sad'] });
  const pair = own('pair', 'composite', { fields: [INTEGER, TEXT, builtIn(1082), mood, builtIn(1043, 9)] });
  const zip = own('zip', 'domain', { element: builtIn(25) });
  const floats = own('floats', 'range', { element: builtIn(701) });
  const row = `row(12345, 'a "b", (c) \\ d', '2024-05-06', 'sad', 'abcde')::pair`;
  return [
    { sql: 'mood', type: mood, values: [q('sad'), q('calm')], neutral: true },
    { sql: 'mood[]', type: own('_mood', 'array', { element: mood }), values: ["'{sad,NULL}'"] },
    {
      sql: 'pair',
      type: pair,
      values: [row, 'row(null, null, null, null, null)::pair', "row(1, '', null, 'calm', '')::pair"],
    },
    { sql: 'pair[]', type: own('_pair', 'array', { element: pair }), values: [`array[${row}, null]`] },
    { sql: 'zip', type: zip, values: [q('12345')] },
    { sql: 'zip[]', type: own('_zip', 'array', { element: { ...zip } }), values: ["array['12345'::zip]"] },
    { sql: 'floats', type: floats, values: ["'[1.5,52345.75]'", "'[-200,-100.5)'"] },
    { sql: 'citext', type: own('citext', 'base', {}), values: [q('Ada Lovelace')] },
    {
      sql: 'hstore',
      type: own('hstore', 'base', {}),
      values: [`hstore(array['a','k "2" \\','c'], array['ada@example.com', 'x"y\\z, "q"=>"r"', null])`, q('')],
    },
  ];
}
