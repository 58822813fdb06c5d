// Reads the Dockerfile. Owns: instructions and stages, and refusing what it does not know. Does not: do what they say (engine.mjs).

/** The instructions that engine.mjs can do. Another one is refused: leaving it out would try another image. */
const KNOWN = new Set('FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE HEALTHCHECK ENTRYPOINT CMD'.split(' '));

/**
 * The stages of a Dockerfile, in order.
 *
 * @param {string} text
 * @returns {{ base: string, name: string | undefined, instructions: { name: string, rest: string }[] }[]}
 * @throws Error on an instruction that is not known
 */
export function readStages(text) {
  const stages = [];
  for (const line of logicalLines(text)) {
    const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/s.exec(line) ?? [];
    if (!KNOWN.has(name)) throw new Error(`The Dockerfile has an instruction that is not known here: ${line}`);
    if (name === 'FROM') {
      const [, base, alias] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
      if (base === undefined) throw new Error(`This FROM is not understood: ${line}`);
      stages.push({ base, name: alias, instructions: [] });
    } else stages.at(-1).instructions.push({ name, rest });
  }
  return stages;
}

/** Lines without comments, a line that ends in a backslash joined with the next. */
const logicalLines = (text) =>
  text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n');

/** The words of an instruction in exec form, `["a", "b"]`; undefined in shell form. */
export function execForm(rest) {
  return rest.startsWith('[') ? JSON.parse(rest) : undefined;
}

/** The command and the options of a HEALTHCHECK, such as `{ interval: '10s', command: [...] }`. */
export function readHealthcheck(rest) {
  const [, options = '', command = ''] = /^((?:--\S+\s+)*)CMD\s+(.*)$/s.exec(rest) ?? [];
  const pairs = options.trim().split(/\s+/).filter(Boolean);
  return {
    ...Object.fromEntries(pairs.map((pair) => pair.slice(2).split('='))),
    command: execForm(command) ?? ['/bin/sh', '-c', command],
  };
}

/** The commands that the comment at the head of a file shows: its lines that are indented. */
export function shownCommands(text) {
  const head = text.split('\n').findIndex((line) => !line.startsWith('#'));
  return text
    .split('\n')
    .slice(0, head)
    .filter((line) => line.startsWith('#   '))
    .map((line) => line.slice(4).trim());
}
