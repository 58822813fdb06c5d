import type { Command } from 'commander';

/** A command that several files add subcommands to, made by the first of them. */
export const groupOf = (program: Command, name: string): Command =>
  program.commands.find((command) => command.name() === name) ?? program.command(name);
