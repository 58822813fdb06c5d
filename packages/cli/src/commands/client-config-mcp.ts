/**
 * What `sluice client-config mcp` prints: the file of each client of MCP that leads it to the gateway's tools. Owns: those formats. The token is in none
 * of them: each client gets it from where it keeps secrets.
 */
import type { Command } from 'commander';
import { http, httpOrigin } from '../clients/http.js';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { print, printJson } from '../output.js';

/** What clients call Streamable HTTP. */
const TRANSPORT = http.protocol;
/** Where clients have the token, as an environment variable. */
const TOKEN = 'SLUICE_TOKEN';

interface McpClient {
  readonly name: string;
  readonly title: string;
  /** Where its file lives. */
  readonly file: string;
  text(url: string): string;
}

const json = (value: object): string => JSON.stringify(value, undefined, 2);

const MCP_CLIENTS: readonly McpClient[] = [
  {
    name: 'claude-code',
    title: 'Claude Code',
    file: '.mcp.json in the project, or: claude mcp add --transport http',
    text: (url) => json({ mcpServers: { sluice: { type: TRANSPORT, url, headers: bearer(`\${${TOKEN}}`) } } }),
  },
  {
    name: 'codex',
    title: 'Codex',
    file: '~/.codex/config.toml',
    text: (url) => `[mcp_servers.sluice]\nurl = ${JSON.stringify(url)}\nbearer_token_env_var = "${TOKEN}"`,
  },
  {
    name: 'cursor',
    title: 'Cursor',
    file: '~/.cursor/mcp.json, or .cursor/mcp.json in the project',
    text: (url) => json({ mcpServers: { sluice: { url, headers: bearer(`\${env:${TOKEN}}`) } } }),
  },
  {
    name: 'vscode',
    title: 'VS Code',
    file: '.vscode/mcp.json in the workspace',
    text: (url) =>
      json({
        inputs: [{ type: 'promptString', id: 'sluice-token', description: 'Token of Sluice', password: true }],
        servers: { sluice: { type: TRANSPORT, url, headers: bearer('${input:sluice-token}') } },
      }),
  },
  {
    name: 'claude-desktop',
    title: 'Claude Desktop',
    file: 'claude_desktop_config.json, which its settings open under Developer',
    // It starts programs, and has no place for a header.
    text: (url) =>
      json({
        mcpServers: {
          sluice: {
            command: 'npx',
            args: ['-y', 'mcp-remote', url, '--header', `Authorization:Bearer \${${TOKEN}}`],
            env: { [TOKEN]: 'a token: sluice token create' },
          },
        },
      }),
  },
  {
    name: 'json',
    title: 'any other client',
    file: 'wherever it has the address of a server and headers to send',
    text: (url) => json({ type: TRANSPORT, url, headers: bearer(`\${${TOKEN}}`) }),
  },
];

const bearer = (token: string): object => ({ Authorization: `Bearer ${token}` });

export function addMcpConfig(command: Command, context: CommandContext): void {
  command
    .description(`the gateway's tools, for ${MCP_CLIENTS.map(({ name }) => name).join(', ')}; without a name for all`)
    .argument('[client]', 'one of them')
    .option('--host <name>', 'what clients call the gateway')
    .option('--address <url>', 'the address of the tools, where the gateway cannot tell it')
    .action(async (client: string | undefined, options: { host?: string; address?: string }) => {
      const wanted = client === undefined ? MCP_CLIENTS : MCP_CLIENTS.filter(({ name }) => name === client);
      if (wanted.length === 0)
        throw new CliError(
          `There is no client "${client}" here.`,
          `There are: ${MCP_CLIENTS.map(({ name }) => name).join(', ')}.`,
        );
      const url = options.address ?? (await addressOf(context, options.host));
      if (context.format() === 'json')
        return printJson(wanted.map(({ name, file, text }) => ({ client: name, file, text: text(url) })));
      const [only] = wanted;
      print(client === undefined || !only ? wanted.map((one) => described(one, url)).join('\n\n') : only.text(url));
    });
}

const described = ({ title, file, text }: McpClient, url: string): string => `# ${title}: ${file}\n${text(url)}`;

/** The tools are on the listener for HTTP, which any connection by HTTP names. */
async function addressOf(context: CommandContext, host: string | undefined): Promise<string> {
  const origin = await httpOrigin(context, host);
  if (origin !== undefined) return `${origin}/mcp`;
  throw new CliError(
    'You have no connection by HTTP that says where the gateway listens for it.',
    '--address has it: https://HOST:PORT/mcp, with the port of listeners.http.',
  );
}
