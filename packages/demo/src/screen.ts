/** What `npm start` prints: lines to paste that find this demo, wherever its folder is. */
import { join } from 'node:path';
import { paint } from '@sluice/cli';
import { type Gateway, ROOT } from '@sluice/gateway';
import type { ModelDouble, MySqlServer, SshdServer } from '@sluice/testkit';
import type { Demo } from './running-demo.js';
import type { Tickets } from './tickets.js';

/** As a shell takes it for one word. */
const quoted = (text: string): string => (/^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param home the folder that the command line looks in by itself */
export function screen({ gateway, folder, tokens, issuer, vm, tickets, double, stock }: Demo, home: string): string {
  const sluice = folder === home ? './sluice' : `./sluice --data ${quoted(folder)}`;
  const [host, port] = (gateway.addresses.get('postgres') ?? '').split(':');
  const bold = paint.bold;
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  // Other users of the machine see the arguments of a program, and not its environment.
  const psql = (user: string, token: string): string =>
    `PGPASSWORD=${token} psql "host=${host} port=${port} user=${user} dbname=shop"`;
  return `
${bold('Sluice is running')} in front of a sample shop on PostgreSQL 18. ${paint.dim('Ctrl+C stops both.')}

${bold('Connect')} as a developer, with psql or with the built-in prompt:
${line(psql('developer', tokens.developer))}
${line(`${sluice} connect shop --user developer`)}

${bold('Try')}
${line("select name, city, email from customers where city = 'Oslo' limit 3;")}    ${paint.dim('e-mail addresses are masked,')}
${line("select 'to ' || email as harmless from customers limit 3;")}              ${paint.dim('and stay so')}
${line('drop table customers;')}                ${paint.dim('refused: rule no-destruction')}
${line('delete from customers;')}               ${paint.dim('refused: rule unfiltered-writes')}
${line('delete from customers where id = 300;')} ${paint.dim('one row: passes')}

${bold('As an agent')}, which may only read:
${line(psql('assistant', tokens.assistant))}

${issuer ? people(sluice, issuer.url, gateway.consoleUrl) : ''}${bold('Through an agent')}, a process of its own that dials out to the gateway, as it would from a private network:
${line(`${sluice} connect backroom --user developer`)}
${line(`${sluice} agents ls`)}

${onMariaDb(sluice, gateway, tokens.developer, stock)}

${machine(sluice, gateway, vm)}

${service(sluice, gateway, folder, tickets)}

${models(sluice, gateway, folder, tokens.developer, double)}

${tools(sluice, gateway, folder, tokens.assistant)}

${bold('From a second terminal')}
${line(`${sluice} sessions ls`)}                 ${paint.dim('who did what')}
${line(`${sluice} sessions replay <id>`)}        ${paint.dim('plays it, answers included')}
${line(`${sluice} policy explain --connection shop "DELETE FROM orders"`)}
${line(`${sluice} audit verify`)}                ${paint.dim('proves that the record is unchanged')}

${bold('Documentation')}, as pages: ${paint.cyan(`${gateway.url}/docs/`)}

Everything is kept in ${bold(folder)}: the rules in sluice.yaml, the record, the database.
`;
}

const people = (
  sluice: string,
  url: string,
  console: string | undefined,
): string => `${console === undefined ? '' : inBrowser(console)}${paint.bold('Ask, and approve')}: the demo has an identity provider (${url}). Log in as Ana, who asks:
    ${paint.cyan(`XDG_CONFIG_HOME=~/.sluice-ana ${sluice} login`)}
    ${paint.cyan(`XDG_CONFIG_HOME=~/.sluice-ana ${sluice} connect shop -c "update payments set amount = 0 where id = 1"`)}
${paint.dim('It waits. In a second terminal log in as Ben, who approves:')}
    ${paint.cyan(`XDG_CONFIG_HOME=~/.sluice-ben ${sluice} login`)}
    ${paint.cyan(`XDG_CONFIG_HOME=~/.sluice-ben ${sluice} approvals watch`)}
    ${paint.cyan(`XDG_CONFIG_HOME=~/.sluice-ben ${sluice} approvals approve <number>`)}
${paint.dim('The connection "payroll" waits at the login already.')}

`;
const inBrowser = (url: string): string => `${paint.bold('In a browser')}: ${paint.cyan(url)}
    ${paint.dim('Ana connects and asks in one window, Ben approves in another one: a private window, or another browser.')}

`;

/** What to try by HTTP, or why it cannot be. */
function service(sluice: string, gateway: Gateway, folder: string, tickets: Tickets | string): string {
  if (typeof tickets === 'string') return `${paint.bold('No service by HTTP')}: ${tickets}.`;
  const url = `https://${gateway.addresses.get('http')}/tickets`;
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  // The token is in a file, since other users of the machine see the arguments of a program.
  const curl = `curl --cacert ${quoted(`${folder}/gateway.crt`)} -H @${quoted(`${folder}/developer.header`)}`;
  return `${paint.bold('A service, by HTTP')}: its own key stays with the gateway.
${line(`${curl} ${url}/tickets`)}
${line(`${curl} ${url}/echo`)}  ${paint.dim('shows what the service was sent, but for the key')}
${line(`${curl} -X DELETE ${url}/tickets`)}  ${paint.dim('refused: rule all-tickets')}
${line(`${curl} -X DELETE ${url}/tickets/2`)}  ${paint.dim(`waits for somebody to approve: ${sluice} approvals ls`)}`;
}

/** What a client of MCP needs, or why there is nothing for it. */
function tools(sluice: string, gateway: Gateway, folder: string, token: string): string {
  const place = gateway.addresses.get('http');
  if (place === undefined) return `${paint.bold('No tools by MCP')}: nobody listens for HTTP.`;
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  const url = `https://${place}/mcp`;
  return `${paint.bold('Tools for an agent')}, by MCP: queries, commands and requests under the same rules.
${line(`export SLUICE_TOKEN=${token} NODE_EXTRA_CA_CERTS=${quoted(`${folder}/gateway.crt`)}`)}
${line(`claude mcp add --transport http sluice ${url} --header "Authorization: Bearer $SLUICE_TOKEN"`)}
${line(`${sluice} client-config mcp --address ${url}`)}  ${paint.dim('files for Claude Code, Codex, Cursor, VS Code, Claude Desktop')}`;
}

/** What to try with the SDKs of language models, or why it cannot be. */
function models(sluice: string, gateway: Gateway, folder: string, token: string, double: ModelDouble | string): string {
  if (typeof double === 'string') return `${paint.bold('No language model')}: ${double}.`;
  const url = `https://${gateway.addresses.get('http')}/double`;
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  const program = (name: string): string => `node ${quoted(join(ROOT, 'packages', 'demo', 'dist', 'models', name))}`;
  return `${paint.bold('A language model')}: a double, which says what it is told to; by the SDKs of OpenAI and of Anthropic.
${line(`export NODE_EXTRA_CA_CERTS=${quoted(`${folder}/gateway.crt`)}`)}
${line(`export OPENAI_BASE_URL=${url}-openai/v1 OPENAI_API_KEY=${token}`)}
${line(`export ANTHROPIC_BASE_URL=${url}-anthropic ANTHROPIC_API_KEY=${token}`)}
${line(`${program('ask-openai.js')} "Whose address do you know?"`)}  ${paint.dim('masked as it streams')}
${line(`${program('ask-openai.js')} "Is AKIAIOSFODNN7REALKEY still good?"`)}  ${paint.dim('refused: rule prompts-have-no-keys')}
${line(`${program('ask-anthropic.js')} "Clean up, please."`)}  ${paint.dim('one of two calls of a tool is refused')}
${line(`${program('ask-anthropic.js')} "Write me a script."`)}  ${paint.dim(`waits for somebody to read the answer: ${sluice} approvals ls`)}`;
}

/** What to try on MariaDB, or why it cannot be. */
function onMariaDb(sluice: string, gateway: Gateway, token: string, stock: MySqlServer | string): string {
  if (typeof stock === 'string') return `${paint.bold('No MySQL')}: ${stock}.`;
  const [host, port] = (gateway.addresses.get('mysql') ?? '').split(':');
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  return `${paint.bold('MariaDB')}, with its own client or any driver of MySQL; the same rules and masks:
${line(`MYSQL_PWD=${token} mariadb -h ${host} -P ${port} -u 'developer%stock'`)}
${line(`${sluice} connect stock --user developer`)}
${line("select name, concat('to ', email) as harmless from customers;")}  ${paint.dim('e-mail addresses are masked')}
${line('drop table customers;')}                                          ${paint.dim('refused: rule no-destruction')}`;
}

/** What to try by SSH, or why it cannot be. */
function machine(sluice: string, gateway: Gateway, vm: SshdServer | string): string {
  if (typeof vm === 'string') return `${paint.bold('No machine for SSH')}: ${vm}.`;
  const [host, port] = (gateway.addresses.get('ssh') ?? '').split(':');
  const line = (text: string): string => `    ${paint.cyan(text)}`;
  return `${paint.bold('A machine, by SSH')}: the password is the token of the developer above, or Enter and "sluice login confirm --as developer":
${line(`ssh -p ${port} vm@${host}`)}                ${paint.dim('a terminal: recorded')}
${line(`ssh -p ${port} vm@${host} uname -a`)}       ${paint.dim('a command: judged before it runs')}
${line(`ssh -p ${port} vm@${host} rm -rf things`)}  ${paint.dim('refused: rule nothing-is-destroyed, status 126')}
${line(`${sluice} client-config ssh`)}            ${paint.dim('for ~/.ssh/config and known_hosts')}`;
}
