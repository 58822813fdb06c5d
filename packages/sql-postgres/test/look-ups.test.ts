import { expect, test } from 'vitest';
import { LookUps } from '../src/masks/look-ups.js';

test('names that nobody knows take a tenth of the time in the long run, whatever becomes of the readings', async () => {
  let now = 0;
  const lookUps = new LookUps(() => now);
  let readings = 0;
  for (let statement = 0; statement < 20_000; statement++) {
    now += 5;
    await lookUps
      .read(async () => {
        readings++;
        now += 50;
        if (readings % 2 === 0) throw new Error('The target is away.');
      })
      ?.catch(() => undefined);
  }
  // So much at once, and then a tenth.
  expect(readings * 50).toBeGreaterThan(now / 10);
  expect(readings * 50).toBeLessThan(now / 10 + 1_100);
});

test('who has made a mistake now and then is not told apart from others', async () => {
  let now = 0;
  const lookUps = new LookUps(() => now);
  for (let statement = 0; statement < 100; statement++) {
    now += 2_000;
    expect(await lookUps.read(async () => (now += 200))).toBe(now);
  }
});
