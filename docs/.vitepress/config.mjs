// How the documentation looks as a site: its order, its links, its words. scripts/site.mjs builds it.
import { join } from 'node:path';
import { SITE, anchorOf } from '../../scripts/documents.mjs';
import { highlight } from './highlight.mjs';

const page = (text, link) => ({ text, link });

export default {
  title: 'Sluice',
  description: 'A wire-level gateway for people and AI agents',
  lang: 'en',
  base: '/docs/',
  // None, so that browsers do not ask the control API for one.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  srcDir: join(SITE, 'pages'),
  cacheDir: join(SITE, 'cache'),
  cleanUrls: true,
  // The same for all pages: the gateway names their digests to browsers.
  metaChunk: true,
  // Two elements have a style of their own, which the Content-Security-Policy does not allow; theme/style.css has what they said.
  transformHtml: (html) => html.replaceAll(/ style="(?:position:relative;|--vp-vh:0px;)"/g, ''),
  // Without the element of style that would be put in for the moment of a change.
  appearance: { disableTransition: false },
  // A page is asked for when it is wanted: the control API counts requests.
  router: { prefetchLinks: false },
  markdown: {
    html: false,
    linkify: false,
    anchor: { slugify: anchorOf },
    toc: { slugify: anchorOf },
    headers: { slugify: anchorOf },
    highlight,
  },
  themeConfig: {
    search: { provider: 'local', options: { detailedView: false } },
    outline: [2, 3],
    socialLinks: [],
    docFooter: { prev: 'Before this', next: 'After this' },
    sidebar: [
      {
        text: 'Guide',
        items: [
          page('What it is', '/'),
          page('Start', '/start'),
          page('Connect', '/connect'),
          page('Write rules', '/rules'),
          page('Mask', '/mask'),
          page('Approve', '/approve'),
          page('In a browser', '/console'),
          page('Audit', '/audit'),
          page('Operate', '/operation'),
          page('Secure', '/security'),
        ],
      },
      {
        text: 'By protocol',
        items: [
          page('PostgreSQL: migrations', '/definitions'),
          page('PostgreSQL: tools and ORMs', '/compatibility'),
          page('MySQL and MariaDB', '/mysql'),
          page('MySQL: statements', '/mysql-statements'),
          page('SSH', '/ssh'),
          page('HTTP', '/http'),
          page('Language models', '/language-models'),
          page('Servers of MCP', '/mcp'),
          page('Tools for agents', '/mcp-server'),
          page('A protocol of your own', '/protocols'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('Rules', '/policy'),
          page('Budgets and tripwires', '/budgets'),
          page('Masks and detectors', '/masking'),
          page('Who is there', '/identity'),
          page('Private networks', '/tunnel'),
          page('What went wrong', '/troubleshooting'),
          page('Refusals', '/refusals'),
          page('Names that changed', '/renamed'),
          page('Glossary', '/glossary'),
          page('Images', '/images'),
        ],
      },
      {
        text: 'Inside',
        items: [
          page('Architecture', '/architecture'),
          page('Contributing', '/contributing'),
          page('What it is made of', '/supply-chain'),
        ],
      },
    ],
  },
};
