import { newSession } from '@sluice/sql-postgres';
import { machine, median, spread } from '../measure.js';
import { startLineageServer } from './server.js';

/** What a program sends thousands of times a second, and a query that a report would make. */
const STATEMENTS: Readonly<Record<string, string>> = {
  small: 'SELECT id, name, email FROM customers WHERE id = $1',
  join: `SELECT c.name, o.total, upper(c.email) FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.status = 'paid' ORDER BY o.placed_at`,
  large: `WITH spent AS (SELECT customer_id, sum(total) AS total FROM orders GROUP BY customer_id)
    SELECT v.*, s.total, rank() OVER (PARTITION BY c.city ORDER BY s.total DESC), (SELECT count(*) FROM items i JOIN orders x ON x.id = i.order_id WHERE x.customer_id = c.id)
    FROM customers c JOIN v_customers v USING (id) LEFT JOIN spent s ON s.customer_id = c.id LEFT JOIN notes n ON n.id = c.id
    WHERE c.city LIKE 'B%' AND s.total > 10 ORDER BY 3 LIMIT 20`,
};

/** `pnpm bench lineage`: time for one statement, parsed and followed, and for one that is remembered. As Markdown. */
export async function benchLineage({ rounds, seconds }: { rounds: number; seconds: number }): Promise<string> {
  const server = await startLineageServer(15);
  try {
    const { catalog, lineage } = server;
    const session = newSession('postgres', ['app', 'public']);
    let serial = 0;
    const rows = Object.entries(STATEMENTS).flatMap(([name, sql]) => [
      // A comment makes each text a new one.
      row(
        `${name}, parse alone`,
        measure(rounds, seconds, () => lineage.parse(`${sql} /* ${serial++} */`)),
      ),
      row(
        `${name}, new`,
        measure(rounds, seconds, () => lineage.of(`${sql} /* ${serial++} */`, catalog, session)),
      ),
      row(
        `${name}, remembered`,
        measure(rounds, seconds, () => lineage.of(sql, catalog, session)),
      ),
    ]);
    return `${machine()}

| statement | µs | middle half |
| --- | ---: | ---: |
${rows.join('\n')}
`;
  } finally {
    await server.stop();
  }
}

/** Microseconds for one call, by round. */
function measure(rounds: number, seconds: number, once: () => unknown): number[] {
  const run = (milliseconds: number): number => {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < milliseconds) {
      for (let call = 0; call < 20; call++) once();
      count += 20;
    }
    return ((performance.now() - start) * 1000) / count;
  };
  run(300);
  return Array.from({ length: rounds }, () => run((seconds * 1000) / rounds));
}

function row(name: string, times: readonly number[]): string {
  const [low, high] = spread(times);
  return `| ${name} | ${median(times).toFixed(2)} | ${low.toFixed(2)} to ${high.toFixed(2)} |`;
}
