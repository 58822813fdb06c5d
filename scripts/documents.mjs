// Documents as pages of the site. Owns: which documents are pages, what a page is called, and where links lead there. Does not: build
// the site (site.mjs), or say how pages look (docs/.vitepress), which imports this.
import { globSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

export const ROOT = dirname(import.meta.dirname);
/** Pages as they are before they are built, and each site that was, in a folder named by what it was made of. */
export const SITE = join(ROOT, '.site');

/** Documents outside of docs that are pages as well, and their names there. */
const OTHERS = { 'README.md': 'index.md', 'CONTRIBUTING.md': 'contributing.md', 'docker/README.md': 'images.md' };

/** Files that pages link to, and that are no pages. */
export const FILES = { 'docs/openapi.json': 'openapi.json' };

/** Each document that is a page, by its path in the checkout, and the page's name. */
export function pages() {
  const glob = (pattern) => globSync(pattern, { cwd: ROOT }).toSorted();
  return new Map([
    ...glob('docs/**/*.md').map((file) => [file, posix.relative('docs', file)]),
    ...glob('bench/results/*.md').map((file) => [file, posix.join('measured', posix.basename(file))]),
    ...Object.entries(OTHERS),
  ]);
}

/** Pictures in documents, by their paths in the checkout; their places below docs are those beside the pages. */
export const pictures = () => globSync('docs/images/*.png', { cwd: ROOT }).toSorted();

/** As GitHub makes the anchor of a heading, so that a link leads to the same place on both. */
export const anchorOf = (heading) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

/** Blocks of code, code within a line, and links. */
const CODE_OR_LINK = /^```[^]*?^```|`[^`\n]+`|\[((?:`[^`\n]*`|[^\]`])*)\]\(([^()\s]+)\)/gm;

/** A document as a page: links to other pages lead there, and of links to files of the checkout only the words are left. */
export function pageOf(file, text, known = pages()) {
  const own = known.get(file);
  return text.replaceAll(CODE_OR_LINK, (whole, words, link) => {
    if (link === undefined || /^[a-z]+:|^#|\.png$/.test(link)) return whole;
    const [path, anchor] = link.split('#');
    const target = posix.join(posix.dirname(file), path);
    const page = known.get(target) ?? FILES[target];
    if (page === undefined) return words;
    const to = posix.relative(posix.dirname(own), page);
    return `[${words}](${to.startsWith('.') ? to : `./${to}`}${anchor === undefined ? '' : `#${anchor}`})`;
  });
}
