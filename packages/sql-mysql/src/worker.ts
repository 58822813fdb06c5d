/** The thread that analyses long texts of MySQL. Does not: choose which (language.ts). */
import { parentPort } from 'node:worker_threads';
import type { Done, Job } from '@sluice/analysis';
import { analyze, opaque } from './analyze.js';
import { readingOf } from './reading.js';

/** A thread of the pool: one text in, its facts out. */
parentPort?.on('message', ({ dialect, text, context: { parameters, prepared = {} } }: Job) => {
  const facts =
    dialect.name === 'mysql'
      ? analyze(text, readingOf(dialect), {
          ...(parameters && { parameters }),
          prepared: (name) => (Object.hasOwn(prepared, name) ? prepared[name] : undefined),
        })
      : opaque(`is in ${dialect.name}`);
  parentPort?.postMessage({ facts, exhausted: false } satisfies Done);
});
