// The documentation as a site for the gateway's own /docs: node scripts/site.mjs. Owns: when it is built anew, and the list of files that
// the gateway serves (packages/control/src/documentation.ts). Does not: decide what is a page (documents.mjs), or how it looks
// (docs/.vitepress).
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, extname, join, posix } from 'node:path';
import { FILES, ROOT, SITE, pageOf, pages, pictures } from './documents.mjs';

const LIST = join(SITE, 'site.json');
const LOOK = join(ROOT, 'docs', '.vitepress');

/** Changes when the site is to be built anew: its documents, its look, and what it is built with. */
function digestOf(known) {
  const hash = createHash('sha256');
  const look = globSync('**/*.{mjs,css}', { cwd: LOOK }).toSorted();
  const files = [
    ...known.keys(),
    ...Object.keys(FILES),
    ...pictures(),
    ...look.map((file) => `docs/.vitepress/${file}`),
  ];
  for (const file of [...files, 'pnpm-lock.yaml', 'scripts/site.mjs', 'scripts/documents.mjs'])
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  return hash.digest('hex').slice(0, 20);
}

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

const sha256 = (content, encoding) => createHash('sha256').update(content).digest(encoding);

/** What the gateway serves of a folder. A file of a type that is not known here is an error: nobody may have to guess it. */
function listOf(folder) {
  const below = join(SITE, folder);
  const names = readdirSync(below, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.join(entry.parentPath.slice(below.length + 1), entry.name))
    .toSorted();
  const scripts = new Set();
  const files = names.map((file) => {
    const type = TYPES[extname(file)];
    if (type === undefined) throw new Error(`${file} is of a type that no page of documentation has.`);
    const content = readFileSync(join(below, file));
    const isPage = file.endsWith('.html') && file !== '404.html';
    if (file.endsWith('.html'))
      for (const [, script] of content.toString().matchAll(/<script(?![^>]*\ssrc=)[^>]*>([^]*?)<\/script>/g))
        scripts.add(`sha256-${sha256(script, 'base64')}`);
    return {
      path: isPage ? file.slice(0, -'.html'.length) : file,
      file,
      type,
      etag: `"${sha256(content, 'base64url')}"`,
    };
  });
  return { folder, scripts: [...scripts], files };
}

/** Builds the site, unless what is there was made of the same. Takes back what was there when it fails. */
async function build() {
  const known = pages();
  const folder = digestOf(known);
  if (existsSync(LIST) && JSON.parse(readFileSync(LIST, 'utf8')).folder === folder) return;
  rmSync(SITE, { recursive: true, force: true });
  const staged = join(SITE, 'pages');
  for (const [file, page] of known) {
    mkdirSync(dirname(join(staged, page)), { recursive: true });
    writeFileSync(join(staged, page), pageOf(file, readFileSync(join(ROOT, file), 'utf8'), known));
  }
  for (const file of pictures()) cpSync(join(ROOT, file), join(staged, file.slice('docs/'.length)));
  for (const [file, name] of Object.entries(FILES)) cpSync(join(ROOT, file), join(staged, 'public', name));
  const { build: vitepress } = await import('vitepress');
  await vitepress(join(ROOT, 'docs'), { outDir: join(SITE, folder) });
  rmSync(staged, { recursive: true });
  writeFileSync(`${LIST}.new`, JSON.stringify(listOf(folder)));
  renameSync(`${LIST}.new`, LIST);
}

await build();
