/**
 * Texts for errors whose own texts cannot be shown, by SQLSTATE (appendix A). Does not: decide which those are (messages.ts).
 * Pure.
 */

/**
 * Texts for errors whose own texts cannot be shown, by SQLSTATE (appendix A). Each says what happened as far as the state and
 * the names of the catalog tell, so that a person or an agent can go on.
 */
type ErrorTexts = ReadonlyMap<string, string>;

/** The text for the fields of an error or a notice. */
export function template(fields: ErrorTexts): string {
  const code = fields.get('C') ?? '';
  const text = STATES[code] ?? CLASSES[code.slice(0, 2)] ?? 'The server reported a problem.';
  return typeof text === 'string' ? text : text(fields);
}

const quoted = (kind: string, name: string | undefined): string => (name === undefined ? '' : `${kind} "${name}"`);
const table = (fields: ErrorTexts): string => quoted(' of table', fields.get('t'));
const constraint = (fields: ErrorTexts): string => `${quoted(' constraint', fields.get('n'))}${table(fields)}`;
const column = (fields: ErrorTexts): string => `${quoted(' column', fields.get('c'))}${table(fields)}`;
const type = (fields: ErrorTexts): string => quoted(' of type', fields.get('d'));

const STATES: Readonly<Record<string, string | ((fields: ErrorTexts) => string)>> = {
  '22001': (fields) => `A text is too long for its column${column(fields)}.`,
  '22003': 'A number is out of the range of its type.',
  '22007': 'A text is not a date or a time.',
  '22008': 'A date or a time is out of range.',
  '22012': 'A division by zero.',
  '22P02': (fields) => `A text is not a value${type(fields)} that it is read as.`,
  '22P03': 'A value in binary format is not of its type.',
  '22P05': 'A character does not exist in the encoding of the client.',
  '23502': (fields) => `NULL in a column that must have a value:${column(fields)}.`,
  '23503': (fields) => `A foreign key does not hold:${constraint(fields)}.`,
  '23505': (fields) => `A key exists already:${constraint(fields)}.`,
  '23514': (fields) => `A row does not satisfy a check:${constraint(fields)}.`,
  '23P01': (fields) => `A row conflicts with another one:${constraint(fields)}.`,
  '25006': 'The transaction is read-only.',
  '25P02': 'The transaction has failed; commands are ignored until it ends.',
  '40001': 'The transaction could not be serialised with others. Try it again.',
  '40P01': 'A deadlock. Try the transaction again.',
  '42501': 'Permission denied by the server.',
  '42601': 'A syntax error.',
  '42702': 'A column name is ambiguous.',
  '42703': 'A column does not exist.',
  '42704': 'An object does not exist.',
  '42725': 'A function or operator name is ambiguous.',
  '42803': 'A column has to be in GROUP BY or in an aggregate.',
  '42804': 'A value has another type than its place.',
  '42883': 'A function or operator does not exist for these types.',
  '42P01': 'A table does not exist.',
  '42P07': 'A table exists already.',
  '55P03': 'A lock is not available.',
  '57014': 'The statement was cancelled.',
  P0001: 'A function raised an exception.',
  P0002: 'A function found no row.',
  P0003: 'A function found too many rows.',
  '00000': 'A notice.',
};

const CLASSES: Readonly<Record<string, string>> = {
  '01': 'A warning.',
  '02': 'There is no data.',
  '08': 'A problem with the connection.',
  '0A': 'The server does not support this.',
  '21': 'A query gave more rows or columns than fit.',
  '22': 'A value is not valid for what is done with it.',
  '23': 'A constraint does not hold.',
  '25': 'Not possible in this state of the transaction.',
  '28': 'The server did not accept the login.',
  '2B': 'Other objects depend on this one.',
  '34': 'A cursor does not exist.',
  '38': 'An external function failed.',
  '39': 'An external function was used wrongly.',
  '3D': 'A database does not exist.',
  '3F': 'A schema does not exist.',
  '40': 'The transaction was rolled back.',
  '42': 'The statement has a mistake, or is not permitted.',
  '44': 'A row is not visible in the view that it was written through.',
  '53': 'The server has not enough resources.',
  '54': 'The statement is beyond a limit of the server.',
  '55': 'An object is not in the state that this needs.',
  '57': 'An operator intervened.',
  '58': 'The system of the server failed.',
  HV: 'A foreign data wrapper failed.',
  P0: 'A function failed.',
  XX: 'An internal error of the server.',
};
