/** docs/troubleshooting.md, made of what was read. */

export interface Shown {
  readonly title: string;
  readonly client: string;
  readonly user: string;
  readonly operator: string;
  readonly todo: string;
}

const INTRODUCTION = `# When something goes wrong

Each of these was provoked at a real gateway with real clients; \`gateway/test/troubles.test.ts\` does it again, and holds this page to
what was read. Names, ports and times stand for yours. \`sluice doctor\` finds most of them before a user does, and says what to do.

`;

export const documentOf = (all: readonly Shown[]): string =>
  `${INTRODUCTION}${table(all)}\n${all.map(section).join('\n')}`;

const numbered = ({ title }: Shown, at: number): string => `${at + 1}. ${title}`;

const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

function table(all: readonly Shown[]): string {
  const rows = all.map((one, at) => {
    const heading = numbered(one, at);
    const where =
      one.operator === '' ? 'the record' : `log: ${one.operator.split('  ')[0]?.replace(/^(warning|ERROR) /, '')}`;
    return `| [${one.title}](#${anchorOf(heading)}) | ${one.client} | ${where} | ${one.todo} |`;
  });
  return `| what is wrong | who reads it | where the operator finds it | what to do |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
}

const section = (one: Shown, at: number): string => `## ${numbered(one, at)}

The user, with \`${one.client}\`:

\`\`\`text
${one.user}
\`\`\`
${one.operator === '' ? '' : `\nThe operator, in the log:\n\n\`\`\`text\n${one.operator}\n\`\`\`\n`}
${one.todo}
`;
