/** The thread that analyses long texts of PostgreSQL. Does not: choose which (language.ts). */
import { parentPort } from 'node:worker_threads';
import type { Done, Job } from '@sluice/analysis';
import { loadPostgres } from './analyze.js';

/** A thread of the pool: one text in, its facts out. */
parentPort?.on('message', ({ dialect, text, context: { parameters, prepared = {} } }: Job) => {
  if (dialect.name !== 'postgres') throw new TypeError(`This thread does not read ${dialect.name}`);
  void loadPostgres(dialect.major).then((analyzer) => {
    const facts = analyzer.analyze(text, {
      ...(parameters && { parameters }),
      digests: true,
      prepared: (name) => (Object.hasOwn(prepared, name) ? prepared[name] : undefined),
    });
    parentPort?.postMessage({ facts, exhausted: analyzer.exhausted } satisfies Done);
  });
});
