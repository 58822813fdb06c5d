import type { Answer, SqlCommand } from '@sluice/contract';
import { expect, test } from 'vitest';
import { B, F, message, readErrorFields } from '../src/messages.js';
import { type Talk, type TalkOptions, batch, bind, parse, query, reply, sync, talk } from './talk.js';

/**
 * Texts that are refused for a mistake in them, which the gateway cannot read or has a name that it does not know: the target is
 * asked what is wrong, and is given nothing to run.
 */

const judge: TalkOptions['judge'] = ({ text, phase }: SqlCommand): Answer => {
  if (text.startsWith('selec '))
    return { type: 'deny', rule: 'gateway', message: 'm', syntaxError: { message: 'syntax error at or near "selec"' } };
  if (text.startsWith('table ') && phase === 'run')
    return { type: 'deny', rule: 'gateway', message: 'not known here', unknownName: true };
  return { type: 'allow', facts: { actions: [], confidence: 'exact', statements: [{ type: 'none' }] } };
};

const error = (fields: string): Buffer =>
  message(B.errorResponse, Buffer.from(`SERROR\0VERROR\0${fields.replaceAll('|', '\0')}\0\0`));
const OF_TEXT = error('C42601|Mof the target|P1|Fscan.l|L1|Rscanner_yyerror');
const SEVERAL = error('C42601|Mcannot insert multiple commands|Fpostgres.c|L1|Rexec_parse_message');

const tags = (session: Talk): string[] =>
  session.sent.upstream.flatMap((bytes) => {
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1))
      found.push(String.fromCharCode(bytes[at] as number));
    return found;
  });
const lastError = (session: Talk): ReadonlyMap<string, string> => {
  const bytes = Buffer.concat(session.sent.client);
  let at = 0;
  while (bytes[at] !== B.errorResponse) at += 1 + bytes.readInt32BE(at + 1);
  return readErrorFields(bytes.subarray(at + 5, at + 1 + bytes.readInt32BE(at + 1)));
};
/** No Query, Bind of a statement that is there, or Execute. */
const RUNS = [F.query, F.execute].map((tag) => String.fromCharCode(tag));

test('the words are those of the target, to which the text goes as a Parse alone', () => {
  const session = talk({ judge });
  session.client(query('selec 1'));
  expect(tags(session)).toEqual(['P', 'C', 'B', 'S']);
  expect(session.sent.upstream.map(String).join('')).toContain('selec 1');
  session.replies(OF_TEXT, reply.ready('E'));
  expect(Buffer.concat(session.sent.client)).toEqual(Buffer.concat([OF_TEXT, reply.ready('E')]));
  session.client(query('select 2'));
  expect(tags(session).slice(4)).toEqual(['Q']);
});

test.each([
  ['accepts it', (standIn: string) => [reply.parsed, reply.closed, reply.error(standIn)]],
  ['finds several statements in it', () => [SEVERAL]],
  [
    'runs code that says so',
    () => [error('C42601|Mtold canary|WPL/pgSQL function tell() line 1 at RAISE|Fpl_exec.c|Rexec_stmt_raise')],
  ],
  ['finds another mistake', () => [error('C42P01|Mrelation "x" does not exist|P1')]],
])('where the target %s, the words are ours, and nothing runs', (_, repliesTo) => {
  for (const inExtended of [false, true]) {
    const replies = repliesTo(inExtended ? '42601' : '26000');
    const session = talk({ judge });
    if (inExtended) session.client(batch('select 1'), parse('mine', 'selec 1'), batch('select 2'), sync);
    else session.client(query('selec 1'));
    const before = inExtended ? [reply.parsed, reply.bound, reply.complete('SELECT 1')] : [];
    session.replies(...before, ...replies, reply.ready('I'));
    expect(session.toClient()).toEqual([...(inExtended ? ['1', '2', 'C'] : []), 'E 42501', 'Z I']);
    expect(lastError(session).get('M')).toContain('could not read this text');
    const sent = tags(session).slice(inExtended ? 3 : 0);
    expect(sent).toEqual(inExtended ? ['P', 'C', 'P', 'S'] : ['P', 'C', 'B', 'S']);
    expect(sent.some((tag) => RUNS.includes(tag))).toBe(false);
  }
});

test('in an extended query the client reads the same, and what follows is skipped', () => {
  const session = talk({ judge });
  session.client(parse('', 'selec 1'), batch('select 2'), sync);
  expect(tags(session)).toEqual(['P', 'C', 'P', 'S']);
  session.replies(OF_TEXT, reply.ready('I'));
  expect(Buffer.concat(session.sent.client)).toEqual(Buffer.concat([OF_TEXT, reply.ready('I')]));
});

test('behind messages that may fail it is not asked: the target would pass over them, and answer a Sync too many', () => {
  const session = talk({ judge });
  session.client(batch('select 1'), query('selec 1'), sync);
  expect(tags(session)).toEqual(['P', 'B', 'E', 'Q', 'S']);
  session.replies(reply.parsed, reply.bound, reply.error('22012'), reply.ready('I'));
  expect(session.toClient()).toEqual(['1', '2', 'E 22012', 'Z I']);
});

const NO_TABLE = error('C42P01|Mrelation "x" does not exist|HPerhaps another.|P7|Rparser_open');

test.each([
  ['no such name', NO_TABLE],
  ['a transaction that has failed', error('C25P02|Mcurrent transaction is aborted')],
])('where the target says %s of what is not known here, its words are shown, and nothing runs', (_, words) => {
  const session = talk({ judge });
  session.client(query('table x'));
  expect(tags(session)).toEqual(['P', 'C', 'B', 'S']);
  session.replies(words, reply.ready('I'));
  expect(Buffer.concat(session.sent.client)).toEqual(Buffer.concat([words, reply.ready('I')]));
});

test.each([
  ['knows the name', (standIn: string) => [reply.parsed, reply.closed, reply.error(standIn)]],
  ['finds another mistake', () => [error('C42601|Msyntax error|Rscanner_yyerror')]],
  ['runs code that says so', () => [error('C42P01|Mtold canary|WPL/pgSQL function tell() line 1 at RAISE')]],
])('where the target %s, the refusal is ours', (_, repliesTo) => {
  for (const inExtended of [false, true]) {
    const session = talk({ judge });
    if (inExtended) session.client(batch('table x'), sync);
    else session.client(query('table x'));
    session.replies(...(inExtended ? [reply.parsed] : []), ...repliesTo('26000'), reply.ready('I'));
    expect(lastError(session).get('M')).toBe('not known here');
    expect(tags(session)).toEqual([...(inExtended ? ['P'] : []), 'P', 'C', 'B', 'S']);
  }
});

test('what was prepared is asked about with the types that its parameters have', () => {
  const session = talk({ judge });
  const declared = Buffer.from([0, 2, 0, 0, 0, 23, 0, 0, 0, 25]);
  session.client(message(F.parse, 'mine', 'table x', declared), bind('', 'mine', '1', 'a'), sync);
  session.replies(reply.parsed, NO_TABLE, reply.ready('I'));
  const sent = Buffer.concat(session.sent.upstream);
  const again = sent.subarray(sent.lastIndexOf('table x'));
  expect(again.subarray('table x'.length + 1).subarray(0, declared.length)).toEqual(declared);
  expect(session.toClient()).toEqual(['1', 'E 42P01', 'Z I']);
});
