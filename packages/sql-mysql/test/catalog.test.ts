/** Catalogs that change while they are read. In place of a server there are readings that a test has made up: when which comes is what it is about. */
import { expect, test } from 'vitest';
import { readCatalog } from '../src/catalog/read.js';

type Row = (string | null)[];

/** A server of which each reading of its columns shows the next of these states of the view `v`; its table `t` stays. */
function server(states: readonly (readonly string[])[]): (text: string) => Promise<Row[]> {
  let at = -1;
  const now = (): readonly string[] => states[Math.min(Math.max(at, 0), states.length - 1)] ?? [];
  const columns = (table: string, names: readonly string[]): Row[] =>
    names.map((name) => ['app', table, name, 'varchar', '', null, '']);
  return async (text) => {
    if (text.includes('version()')) at++;
    if (text.includes('version()')) return [['9.7.4', '0']];
    if (text.includes('information_schema.tables'))
      return [['app', 't', 'BASE TABLE'], ...(now().length > 0 ? [['app', 'v', 'VIEW']] : [])];
    if (text.includes('information_schema.columns')) return [...columns('t', ['nick', 'mail']), ...columns('v', now())];
    if (text.includes('information_schema.views'))
      return now().length > 0 ? [['app', 'v', `select ${now().join()} from app.t`]] : [];
    return [];
  };
}

const flipping = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? ['nick', 'mail'] : ['mail', 'nick']));

test('nothing is known of what is another at each look, and all else is', async () => {
  const catalog = await readCatalog(server(flipping));
  expect(catalog.relation('app', 't')?.columns.map(({ name }) => name)).toEqual(['nick', 'mail']);
  expect(catalog.relation('app', 'v')).toMatchObject({ kind: 'view', definition: '' });
  // Once it stays as it is, it is known again, and columns are the objects that they were.
  const later = await readCatalog(server([['nick', 'mail']]), catalog);
  expect(later.relation('app', 'v')?.definition).toBe('select nick,mail from app.t');
  expect(later.column('app', 'v', 'nick')).toBe(catalog.column('app', 'v', 'nick'));
  expect(await readCatalog(server([['nick', 'mail']]), later)).toBe(later);
});

test('what comes and goes is not there, or nothing is known of it', async () => {
  const coming = Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? [] : ['nick']));
  for (const states of [coming, coming.slice(1)]) {
    const catalog = await readCatalog(server(states));
    expect(catalog.relation('app', 'v')?.definition ?? '').toBe('');
    expect(catalog.relation('app', 't')?.kind).toBe('table');
  }
});
