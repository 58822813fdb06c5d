/** The commands that documents show. Owns: where they are found in a document. Does not: run them. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

/** For users and operators. Those for contributors speak of commands in passing. */
const DOCUMENTS = ['README.md', 'docker/README.md', ...globSync('docs/*.md', { cwd: ROOT })].filter(
  (file) => !/docs\/(architecture|start|troubleshooting|refusals)\.md/.test(file),
);

/** A command with what stands before it: assignments. */
const COMMAND = /^(?:\$ )?((?:[A-Z_]+=\S+ )*(?:\.\/)?sluice (?=[a-z-]).*)$/;

/** Without a comment, and without what a shell would do with the output. */
const bare = (line: string): string =>
  line
    .replace(/\s+#(?:\s.*)?$/, '')
    .replace(/\s+>>? \S+$/, '')
    .trim();

/** Each command once, and the documents that show it: in blocks of code, and between backquotes. */
export function documentedCommands(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add = (command: string, file: string): void => {
    const name = bare(command).replace(/(^|\s)\.\/sluice /, '$1sluice ');
    found.set(name, [...(found.get(name) ?? []), file]);
  };
  for (const file of DOCUMENTS.toSorted()) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const blocks = /^ *```[^]*?^ *```/gm;
    for (const [block] of text.matchAll(blocks))
      for (const line of block.split('\n')) {
        const [, command] = COMMAND.exec(line.trim()) ?? [];
        if (command !== undefined) add(command, file);
      }
    for (const [, code = ''] of text.replaceAll(blocks, '').matchAll(/`([^`\n]+)`/g)) {
      const [, command] = COMMAND.exec(code) ?? [];
      if (command !== undefined) add(command, file);
    }
  }
  return found;
}

/** The blocks of code of a document in a language, those in lists without their indentation. */
export function blocksOf(file: string, language: string): string[] {
  const found = readFileSync(join(ROOT, file), 'utf8').matchAll(/^( *)```(\w*)\n([^]*?)^ *```/gm);
  return Array.from(found).flatMap(([, indent = '', of, text = '']) =>
    of === language ? [text.replaceAll(new RegExp(`^${indent}`, 'gm'), '')] : [],
  );
}
