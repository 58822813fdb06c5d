/**
 * The built pages of the console. Owns: which files are served, as what, and the Content-Security-Policy of the one document. Does not:
 * build them (scripts/console.mjs), or answer programs (packages/control).
 *
 * All files are read once, at the start: no path of a request is looked up in a folder, and pages that are built anew meanwhile are served
 * from the next start on, each with the files that belong to it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { contentPolicy } from '@sluice/control';
import type { FastifyReply, FastifyRequest } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const DOCUMENT = 'index.html';
/** Stands in the built document where the nonce of one answer belongs. */
const NONCE = '__NONCE__';
/** The page of one terminal. */
const TERMINAL = /^sessions\/[\w-]+\/terminal$/;
const UNBUILT = 'The pages of the console are not built: run "npm run setup" in the folder of Sluice.\n';

interface AppFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
  readonly brotli: Buffer;
}

export interface AppFiles {
  /** Sends the document that all pages are drawn in. `path`: of the page, without a slash in front. */
  document(path: string, reply: FastifyReply): FastifyReply;
  /** Sends a file by its path; undefined: there is none. */
  file(path: string, request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined;
}

/** The files of a folder as they are now; an empty one where it is not there. */
export function appFilesIn(folder: string): AppFiles {
  const names = namesIn(folder);
  const kept = new Map<string, AppFile>();
  const html = names.includes(DOCUMENT) ? readFileSync(join(folder, DOCUMENT), 'utf8') : undefined;
  const served = new Map(
    names.filter((name) => TYPES[extname(name)] !== undefined).map((name) => [name, readFileSync(join(folder, name))]),
  );
  return {
    document: (path, reply) => {
      if (html === undefined)
        return reply.code(503).type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(UNBUILT);
      const nonce = randomBytes(16).toString('base64');
      return reply
        .type('text/html; charset=utf-8')
        .headers({ 'content-security-policy': policyWith(nonce, path), 'cache-control': 'no-store' })
        .send(html.replaceAll(NONCE, nonce));
    },
    file: (path, request, reply) => {
      const plain = served.get(path);
      if (!plain) return undefined;
      let file = kept.get(path);
      if (!file) kept.set(path, (file = packed(path, plain)));
      // Their names have a digest of what is in them.
      void reply
        .type(file.type)
        .headers({ etag: file.etag, 'cache-control': 'max-age=31536000, immutable', vary: 'accept-encoding' });
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
      const accepted = request.headers['accept-encoding'] ?? '';
      if (/\bbr\b/.test(accepted)) return reply.header('content-encoding', 'br').send(file.brotli);
      if (/\bgzip\b/.test(accepted)) return reply.header('content-encoding', 'gzip').send(file.gzip);
      return reply.send(file.plain);
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => posix.join(entry.parentPath.slice(folder.length + 1), entry.name));
  } catch {
    return [];
  }
}

/** Packed when it is first asked for. */
function packed(name: string, plain: Buffer): AppFile {
  return {
    type: TYPES[extname(name)] ?? '',
    etag: `"${createHash('sha256').update(plain).digest('base64url')}"`,
    plain,
    gzip: gzipSync(plain),
    brotli: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }),
  };
}

/** No script stands in the document. Terminals are drawn by code in WebAssembly, on their own page alone. */
const policyWith = (nonce: string, path: string): string =>
  contentPolicy({
    styles: [`'nonce-${nonce}'`],
    scripts: TERMINAL.test(path) ? ["'wasm-unsafe-eval'"] : [],
  });
