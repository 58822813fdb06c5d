import { expect, test } from 'vitest';
import { UNKNOWN_REASONS, reasonOfPhrase } from '../../src/index.js';
import { afterCode } from '../../src/lineage/reasons.js';

/** Of each kind the phrases that the lineage has, with names filled in. */
const PHRASES: Readonly<Record<(typeof UNKNOWN_REASONS)[number], readonly string[]>> = {
  unread_code: [
    'calls plf, which runs code that nobody has read',
    'calls lo_import, which reads or writes a file of the database host',
    'calls f, which is not known',
    'calls f, which runs as another role',
    'calls a procedure, whose code nobody has read',
    'runs code that nobody has read',
    'uses a cast that runs code that nobody has read',
    'uses the operator ===, which runs code that nobody has read',
    'reads a type with a cast that runs code',
    'changes totals, for which a rule or trigger does something else',
    'changes totals, for which a rule answers with rows',
  ],
  after_code: [
    'runs after a statement that runs code that nobody has read',
    'runs after a statement that changes search_path with set_config',
    'runs after a statement that was not followed',
    'reads a setting that others may have left in the server process',
    'reads a temporary table that nobody saw being made',
    'reads a sequence that a rollback brought back',
    'executes "p", and no such prepared statement is known',
    'fetches from "c", and no such cursor is known',
  ],
  definition: ['stands behind a definition in the same text', 'stands behind a definition in the same transaction'],
  name: [
    'uses the relation other.t, which is not known',
    'uses the column x, which is not known',
    'uses the operator other.=, which is not known',
    'uses a star whose columns are not known',
    'uses a name without its schema, and the search_path of the server process is not known',
    'casts to wrong, which is not known',
    'reads from f, whose columns are not known',
    'reads a column that its view does not define',
  ],
  size: ['is too large to be followed', 'is too long to be followed', 'is nested too deeply to be followed'],
  other_values: [
    'reads a large object, that holds values of other tables',
    'shows the statements of other sessions',
    'reads a catalog that holds values of other tables',
  ],
  construct: ['contains something that is not understood (Odd)', 'could not be followed', 'is no statement'],
};

test.each(UNKNOWN_REASONS)('phrases of the kind %s are told by it', (kind) => {
  for (const phrase of PHRASES[kind]) expect(reasonOfPhrase(phrase), phrase).toBe(kind);
});

test('what code did to a session is said of the statements behind it, once', () => {
  const after = afterCode('calls plf, which runs code that nobody has read');
  expect(after).toBe('runs after a statement that calls plf, which runs code that nobody has read');
  expect(afterCode(after)).toBe(after);
});
