import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { readConfiguration } from '../src/configuration.js';

test.each([
  ['listeners: { postgres: { address: 0.0.0.0, require_tls: false } }', 'PostgreSQL clients may come without TLS'],
  ['listeners: { postgres: { address: 0.0.0.0 } }', undefined],
  ['listeners: { postgres: { require_tls: false } }', undefined],
])('check says of %s: %s', (text, warning) => {
  const { path, remove } = temporaryFolder('check');
  onTestFinished(remove);
  writeFileSync(join(path, 'sluice.yaml'), text);
  const { warnings } = readConfiguration(join(path, 'sluice.yaml'));
  expect(warnings).toEqual(warning === undefined ? [] : [expect.stringContaining(warning)]);
});
