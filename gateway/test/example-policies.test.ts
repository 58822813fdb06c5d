/** The policies in examples/policies: each can be used, and decides what its cases say. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { testPolicy } from '@sluice/policy-trial';
import { describe, expect, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';

const FOLDER = join(import.meta.dirname, '../../examples/policies');
const POLICIES = readdirSync(FOLDER, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? one.name : []));

describe('examples of policies', () => {
  test.each(POLICIES)('%s', async (name) => {
    const { path, remove } = temporaryFolder('policy');
    try {
      // Whoever uses it sets these; what they are does not count here.
      const text = readFileSync(join(FOLDER, name, 'sluice.yaml'), 'utf8').replaceAll(/"\$\{env:\w+\}"/g, 'unused');
      const file = join(path, 'sluice.yaml');
      writeFileSync(file, text);
      const { config } = readConfiguration(file);
      expect(await testPolicy(join(FOLDER, name, 'cases.yaml'), config, 'table')).toBe(0);
    } finally {
      remove();
    }
  });

  test('there are four', () => {
    expect(POLICIES).toHaveLength(4);
  });
});
