/** The page that the compatibility matrix prints. Owns: its words. Does not: what is compared. */
import { join } from 'node:path';
import { type CompatibleTool, TOOLS } from './tools.js';
import type { Way } from './ways.js';

export const PAGE = join(import.meta.dirname, '..', '..', '..', 'docs', 'compatibility.md');

/** What one tool came to in one way; `refused`: the reason of the statement that was refused, undefined where all is as it is directly. */
export interface Cell {
  readonly tool: CompatibleTool;
  readonly way: Way;
  readonly refused: string | undefined;
}

/** Of the programs with masks on what they read. */
export const MAX_REFUSED_SHARE = 0.1;

export function page(cells: readonly Cell[]): string {
  const text = (tool: CompatibleTool, way: Way): string => {
    const { refused } = cells.find((cell) => cell.tool === tool && cell.way === way) as Cell;
    return refused === undefined ? AS_DIRECT[way] : `refused: ${refused}`;
  };
  const rows = TOOLS.map((tool) => [tool.name, tool.version, tool.does, text(tool, 'apart'), text(tool, 'read')]);
  const table = [HEAD, HEAD.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  const read = cells.filter(({ way }) => way === 'read');
  const refused = read.filter((cell) => cell.refused !== undefined).length;
  const share = `Refused with masks on a column that is read: ${refused} of ${read.length} (${((100 * refused) / read.length).toFixed(1)} %); the test fails above ${100 * MAX_REFUSED_SHARE} %.`;
  return `${INTRODUCTION}\n${table.join('\n')}\n\n${share}\n\n${REST}`;
}

const HEAD = [
  'program',
  'version',
  'what it does here',
  'masks on a table that it does not read',
  'masks on a column that it reads',
];
const AS_DIRECT: Readonly<Record<Way, string>> = { direct: '', apart: 'as direct', read: 'as direct, masked' };

const INTRODUCTION = `# Compatibility with PostgreSQL programs

Written by \`gateway/test/compatibility.test.ts\`: what stands here, it has found. It runs each program directly and through the gateway,
on PostgreSQL 15, with \`not_followed: refuse\`, rules that allow everything, and masks. Compared are the exit status, all that the
program reads, the schema that it leaves, and the rows.
`;

const REST = `"As direct" is the same to the last byte, but for times, random identifiers and the like. "Masked" is the same with \`[masked:EMAIL]\` for
each address. Programs whose version is "its statements" are not run: what they send is in \`compatibility/statements\`, by what is
publicly known of them.

pg-boss and graphile-worker install themselves with functions that they call at once: here they are installed on a connection without
masks. Of graphile-worker's \`add_job\`, which is in PL/pgSQL, the connection says \`functions: { trusted: [{ name:
graphile_worker.add_job, reads: nothing }] }\`.

Of Prisma its schema engine is run, as WebAssembly over Prisma's adapter for node-postgres, and reads as Prisma Client sends them:
the engine of its command line is a binary that has to be downloaded. Flyway and Rails beyond Active Record are not here: they cannot be had from npm or Debian without a download of their own.

It runs with the other tests: \`npm test\` installs \`compatibility/\` (packages for Node with a lockfile of their own) and, as root,
Debian's packages. Alone it is \`pnpm unit gateway/test/compatibility.test.ts\`. A program that is not installed is skipped by name, and then this page stays as it is.
`;
