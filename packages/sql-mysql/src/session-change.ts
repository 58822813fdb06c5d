/**
 * What a text changes for the commands behind it, as far as the gateway itself has to know: whether holds wait, and whether names may
 * mean something else. Does not own: settings that decide how texts are read, which the protocol follows as the target confirms them.
 */
import type { Action, SessionChange, StatementEffect } from '@sluice/contract';
import { comparedName, isAscii } from './catalog/objects.js';
import type { SetItem, Statement } from './tree.js';
import { constantOf } from './values.js';

/**
 * `SET @sluice_hold = 'fail'`: a program that cannot wait has its held statements refused at once, with the number of the request;
 * `'wait'` takes it back. A variable of the user's, which the target keeps like any other.
 */
const HOLD = 'sluice_hold';

/** Undefined: nothing of the kind. */
export function sessionChange(statements: readonly Statement[], actions: readonly Action[]): SessionChange | undefined {
  const hold = holdOf(statements);
  const names = statements.some(changesNames) || actions.some(({ effects }) => effects.includes('unknown'));
  return hold === undefined && !names ? undefined : { ...(hold && { hold }), ...(names && { names }) };
}

/** Beside other statements and assignments it is refused: which of them it would hold for depends on what fails. */
function holdOf(statements: readonly Statement[]): SessionChange['hold'] {
  const items = statements.flatMap(itemsOf);
  const item = items.find(isAboutHold);
  if (item?.kind !== 'variable') return undefined;
  if (statements.length > 1 || items.length > 1 || statements[0]?.kind === 'set for') return 'invalid';
  const value = constantOf(item.value);
  return value === 'fail' || value === 'wait' ? value : 'invalid';
}

const itemsOf = (statement: Statement): readonly SetItem[] =>
  statement.kind === 'set variables' || statement.kind === 'set for' ? statement.items : [];

const isAboutHold = (item: SetItem): boolean => item.kind === 'variable' && item.name.toLowerCase() === HOLD;

/** A statement that gives names another meaning by itself: another database, a temporary table. */
function changesNames(statement: Statement): boolean {
  switch (statement.kind) {
    case 'use':
      return true;
    case 'create table':
      return statement.temporary;
    case 'head':
      return statement.words.has('TEMPORARY') || statement.verb === 'drop database';
    case 'set for':
      return changesNames(statement.statement);
    default:
      return false;
  }
}

/** What a statement changes in the session once it has completed. */
export function sessionEffect(statement: Statement): StatementEffect {
  switch (statement.kind) {
    case 'prepare': {
      if (statement.name === undefined) return NONE;
      const text = constantOf(statement.from);
      const name = comparedName(statement.name);
      // A name whose text nobody knows must not keep the one that it had; nor one that the server may take for another one.
      return typeof text === 'string' && isAscii(statement.name)
        ? { type: 'prepare', name, text }
        : { type: 'deallocate', name };
    }
    case 'deallocate':
      return { type: 'deallocate', name: comparedName(statement.name) };
    default:
      return NONE;
  }
}

const NONE: StatementEffect = { type: 'none' };
