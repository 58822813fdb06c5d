/**
 * `sluice agents`: lists, shows, enrols and revokes agents. Owns: its options and output. Does not: decide (packages/control).
 */
import type { Command } from 'commander';
import type { AgentRow, Problem } from '@sluice/api';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { note, paint, print, printJson, printRows } from '../output.js';
import { printableLine } from '@sluice/printable';

/** `sluice agents ls|show|token|revoke`. */
export function agents(program: Command, context: CommandContext): void {
  const group = program.command('agents').description('agents in private networks, which dial targets for the gateway');

  group
    .command('ls')
    .description('agents, and whether they are here')
    .action(async () => {
      const rows = await context.api().get<AgentRow[]>('/v1/agents');
      if (context.format() === 'json') return printJson(rows);
      const columns = ['id', 'name', 'state', 'version', 'address', 'roundTrip', 'streams', 'lastSeen'] as const;
      printRows(
        rows.flatMap(({ links, ...agent }) =>
          (links.length === 0 ? [{}] : links).map((link) => {
            const { version = '', address = '', roundTrip, streams = 0 } = link as Partial<AgentRow['links'][number]>;
            return {
              ...agent,
              version,
              address,
              streams,
              roundTrip: roundTrip === undefined ? '' : `${roundTrip} ms`,
            };
          }),
        ),
        [...columns],
        'table',
      );
    });

  group
    .command('show <id>')
    .description('one agent: its tunnels, what they carried, what it says that it may reach')
    .action(async (id: string) => {
      const agent = (await context.api().get<AgentRow[]>('/v1/agents')).find((one) => one.id === id);
      if (!agent) throw new CliError(`There is no agent ${id}.`, '"sluice agents ls" lists them by id.');
      if (context.format() === 'json') return printJson(agent);
      print(
        `${agent.name}  ${agent.state}  enrolled ${agent.enrolled}, last seen ${agent.lastSeen}, ${agent.connects} connects`,
      );
      for (const {
        address,
        version,
        since,
        roundTrip,
        streams,
        opened,
        refused,
        received,
        sent,
        allow,
      } of agent.links) {
        print(`  from ${address} since ${since}, version ${printableLine(version)}, round trip ${roundTrip ?? '?'} ms`);
        print(`    ${streams} streams now, ${opened} so far, ${refused} refused; ${received} bytes in, ${sent} out`);
        for (const line of allow) print(`    may reach ${printableLine(line)}`);
      }
    });

  group
    .command('token <name>')
    .description('makes a token that enrols one agent of this name, once')
    .option('--expires <when>', 'a duration such as 1h; default: 1h, or as long as you may')
    .action(async (name: string, { expires }: { expires?: string }) => {
      const made = await context.api().post<{ token: string; expires: string; gateway: string }>('/v1/agents/tokens', {
        name,
        ...(expires !== undefined && { expires }),
      });
      if (context.format() === 'json') return printJson(made);
      note(paint.dim(`for one agent "${name}", once, until ${made.expires}; it is not shown again`));
      note(paint.dim(`SLUICE_AGENT_TOKEN=... ./sluice agent --gateway ${made.gateway} --allow FILE`));
      print(made.token);
    });

  group
    .command('revoke <id>')
    .description('cuts the tunnels of an agent and admits it no more')
    .action(async (id: string) => {
      const answer = await context.api().delete<AgentRow | Problem>(`/v1/agents/${encodeURIComponent(id)}`);
      print(`${id} revoked`);
      if ('message' in answer) note(`${answer.message} ${answer.hint ?? ''}`);
    });
}
