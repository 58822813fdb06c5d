/**
 * The sentences in the code that whoever sends commands may read. Owns: which files have some, which calls take one, and the code that
 * goes with it. Does not: sentences of the contract's codes, which docs/refusals.md has in tables of their own.
 *
 * A file of the product belongs to a client's reader unless `OF_OTHERS` says whose it is, so that a new one is in the document by itself.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../src/root.js';

/** Who reads what these say, where it is not somebody who sends commands to a target. */
export const OF_OTHERS: readonly (readonly [pattern: RegExp, reader: string])[] = [
  [/^packages\/(cli|config|doctor|policy-trial|packaged)\//, 'whoever runs the gateway, at a command line'],
  [/^packages\/(api|control|reading)\//, 'callers of the control API, which describes itself as OpenAPI'],
  [/^packages\/(demo|testkit)\//, 'nobody: not the product'],
  [/^packages\/(agents|audit|recording|store|strangers|tunnel)\//, 'whoever runs the gateway, in its log'],
  [/^packages\/identity\//, 'callers of the control API, who make tokens'],
  [/^packages\/contract\/src\/words\.ts$/, 'here, by their codes'],
  [
    /^packages\/(sql-postgres\/src\/definitions\/|(sql-mysql|analysis)\/src\/definition-costs)/,
    'authors of migrations: docs/definitions.md',
  ],
  [/^packages\/sql-(mysql|postgres)\/src\/catalog\//, 'the gateway itself, which reads again'],
  [/^gateway\/src\/(commands\/|configuration|gateway|protocols)/, 'whoever runs the gateway'],
  [
    /^protocols\/postgres\/src\/masked\/(templates|messages)\.ts$/,
    'whoever gets an error of the target: docs/policy.md',
  ],
];

/** What is said where: by the beginning of the path. The first that fits counts. */
const AREAS: readonly (readonly [prefix: string, title: string])[] = [
  ['protocols/postgres/', 'PostgreSQL: the protocol'],
  ['packages/sql-postgres/', 'PostgreSQL: statements and masks'],
  ['protocols/mysql/', 'MySQL and MariaDB: the protocol'],
  ['packages/sql-mysql/', 'MySQL and MariaDB: statements and masks'],
  ['protocols/ssh/', 'SSH'],
  ['gateway/src/ssh/', 'SSH'],
  ['packages/shell/', 'SSH: command lines'],
  ['packages/keys/', 'SSH'],
  ['protocols/http/', 'HTTP: the protocol'],
  ['gateway/src/http/', 'HTTP: requests'],
  ['packages/http-requests/', 'HTTP: requests'],
  ['packages/http-bodies/', 'HTTP: bodies that masks cannot read'],
  ['', 'Every protocol'],
];

/** Calls that take a phrase which is said, and the code that goes with it where it is always the same. */
const SAYING: Readonly<Record<string, string>> = {
  malformed: '08P01',
  unexpected: '08P01',
  badRequest: '400',
  HttpError: '',
  FrameError: '',
  ExchangeError: '400',
  UpstreamError: '',
  StartupRefusal: '',
  UnreadableText: '22021',
  fatal: '',
  refuse: '',
  refused: '',
  misplaced: '400',
  unmasked: '',
  Unmasked: '',
  'Unmasked.because': '',
  NotJson: '',
  GraphqlError: '',
  FormError: '',
  JsonError: '',
  BodyUnread: '',
  BodyUnreadable: '',
  Untold: '',
  Unread: '',
  Unsure: '',
  opaque: '',
  unknown: '',
  'draft.unknown': '',
  gaveUp: '',
  always: '',
  unjudged: '',
};
/** Calls in protocols that take a phrase which no client reads, and why it is none. */
const SILENT: Readonly<Record<string, string>> = {
  Error: 'a defect, which ends in the log',
  TypeError: 'a defect, which ends in the log',
  SyntaxError: 'a defect, which ends in the log',
  Set: 'a list',
  KeyError: 'for the log; the client reads that its login failed',
  NoConnection: 'for the log; the client reads what became of its request',
};

/** A text in the code, with a code of its protocol before it. */
const CALL = /([\w.]+)\(\s*(?:'([0-9A-Z]{5})',\s*|(\d{3}),\s*)?(?:'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/g;
const TEXT = /(?<![\w$])(?:'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/g;
const COMMENT = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm;

export interface Said {
  readonly text: string;
  /** SQLSTATE or status, where the place in the code says it. */
  readonly code: string;
}

/** `…` stands for what differs. */
const plain = (literal: string | undefined, template: string | undefined): string =>
  (literal ?? (template ?? '').replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…'))
    .replaceAll('\\n', ' ')
    .replaceAll(/\\(.)/g, '$1');

const isSentence = (text: string): boolean => /^[A-Z…][^]*[a-z] [^]* [^]*\.$/.test(text) && !text.includes('=>');
const isPhrase = (text: string): boolean => / \S+ /.test(` ${text} `) && /[a-z]{2}/.test(text);

/** All that a source file says: phrases that are handed to a call that says them, and sentences. */
export function saidIn(source: string): Said[] {
  const code = source.replaceAll(COMMENT, '');
  const found = new Map<string, string>();
  for (const [, name = '', sqlstate, status, literal, template] of code.matchAll(CALL)) {
    const text = plain(literal, template);
    if (Object.hasOwn(SAYING, name) && isPhrase(text)) found.set(text, sqlstate ?? status ?? SAYING[name] ?? '');
  }
  for (const [, literal, template] of code.matchAll(TEXT)) {
    const text = plain(literal, template);
    if (isSentence(text) && !found.has(text)) found.set(text, '');
  }
  return Array.from(found, ([text, said]) => ({ text, code: said }));
}

/** Names of calls with a phrase of several words that are known neither to say it nor not to. */
export function unclearCalls(source: string): string[] {
  return Array.from(
    source.replaceAll(COMMENT, '').matchAll(/throw (?:new )?([\w.]+)\(\s*(?:'\w{5}',\s*|\d{3},\s*)?['`]/g),
    ([, name = '']) => name,
  ).filter((name) => !Object.hasOwn(SAYING, name) && !Object.hasOwn(SILENT, name));
}

export const productFiles = (): string[] =>
  globSync(['gateway/src/**/*.ts', '{packages,protocols}/*/src/**/*.ts'], { cwd: ROOT }).toSorted();

/** By area, in the order of `AREAS`. */
export function everythingSaid(): Map<string, Said[]> {
  const areas = new Map<string, Map<string, Said>>();
  for (const file of productFiles().filter((one) => !OF_OTHERS.some(([pattern]) => pattern.test(one)))) {
    const [, title = ''] = AREAS.find(([prefix]) => file.startsWith(prefix)) ?? [];
    const area = areas.get(title) ?? new Map<string, Said>();
    for (const said of saidIn(readFileSync(join(ROOT, file), 'utf8'))) area.set(said.text, said);
    areas.set(title, area);
  }
  const titles = [...new Set(AREAS.map(([, title]) => title))].toReversed();
  return new Map(
    titles.flatMap((title) => {
      const said = [...(areas.get(title)?.values() ?? [])].toSorted((one, other) => (one.text < other.text ? -1 : 1));
      return said.length === 0 ? [] : [[title, said] as const];
    }),
  );
}
