/**
 * The documentation as pages below `/docs`, for whoever reaches the control API. Owns: which files are served, and what browsers are
 * told of them. Does not: make the pages (scripts/site.mjs), or say what is in them (docs).
 *
 * Only what the list of the site names is served, by the name that the list has: no path of a request is looked up in a folder.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { contentPolicy } from './content-policy.js';
import { OPEN } from './openapi.js';
import type { Routes } from './routes.js';

/** In the folder of the site; scripts/site.mjs writes it last, so that what it names is there. */
const LIST = 'site.json';

/** No part begins with a dot, so that none leads up. */
const NAME = /^[\w@-][\w@.-]*(\/[\w@-][\w@.-]*)*$/;
const List = z.strictObject({
  /** Of the files, below the folder of the list. */
  folder: z.string().regex(NAME),
  /** Digests of the scripts that stand in pages, as a Content-Security-Policy names them. */
  scripts: z.array(z.string().regex(/^sha256-[\w+/=]+$/)),
  files: z.array(
    z.strictObject({
      /** Below `/docs/`. */
      path: z.string(),
      file: z.string().regex(NAME),
      type: z.string(),
      etag: z.string().regex(/^"[\w+/=-]+"$/),
    }),
  ),
});

interface File {
  readonly type: string;
  readonly etag: string;
  readonly content: () => Promise<Buffer>;
}

interface Site {
  /** Of the Content-Security-Policy. */
  readonly policy: string;
  readonly files: ReadonlyMap<string, File>;
}

/** Names of these have a digest of what is in them. */
const UNCHANGING = 'assets/';
const NOT_FOUND = '404.html';
const UNBUILT =
  'The documentation has not been built here: "npm run setup" in the checkout of the gateway does it, and says what is in its way. ' +
  'The folder "docs" of the checkout has the same texts.\n';

/** `/docs` and what is below it. Needs no token: nothing in it is about this gateway. */
export function documentationRoutes({ app, gateway }: Routes): void {
  const site = siteIn(gateway.documentation);
  const route = { schema: { ...OPEN, hide: true } };
  app.get('/docs', route, (_request, reply) => reply.redirect('/docs/', 308));
  app.get<{ Params: { '*': string } }>('/docs/*', route, async (request, reply) => {
    const now = await site();
    return now ? send(now, request.params['*'], request, reply) : unbuilt(reply);
  });
}

async function send(site: Site, path: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const found = site.files.get(path === '' || path.endsWith('/') ? `${path}index` : path);
  const file = found ?? site.files.get(NOT_FOUND);
  const content = await file?.content().catch(() => undefined);
  if (!file || !content) return unbuilt(reply);
  void reply.code(found ? 200 : 404).headers({ etag: file.etag, 'content-security-policy': site.policy });
  void reply.type(file.type);
  if (!found) return reply.header('cache-control', 'no-store').send(content);
  void reply.header('cache-control', path.startsWith(UNCHANGING) ? 'max-age=31536000, immutable' : 'no-cache');
  return isKnown(request.headers['if-none-match'], file.etag) ? reply.code(304).send() : reply.send(content);
}

/** RFC 9110, section 13.1.2. */
const isKnown = (header: string | undefined, etag: string): boolean =>
  header !== undefined && header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);

const unbuilt = (reply: FastifyReply): FastifyReply =>
  reply.code(503).type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(UNBUILT);

/** The site in a folder, read again when it has been built anew; undefined: there is none, or none that can be read. */
function siteIn(folder: string): () => Promise<Site | undefined> {
  let known: { readonly at: number; readonly site: Site | undefined } | undefined;
  return async () => {
    const at = await stat(join(folder, LIST)).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (at === undefined) return undefined;
    if (known?.at !== at) known = { at, site: await read(folder) };
    return known.site;
  };
}

async function read(folder: string): Promise<Site | undefined> {
  const text = await readFile(join(folder, LIST), 'utf8').catch(() => '');
  const list = List.safeParse(parsed(text));
  if (!list.success) return undefined;
  const { folder: below, scripts, files } = list.data;
  return {
    policy: contentPolicy({ scripts: scripts.map((digest) => `'${digest}'`) }),
    files: new Map(
      files.map(({ path, file, type, etag }) => [path, { type, etag, content: once(join(folder, below, file)) }]),
    ),
  };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Read when it is first asked for, and kept: all of a site is a few MiB. One that cannot be read is tried again. */
function once(file: string): () => Promise<Buffer> {
  let kept: Buffer | undefined;
  return async () => (kept ??= await readFile(file));
}
