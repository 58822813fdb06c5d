/**
 * `npm start` and `npm run tour`. Owns: their options. Does not: the `sluice` command, which is the gateway's and knows of no
 * demo.
 */
import { main } from '@sluice/cli';
import { Command } from 'commander';
import { demo } from './demo.js';
import { tour } from './tour.js';

const program = new Command('npm').showHelpAfterError('(add --help for the options)');

program
  .command('start')
  .description('a gateway in front of a sample shop, until Ctrl+C')
  .option('--port <number>', 'port of the gateway', '6432')
  .option('--control-port <number>', 'port of the control API', '7432')
  .option('--ssh-port <number>', 'port for SSH clients', '2222')
  .option('--http-port <number>', 'port for HTTP clients', '8443')
  .option('--folder <path>', 'where the demo keeps its data')
  .action(
    async (options: { port: string; controlPort: string; sshPort: string; httpPort: string; folder?: string }) => {
      const { folder } = options;
      const [port, controlPort, sshPort, httpPort] = [
        options.port,
        options.controlPort,
        options.sshPort,
        options.httpPort,
      ].map(Number) as [number, number, number, number];
      await demo({ port, controlPort, sshPort, httpPort, folder });
    },
  );

program
  .command('tour')
  .description('plays the demo by a script: each step, its answer, and whether it held')
  .action(async () => {
    process.exitCode = (await tour()) ? 0 : 1;
  });

await main(program, process.argv);
