/** Loaded into the process that is measured (`node --import`): says on channel 3 how late its event loop was, when asked to. */
import { writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const CHANNEL = 3;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();

process.on('SIGUSR2', () => {
  const milliseconds = (nanoseconds: number): number => nanoseconds / 1e6;
  const said = {
    p50: milliseconds(delay.percentile(50)),
    p99: milliseconds(delay.percentile(99)),
    max: milliseconds(delay.max),
  };
  delay.reset();
  writeSync(CHANNEL, `${JSON.stringify(said)}\n`);
});
