/**
 * `npm start` and `npm run tour`. Owns: their options. Does not: the `sluice` command, which is the gateway's and knows of no
 * demo.
 */
import { CliError, main } from '@sluice/cli';
import { Command } from 'commander';
import { demo } from './demo.js';
import { tour } from './tour.js';

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new CliError(`"${text}" is no port: write a number from 1 to 65535.`);
}

const program = new Command('npm').showHelpAfterError('(add --help for the options)');

program
  .command('start')
  .description('a gateway in front of a sample shop, until Ctrl+C')
  .option('--port <number>', 'port of the gateway', '6432')
  .option('--control-port <number>', 'port of the control API', '7432')
  .option('--issuer-port <number>', 'port of the identity provider of the demo; default: the one behind --control-port')
  .option('--console-port <number>', 'port of the console; default: eight behind --control-port')
  .option('--ssh-port <number>', 'port for SSH clients', '2222')
  .option('--http-port <number>', 'port for HTTP clients', '8443')
  .option('--mysql-port <number>', 'port for clients of MySQL', '3307')
  .option('--folder <path>', 'where the demo keeps its data')
  .action(
    async (
      options: Readonly<Record<'port' | 'controlPort' | 'sshPort' | 'httpPort' | 'mysqlPort', string>> & {
        readonly issuerPort?: string;
        readonly consolePort?: string;
        readonly folder?: string;
      },
    ) => {
      await demo({
        port: portOf(options.port),
        controlPort: portOf(options.controlPort),
        issuerPort: options.issuerPort === undefined ? undefined : portOf(options.issuerPort),
        consolePort: options.consolePort === undefined ? undefined : portOf(options.consolePort),
        sshPort: portOf(options.sshPort),
        httpPort: portOf(options.httpPort),
        mysqlPort: portOf(options.mysqlPort),
        folder: options.folder,
      });
    },
  );

program
  .command('tour')
  .description('plays the demo by a script: each step, its answer, and whether it held')
  .action(async () => {
    process.exitCode = (await tour()) ? 0 : 1;
  });

await main(program, process.argv);
