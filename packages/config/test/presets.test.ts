import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeProblem, parseConfig } from '../src/index.js';

const text = readFileSync(join(import.meta.dirname, '../../../docs/identity.md'), 'utf8');
const blocks = Array.from(text.matchAll(/^```yaml\n(.*?)^```$/gms), ([, block = '']) => block);
const env = { GOOGLE_DESKTOP_SECRET: 'x' };

const problems = (yaml: string): string[] => {
  const loaded = parseConfig(yaml, { file: '/etc/sluice.yaml', env });
  return loaded.ok ? [] : loaded.problems.map(describeProblem);
};

describe('docs/identity.md', () => {
  test('its presets are issuers as they stand', () => {
    const presets = blocks.find((block) => block.includes('token.actions.githubusercontent.com')) ?? '';
    const each = presets.split(/^(?=# )/m).filter((part) => /^\w+:$/m.test(part));
    expect(each.length).toBe(6);
    for (const preset of each) expect(problems(`issuers:\n${preset.replaceAll(/^(?=.)/gm, '  ')}`)).toEqual([]);
  });

  test('its first example is a configuration', () => {
    const [example = ''] = blocks.filter((block) => block.startsWith('issuers:'));
    expect(problems(example)).toEqual([]);
  });
});
