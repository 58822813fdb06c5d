/**
 * What the documents for people, and comments, say of the tree, held against the tree. Lives here: files, folders, links, scripts,
 * and the lists of packages and decisions. Does not: whether a sentence is true, which its reader has to judge.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchorOf, pageOf, pages } from './documents.mjs';

const ROOT = join(import.meta.dirname, '..');
const glob = (pattern: string): string[] =>
  globSync(pattern, { cwd: ROOT, exclude: (path) => /(^|\/)(node_modules|dist|\.git)$/.test(path) });
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docker/README.md', ...glob('docs/**/*.md')];
const CODE = glob('**/*.{ts,mjs}');

/** Words that begin with a folder of the tree. A `*` stands for a part of a name, as in a shell. */
const UNDER_A_FOLDER =
  /(?<![\w./@~-])(?:\.ci|agent|bench|docker|docs|examples|fixtures|gateway|packages|patches|protocols|scripts)\/[\w./@*-]*[\w*]/g;
/** Words that end like a source file. */
const SOURCE_FILE = /(?<![\w./@*-])[\w./@*-]*\w\.(?:ts|mjs)\b/g;
/** Blocks of code, and code within a line. */
const CODE_IN_TEXT = /^```[^]*?^```|`[^`\n]+`/gm;
/** A name in the code, and the file that is said to have it: "`READERS` of `statements.ts`". */
const NAME_OF_FILE = /`([#\w]+)`\s+(?:of|in)\s+`([\w./-]+\.ts)`/g;
/** Lines that are comments from their start on. */
const COMMENT = /^\s*(?:\/\/|\/?\*).*$/gm;
const LINK = /\]\(([^()\s]+)\)/g;

const matches = (text: string, pattern: RegExp): string[] => Array.from(text.matchAll(pattern), ([whole]) => whole);

/** A file by less than its path has to be the only one of that name, or nobody knows which is meant. */
const filesNamed = (name: string): string[] => CODE.filter((file) => file === name || file.endsWith(`/${name}`));

const anchorsOf = (document: string): string[] =>
  Array.from(
    read(document)
      .replaceAll(CODE_IN_TEXT, '')
      .matchAll(/^#+ (.*)$/gm),
    ([, heading = '']) => anchorOf(heading),
  );

function brokenLink(document: string, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return false;
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? document : normalize(join(dirname(document), path));
  if (!existsSync(join(ROOT, file))) return true;
  return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).includes(anchor);
}

test('there are documents, and code that they can speak of', () => {
  expect(DOCUMENTS).toContain('docs/architecture.md');
  expect(CODE.length).toBeGreaterThan(300);
});

describe.each(DOCUMENTS)('%s', (document) => {
  const text = read(document);

  test('names files and folders that are there', () => {
    expect(matches(text, UNDER_A_FOLDER).filter((path) => glob(path).length === 0)).toEqual([]);
  });

  test('names source files by enough of their path', () => {
    const unclear = matches(text, SOURCE_FILE).filter((name) => !name.includes('*') && filesNamed(name).length !== 1);
    expect(unclear).toEqual([]);
  });

  test('names what a file has', () => {
    const named = Array.from(text.matchAll(NAME_OF_FILE), ([, name = '', file = '']) => ({ name, file }));
    const missing = named.filter(({ name, file }) => {
      const [path = file] = filesNamed(file);
      return !existsSync(join(ROOT, path)) || !read(path).includes(name);
    });
    expect(missing).toEqual([]);
  });

  test('links to what is there', () => {
    const links = Array.from(text.matchAll(LINK), ([, link = '']) => link);
    expect(links.filter((link) => brokenLink(document, link))).toEqual([]);
  });

  test('names scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const known = [...Object.keys(scripts), 'add', 'exec', 'install', 'patch', 'patch-commit', 'audit', 'licenses'];
    const code = matches(text, CODE_IN_TEXT).join('\n');
    const named = Array.from(code.matchAll(/(?<=`|^|\$ )(?:pnpm|npm run) ([a-z][\w:-]*)/gm), ([, name = '']) => name);
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('as pages', () => {
  test('each document of docs is in the sidebar, once', () => {
    const config = read('docs/.vitepress/config.mjs');
    const listed = Array.from(config.matchAll(/\bpage\('[^']+', '\/([^']*)'\)/g), ([, name]) => name).filter(Boolean);
    const own = glob('docs/*.md').map((file) => file.slice('docs/'.length, -'.md'.length));
    expect(listed.toSorted()).toEqual([...own, 'contributing', 'images'].toSorted());
  });

  test('a link leads to the page of its document; of a file that is no page the words are left', () => {
    const page = (file: string, text: string): string => pageOf(file, text);
    expect(page('README.md', 'see [rules](docs/policy.md#holds)')).toBe('see [rules](./policy.md#holds)');
    expect(page('docs/start.md', '[yours](../README.md#your-own-database)')).toBe(
      '[yours](./index.md#your-own-database)',
    );
    expect(page('docs/operation.md', '[a dashboard](../docker/grafana.json) and `[x](y)`')).toBe(
      'a dashboard and `[x](y)`',
    );
    expect(page('docs/decisions/0001-imports-are-declared.md', '[up](../protocols.md)')).toBe('[up](../protocols.md)');
    expect(page('docs/policy.md', '[out](https://www.rfc-editor.org/) [here](#holds)')).toBe(
      '[out](https://www.rfc-editor.org/) [here](#holds)',
    );
  });

  test('no two documents are one page', () => {
    const names: string[] = [...pages().values()];
    expect(new Set(names).size).toBe(names.length);
  });
});

test('comments name source files and documents that are there', () => {
  const missing = CODE.flatMap((file) => {
    const comments = matches(read(file), COMMENT).join('\n');
    const files = matches(comments, SOURCE_FILE).filter(
      (name) => !/[*]|^\./.test(name) && filesNamed(name).length === 0,
    );
    const documents = matches(comments, /\bdocs\/[\w/-]+\.md\b/g).filter((name) => !existsSync(join(ROOT, name)));
    return [...files, ...documents].map((name) => `${file} names ${name}`);
  });
  expect(missing).toEqual([]);
});

test('the table of docs/architecture.md has every package, and no other folder', () => {
  const [, section = ''] = read('docs/architecture.md').split('\n## Folders\n');
  const [table = ''] = section.split('\n## ');
  const listed = Array.from(table.matchAll(/^\| `([^`]+)` +\|/gm), ([, folder = '']) => folder);
  const packages = glob('{packages/*,protocols/*,gateway,agent,bench}/package.json').map((file): string =>
    dirname(file),
  );
  expect(listed.toSorted()).toEqual(packages.toSorted());
});

describe('docs/decisions', () => {
  const files = glob('docs/decisions/[0-9]*.md').toSorted();

  test('are numbered from 1 without a gap', () => {
    const numbers = files.map((file) => Number(/(\d{4})-[a-z0-9-]+\.md$/.exec(file)?.[1]));
    expect(numbers).toEqual(files.map((_, at) => at + 1));
  });

  test('are listed in docs/architecture.md by their titles, in order', () => {
    const listed = Array.from(
      read('docs/architecture.md').matchAll(/^\d+\. \[([^\]]+)\]\((decisions\/[^)]+)\)/gm),
      ([, title, link]) => [title, `docs/${link}`],
    );
    expect(listed).toEqual(files.map((file) => [/^# \d+\. (.*)$/m.exec(read(file))?.[1], file]));
  });

  test.each(files)('%s says what, why, and what else', (file) => {
    const headings = Array.from(read(file).matchAll(/^## (.*)$/gm), ([, heading]) => heading);
    expect(headings).toEqual(['What', 'Why', 'What else']);
  });
});
