/**
 * fixtures/guardrails/bodies through a gateway: values that no client may have out of an answer, in every form, and ordinary answers that
 * arrive as they are. Lives here: what a client makes of an answer, so that each form is seen to give its value without the gateway.
 */
import { readFileSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type HttpStand, openHttpStand } from './http-stand.js';

interface Form {
  readonly type: string;
  readonly body: string;
  readonly status?: number;
  readonly coding?: keyof typeof CODINGS;
  readonly header?: string;
}
interface Corpus {
  readonly values: readonly string[];
  readonly forms: readonly Form[];
  readonly plain?: readonly Form[];
}
interface Case {
  readonly form: Form;
  readonly value: string;
}

const CODINGS = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync, deflate: deflateSync };
const corpus = (name: string): Corpus =>
  parse(readFileSync(join(import.meta.dirname, '../../fixtures/guardrails/bodies', name), 'utf8')) as Corpus;
const casesOf = ({ values, forms, plain = [] }: Corpus): Case[] =>
  [...forms, ...plain].flatMap((form) => values.map((value) => ({ form, value })));
const evasions = casesOf(corpus('evasions.yaml'));
const ordinary = casesOf(corpus('ordinary.yaml'));
const all = [...evasions, ...ordinary];

const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);
const unicode = (text: string): string =>
  text
    .split('')
    .map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
const base64 = (text: string): string => Buffer.from(text).toString('base64');
/** What the names in braces stand for. */
const WRITTEN: Readonly<Record<string, (value: string) => string>> = {
  text: (value) => value,
  json: quoted,
  unicode,
  percent: encodeURIComponent,
  base64,
  base64url: (value) => Buffer.from(value).toString('base64url'),
  nested: (value) => quoted(JSON.stringify({ inner: value, n: 1 })),
  nested2: (value) => quoted(JSON.stringify({ inner: JSON.stringify([value]) })),
  base64nested: (value) => base64(JSON.stringify({ inner: value })),
  percent64: (value) => encodeURIComponent(base64(value)),
  entities: (value) => value.replaceAll(/[^A-Za-z0-9 .]/gu, (sign) => `&#${sign.codePointAt(0)};`),
  csv: (value) => value.replaceAll('"', '""'),
};
const written = (template: string, value: string): string =>
  template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => WRITTEN[name]?.(value) ?? whole);

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { form, value } = all[Number(request.url?.split('/').at(-1))] as Case;
  const text = written(form.body, value);
  const body = form.type.includes('utf-16') ? Buffer.from(text, 'utf16le') : Buffer.from(text);
  if (form.type !== '') response.setHeader('Content-Type', form.type);
  if (form.coding) response.setHeader('Content-Encoding', form.coding);
  const [name = '', header] = form.header ? written(form.header, value).split(': ') : [];
  if (header !== undefined) response.setHeader(name, header);
  response.statusCode = form.status ?? 200;
  response.end(form.coding ? CODINGS[form.coding](body) : body);
}

let stand: HttpStand;
let direct: Server;
let here: string;
beforeAll(async () => {
  stand = await openHttpStand({
    serve: answer,
    rules: `
    - { rule: all, mask: { detect: [email, phone, credit_card, iban, us_ssn, jwt, private_key, api_key, connection_string, secret] } }
`,
  });
  direct = createServer(answer);
  await new Promise<void>((resolve) => direct.listen(0, '127.0.0.1', resolve));
  here = `http://127.0.0.1:${(direct.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await stand.stop();
  await new Promise((resolve) => direct.close(resolve));
});

interface Got {
  readonly status: number;
  readonly body: Buffer;
  readonly heads: string;
}

async function ask(base: string, number: number): Promise<Got> {
  const headers = { authorization: `Bearer ${stand.token}` };
  try {
    const got = await fetch(`${base}/${number}`, { headers, redirect: 'manual' });
    const heads = [...got.headers].map((one) => one.join(': ')).join('\n');
    return { status: got.status, body: Buffer.from(await got.arrayBuffer()), heads };
  } catch {
    return { status: 0, body: Buffer.alloc(0), heads: '' };
  }
}

/** All that programs may read in a text, by every decoding that the corpus writes. */
function said(text: string, depth = 0): string[] {
  if (depth > 3) return [text];
  const more: string[] = [];
  try {
    more.push(...stringsIn(JSON.parse(text.replace(/^[\ufeff\u001e\s]+/, ''))));
  } catch {
    more.push(...text.split(/\r\n|\r|\n/).flatMap((line) => (line === text ? [] : [line.replace(/^data: ?/, '')])));
  }
  if (/%[0-9a-f]{2}/i.test(text)) more.push(decoded(text));
  more.push(text.replaceAll(/&#(\d+);/g, (_, point: string) => String.fromCodePoint(Number(point))));
  more.push(text.replaceAll(/\\u([0-9a-f]{4})/g, (_, unit: string) => String.fromCharCode(Number.parseInt(unit, 16))));
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{11,}={0,2}/g)) more.push(Buffer.from(run, 'base64').toString());
  return [text, ...more.filter((one) => one !== text).flatMap((one) => said(one, depth + 1))];
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => [name, ...stringsIn(one)]);
}

const shows = ({ body, heads }: Got, value: string): boolean =>
  [body.toString(), body.toString('utf16le'), heads].some((text) => said(text).some((one) => one.includes(value)));
const titled = ({ form, value }: Case): string =>
  `${form.type} ${form.coding ?? ''} ${form.header ?? form.body} ${value}`;

test('no form gives its value, and without the gateway each does', async () => {
  const leaks: string[] = [];
  const dull: string[] = [];
  for (const [number, one] of evasions.entries()) {
    if (shows(await ask(stand.url, number), one.value)) leaks.push(titled(one));
    if (!shows(await ask(here, number), one.value)) dull.push(titled(one));
  }
  console.log(`evasions: ${evasions.length} (${corpus('evasions.yaml').forms.length} forms), leaks: ${leaks.length}`);
  expect(leaks).toEqual([]);
  expect(dull).toEqual([]);
  expect(evasions.length).toBeGreaterThanOrEqual(200);
}, 300_000);

test('of ordinary answers fewer than 1 in 100 are changed or stopped', async () => {
  const changed: string[] = [];
  for (const [n, one] of ordinary.entries()) {
    const number = evasions.length + n;
    const [through, plain] = [await ask(stand.url, number), await ask(here, number)];
    if (through.status !== plain.status || !through.body.equals(plain.body))
      changed.push(`${titled(one)} -> ${through.status} ${through.body}`);
  }
  console.log(`ordinary answers: ${ordinary.length}, changed or stopped: ${changed.length}`);
  expect(changed.length / ordinary.length, changed.join('\n')).toBeLessThan(0.01);
  expect(ordinary.length).toBeGreaterThanOrEqual(150);
}, 300_000);
