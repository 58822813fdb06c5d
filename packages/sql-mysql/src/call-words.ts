/** Functions with a syntax of their own, and the words within it. Owns: these tables. Does not: read (calls.ts). Pure. */

export type Special =
  | ('literal' | 'temporal' | 'niladic' | 'case' | 'exists' | 'interval' | 'default' | 'match' | 'row' | 'sequence')
  | ('cast' | 'convert' | 'extract' | 'timestamp' | 'trim' | 'substring' | 'position' | 'char' | 'weight')
  | ('group concat' | 'json value' | 'format' | 'columns' | 'values' | 'aggregate');

const words = (kind: Special, list: string): [string, Special][] => list.split(' ').map((word) => [word, kind]);

export const SPECIAL: ReadonlyMap<string, Special> = new Map([
  ...words('literal', 'NULL TRUE FALSE'),
  ...words('temporal', 'DATE TIME TIMESTAMP'),
  ...words('niladic', 'CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER LOCALTIME LOCALTIMESTAMP'),
  ...words('niladic', 'UTC_DATE UTC_TIME UTC_TIMESTAMP CURRENT_ROLE'),
  ...words('case', 'CASE'),
  ...words('exists', 'EXISTS'),
  ...words('interval', 'INTERVAL'),
  ...words('default', 'DEFAULT'),
  ...words('match', 'MATCH'),
  ...words('row', 'ROW'),
  ...words('sequence', 'NEXT PREVIOUS NEXTVAL LASTVAL SETVAL'),
  ...words('cast', 'CAST'),
  ...words('convert', 'CONVERT'),
  ...words('extract', 'EXTRACT'),
  ...words('timestamp', 'TIMESTAMPADD TIMESTAMPDIFF'),
  ...words('format', 'GET_FORMAT'),
  ...words('trim', 'TRIM TRIM_ORACLE'),
  ...words('substring', 'SUBSTRING SUBSTR MID'),
  ...words('position', 'POSITION'),
  ...words('char', 'CHAR'),
  ...words('weight', 'WEIGHT_STRING'),
  ...words('group concat', 'GROUP_CONCAT'),
  ...words('json value', 'JSON_VALUE'),
  ...words('columns', 'COLUMN_CREATE COLUMN_ADD COLUMN_GET'),
  ...words('values', 'VALUES VALUE'),
  ...words('aggregate', 'COUNT SUM AVG MIN MAX BIT_AND BIT_OR BIT_XOR STD STDDEV STDDEV_POP STDDEV_SAMP VARIANCE'),
  ...words('aggregate', 'VAR_POP VAR_SAMP JSON_ARRAYAGG JSON_OBJECTAGG ST_COLLECT'),
]);

/** Reserved words that a parenthesis makes a function. */
export const RESERVED_CALLS: ReadonlySet<string> = new Set(
  `LEFT RIGHT REPLACE INSERT IF REPEAT MOD CHAR SCHEMA DATABASE ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LEAD LAG
   FIRST_VALUE LAST_VALUE NTH_VALUE GROUPING VALUES ASCII CURRENT_ROLE JSON_TABLE CONVERT INTERVAL DIV
   PERCENTILE_CONT PERCENTILE_DISC MEDIAN BINARY`.split(/\s+/),
);

