import type { SqlCommand } from '@sluice/contract';
import { expect, test } from 'vitest';
import { keptValues } from '../src/index.js';

test('values are there when the memory that they came in is read into again', () => {
  const memory = Buffer.from('first');
  const command: SqlCommand = {
    type: 'sql',
    id: 1,
    phase: 'run',
    dialect: { name: 'postgres', major: 18 },
    text: 'select $1, $2',
    parameters: [
      { type: 25, format: 'text', value: memory.subarray(0, 5) },
      { type: 25, format: 'text', value: null },
    ],
  };
  const kept = keptValues(command);
  memory.fill('x');
  expect(kept.parameters?.map(({ value }) => value && Buffer.from(value).toString())).toEqual(['first', null]);
  const plain: SqlCommand = { ...command, parameters: undefined };
  expect(keptValues(plain)).toBe(plain);
});
