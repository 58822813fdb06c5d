/** What the shape of a statement costs, in work and not in time: twice the text is twice the work. */
import { growth } from '@sluice/testkit/work';
import { expect, test } from 'vitest';
import { templateOf } from '../src/template.js';

test.each(["'", "'a' ", "''", '1', '1 ', '1a', '1.', 'a', 'a.', '- ', '-', '/ ', '/*', '"', '$'])(
  'the shape of %j',
  (piece) => {
    const shape = (size: number): unknown => templateOf(`select ${piece.repeat(size / piece.length)}`);
    expect(growth(16_384, shape)).toBeLessThan(2.2);
  },
);