/** Functions that are keywords of the grammar: in quotes their names mean a stored function. */
export const KEYWORD_CALLS: ReadonlySet<string> = new Set(
  `ADDDATE ASCII AVG BIT_AND BIT_OR BIT_XOR CAST CHAR CHARSET COALESCE COLLATION COLUMN_ADD COLUMN_CREATE COLUMN_DELETE COLUMN_GET
   CONTAINS CONVERT COUNT CURDATE CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURTIME DATABASE DATE
   DATE_ADD DATE_SUB DAY DEFAULT EXTRACT FORMAT GEOMCOLLECTION GEOMETRYCOLLECTION GET_FORMAT GROUP_CONCAT GROUPING HOUR IF INSERT
   INTERVAL JSON_ARRAYAGG JSON_OBJECTAGG JSON_VALUE LAST_VALUE LEFT LINESTRING LOCALTIME LOCALTIMESTAMP MATCH MAX MICROSECOND MID
   MIN MINUTE MOD MONTH MULTILINESTRING MULTIPOINT MULTIPOLYGON NOW OLD_PASSWORD PASSWORD POINT POLYGON POSITION QUARTER REPEAT
   REPLACE REVERSE RIGHT ROW ROWNUM ROW_COUNT SCHEMA SECOND SESSION_USER ST_COLLECT STD STDDEV STDDEV_POP STDDEV_SAMP SUBDATE
   SUBSTR SUBSTRING SUM SYSDATE SYSTEM_USER TIME TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TRIM TRIM_ORACLE TRUNCATE USER UTC_DATE
   UTC_TIME UTC_TIMESTAMP VALUES VARIANCE VAR_POP VAR_SAMP WEEK WEIGHT_STRING YEAR`.split(/\s+/),
);

/** Functions that a blank behind the name makes stored ones (SYM_FN in lex.h of both servers). */
export const ADJOINING: ReadonlySet<string> = new Set(
  `ADDDATE BIT_AND BIT_OR BIT_XOR CAST COUNT CURDATE CURTIME DATE_ADD DATE_SUB EXTRACT GROUP_CONCAT JSON_ARRAYAGG JSON_OBJECTAGG
   MAX MID MIN NOW POSITION SESSION_USER STD STDDEV STDDEV_POP STDDEV_SAMP ST_COLLECT SUBDATE SUBSTR SUBSTRING SUM SYSDATE
   SYSTEM_USER TRIM TRIM_ORACLE VARIANCE VAR_POP VAR_SAMP`.split(/\s+/),
);

export const SEQUENCE_ACTIONS: Readonly<Record<string, 'next' | 'last' | 'set'>> = {
  NEXTVAL: 'next',
  LASTVAL: 'last',
  SETVAL: 'set',
};

export const TYPE_WORDS: ReadonlySet<string> = new Set(
  `INTEGER INT UNSIGNED SIGNED PRECISION VARYING ZEROFILL BINARY ASCII UNICODE BYTE YEAR MONTH DAY HOUR MINUTE SECOND TO LARGE
   OBJECT DAY_SECOND DAY_MINUTE DAY_HOUR HOUR_MINUTE HOUR_SECOND MINUTE_SECOND YEAR_MONTH DAY_MICROSECOND HOUR_MICROSECOND
   MINUTE_MICROSECOND SECOND_MICROSECOND`.split(/\s+/),
);
export const SIDES: ReadonlySet<string> = new Set(['BOTH', 'LEADING', 'TRAILING']);
export const FORMATS: ReadonlySet<string> = new Set(['DATE', 'TIME', 'DATETIME', 'TIMESTAMP']);
export const LEVEL_WORDS: ReadonlySet<string> = new Set(['ASC', 'DESC', 'REVERSE']);
export const MATCH_WORDS: ReadonlySet<string> = new Set(
  'IN NATURAL LANGUAGE BOOLEAN MODE WITH QUERY EXPANSION'.split(' '),
);
export const WINDOW_WORDS: ReadonlySet<string> = new Set(['PARTITION', 'ORDER', 'ROWS', 'RANGE', 'GROUPS']);
export const FRAMES: ReadonlySet<string> = new Set(['ROWS', 'RANGE', 'GROUPS']);
export const EXCLUDED: ReadonlySet<string> = new Set(['CURRENT', 'ROW', 'GROUP', 'TIES', 'NO', 'OTHERS']);
/** Words that are no names of arguments, though they could be. */
export const ARGUMENT_ENDS: ReadonlySet<string> = new Set([
  'ORDER',
  'LIMIT',
  'SEPARATOR',
  'OFFSET',
  'FETCH',
  'USING',
  'ABSENT',
]);
