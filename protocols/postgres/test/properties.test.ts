import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeResult } from '../src/results.js';
import * as t from './talk.js';
import { reply, talk } from './talk.js';

const text = fc.string({ unit: fc.constantFrom('a', "'", '"', ' ', ';', 'é', '漢', '😀', '\\', '\n'), maxLength: 40 });
const cell = fc.oneof(fc.constant(null), text, fc.string({ minLength: 1000, maxLength: 3000 }));
const table = fc.integer({ min: 0, max: 6 }).chain((width) =>
  fc.record({
    columns: fc.array(text, { minLength: width, maxLength: width }),
    rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 }),
  }),
);

/** `bytes` in pieces that end at the given places, wrapped round its length. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}
const places = fc.array(fc.nat(100_000), { maxLength: 30 });

test('row codec: a recorded answer reads as what was sent, whatever is in its cells', () => {
  fc.assert(
    fc.property(table, ({ columns, rows }) => {
      const bytes = Buffer.concat([reply.columns(...columns), ...rows.map((cells) => reply.row(...cells))]);
      const decoded = decodeResult(bytes);
      expect(decoded.columns).toEqual(columns);
      expect(decoded.rows).toEqual(rows);
    }),
  );
});

test('row codec: what was cut off or damaged still gives what there is', () => {
  fc.assert(
    fc.property(
      table,
      fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { maxLength: 4 }),
      fc.nat(5000),
      (made, hits, end) => {
        const bytes = Buffer.concat([reply.columns(...made.columns), ...made.rows.map((cells) => reply.row(...cells))]);
        for (const [at, value] of hits) if (at < bytes.length) bytes[at] = value;
        decodeResult(bytes.subarray(0, end));
      },
    ),
  );
});

test('framer: answers of any size pass as they came, however they are cut, and their rows are counted', () => {
  fc.assert(
    fc.property(fc.array(table, { minLength: 1, maxLength: 4 }), places, (results, cuts) => {
      const session = talk();
      const asked = Buffer.concat(results.map((_, at) => t.query(`select ${at}`)));
      for (const piece of cutAt(asked, cuts)) session.client(piece);
      const answers = Buffer.concat(
        results.flatMap(({ columns, rows }) => [
          reply.columns(...columns),
          ...rows.map((cells) => reply.row(...cells)),
          reply.complete(`SELECT ${rows.length}`),
          reply.ready('I'),
        ]),
      );
      for (const piece of cutAt(answers, cuts)) session.replies(piece);
      expect(Buffer.concat(session.sent.upstream)).toEqual(asked);
      expect(Buffer.concat(session.sent.client)).toEqual(answers);
      const ends = session.recorded.filter((event) => event.type === 'end');
      expect(ends.map(({ rows }) => rows)).toEqual(results.map(({ rows }) => rows.length));
    }),
  );
});

test('framer: texts, names and parameters reach the judge as they were, however they are cut', () => {
  const name = text.map((one) => one.replaceAll('\0', ''));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, name, fc.array(cell, { maxLength: 5 })), { minLength: 1, maxLength: 4 }),
      places,
      (asks, cuts) => {
        const session = talk();
        const bytes = Buffer.concat(
          asks.flatMap(([statement, body, values]) => [
            t.close('S', statement),
            t.parse(statement, `select ${body}`),
            t.bind('', statement, ...values),
            t.execute(''),
          ]),
        );
        for (const piece of cutAt(bytes, cuts)) session.client(piece);
        expect(Buffer.concat(session.sent.upstream)).toEqual(bytes);
        const runs = session.asked.filter(({ phase }) => phase === 'run');
        expect(runs.map((command) => command.text)).toEqual(asks.map(([, body]) => `select ${body}`));
        expect(session.bound).toEqual(asks.map(([, , values]) => values));
      },
    ),
  );
});
