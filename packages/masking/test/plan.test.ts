import { expect, test } from 'vitest';
import { type PlanFormat, planMask } from '../src/postgres/plan.js';

const masked = (format: PlanFormat, text: string): string => {
  const bytes = Buffer.from(`before ${text}`);
  return (planMask(format)(bytes, 7, bytes.length) ?? bytes.subarray(7)).toString();
};

test.each([
  [
    'Seq Scan on people  (cost=0.00..1.03 rows=3 width=32) (actual time=0.010..0.011 rows=3.00 loops=1)',
    'Seq Scan on people  (cost=0.00..1.03 rows=3 width=0) (actual time=0.010..0.011 rows=3.00 loops=1)',
  ],
  ["  Filter: ((name = 'it''s'::text) AND (id > 42))", "  Filter: ((name = '[masked]'::text) AND (id > [masked]))"],
  ["  Filter: (note = E'a\\\\''b'::text)", "  Filter: (note = E'[masked]'::text)"],
  ['  Filter: ("o\'brien" = 7)', '  Filter: ("o\'brien" = [masked])'],
  ['  Index Cond: (id = (InitPlan 1).col1)', '  Index Cond: (id = (InitPlan 1).col1)'],
  [
    '  Filter: (x = $0 AND col2 = 1e5 AND (ANY (y = (hashed SubPlan 2).col1)))',
    '  Filter: (x = $0 AND col2 = [masked] AND (ANY (y = (hashed SubPlan 2).col1)))',
  ],
  ['  Rows Removed by Filter: 3', '  Rows Removed by Filter: 3'],
  // repeat('x', 1024 * ascii(email)) is a value in kB, or more than fits into memory.
  ['  Sort Method: quicksort  Memory: 25kB', '  Sort Method: [masked]'],
  ['  Worker 0:  Sort Method: external merge  Disk: 400kB', '  Worker 0:  Sort Method: [masked]'],
  ['        Storage: Memory  Maximum Storage: 98kB', '        Storage: [masked]'],
  ['Serialization: time=0.010 ms  output=25kB  format=text', 'Serialization: [masked]'],
  ['  WAL: records=14 bytes=11050', '  WAL: [masked]'],
  ['  Buffers: shared hit=7, temp read=5 written=5', '  Buffers: [masked]'],
  ['  Buckets: 1024  Batches: 2 (originally 1)  Memory Usage: 9kB', '  Buckets: [masked]'],
  // A function that is immutable is computed for the plan.
  ['  Output: true, NULL::boolean, NULL::text', '  Output: [masked], [masked], [masked]'],
  [
    '  Filter: ((a IS NOT NULL) AND (NOT b) AND (c IS TRUE) AND (d IS NOT FALSE))',
    '  Filter: ((a IS NOT NULL) AND (NOT b) AND (c IS TRUE) AND (d IS NOT FALSE))',
  ],
  ['Planning Time: 0.123 ms', 'Planning Time: 0.123 ms'],
  ["  Output: id, 'x'::text, (email ~~ '%a%'::text)", "  Output: id, '[masked]'::text, (email ~~ '[masked]'::text)"],
  [
    '        ->  Hash Right Anti Join  (cost=1.00..2.00 rows=1 width=4)',
    '        ->  Hash Right Anti Join  (cost=1.00..2.00 rows=1 width=0)',
  ],
  // A string over several rows.
  ["  Filter: (x = 'one", "  Filter: (x = '[masked]'"],
  ["two'::text)", '[masked]'],
  ['Secret: 731731', '[masked]'],
  ["Planning Time: 'secret'", '[masked]'],
])('a row of the text format: %s', (row, expected) => {
  expect(masked('text', row)).toBe(expected);
});

test('in JSON, YAML and XML only constants and widths go', () => {
  const json = `[
  {
    "Plan": {
      "Node Type": "Seq Scan",
      "Relation Name": "o'brien",
      "Plan Rows": 3,
      "Plan Width": 32,
      "Output": ["id", "5", "'x'::text"],
      "Filter": "((\\"o'brien\\".a = 'c\\"d'::text) AND (b > 5))",
      "Parallel Aware": false
    }
  }
]`;
  expect(masked('json', json)).toBe(
    json
      .replace('Width": 32', 'Width": 0')
      .replace("'x'::text", "'[masked]'::text")
      .replace(`'c\\"d'::text`, "'[masked]'::text")
      .replace('> 5', '> [masked]')
      .replace('"5"', '"[masked]"'),
  );
  const yaml =
    '- Plan: \n    Alias: "o\'b"\n    Plan Width: 32\n    Filter: "(a = \'x\\ny\'::text)"\n    Output: \n      - "a1"';
  expect(masked('yaml', yaml)).toBe(yaml.replace("'x\\ny'", "'[masked]'").replace('Width: 32', 'Width: 0'));
  const xml = "<Plan-Width>32</Plan-Width><Alias>o'b</Alias><Filter>((a &lt; 'x\ny'::text) AND (b &gt; 12))</Filter>";
  expect(masked('xml', xml)).toBe(
    "<Plan-Width>0</Plan-Width><Alias>o'b</Alias><Filter>((a &lt; '[masked]'::text) AND (b &gt; [masked]))</Filter>",
  );
});

test.each([
  [
    'json',
    '"Sort Method": "quicksort", "Sort Space Used": 106, "Sort Space Type": "Memory", "Plan Rows": 3',
    '"Sort Method": "[masked]", "Sort Space Used": 0, "Sort Space Type": "[masked]", "Plan Rows": 3',
  ],
  [
    'json',
    '"Sort Methods Used": ["quicksort"], "Output Volume": 25, "Output": ["true"]',
    '"Sort Methods Used": ["[masked]"], "Output Volume": 0, "Output": ["[masked]"]',
  ],
  [
    'yaml',
    'Maximum Storage: 98\n  - WAL Bytes: 7\nTemp Written Blocks: 5\nActual Rows: 1.00',
    'Maximum Storage: 0\n  - WAL Bytes: 0\nTemp Written Blocks: 0\nActual Rows: 1.00',
  ],
  [
    'xml',
    '<Peak-Memory-Usage>9</Peak-Memory-Usage><Item>external merge</Item><Actual-Loops>1</Actual-Loops>',
    '<Peak-Memory-Usage>0</Peak-Memory-Usage><Item>[masked]</Item><Actual-Loops>1</Actual-Loops>',
  ],
] as const)('what depends on the size of values goes: %s %s', (format, text, expected) => {
  expect(masked(format, text)).toBe(expected);
});

test('what is no plan is NULL or hidden, however long it is', () => {
  for (const format of ['text', 'json', 'yaml', 'xml'] as const)
    for (const one of ["'", '"', '\\', '<a>', 'a1 ', ' ', '("', "''", '->  ', 'Rows Removed by '])
      expect(masked(format, one.repeat(50_000)).length).toBeLessThan(2_000_000);
});
