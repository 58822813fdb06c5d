/**
 * The language model of the demo: a double, which says what stands here. No model thinks. One service has the APIs of both providers. Owns:
 * what it says.
 */
import type { Config } from '@sluice/config';
import { ModelDouble, type Script } from '@sluice/testkit';
import { placed } from '../tickets.js';

/** By the API of which provider it is spoken to, by connection. */
const NAMES = ['double-openai', 'double-anthropic'];
/** Only for the double on loopback. */
export const DOUBLE_KEY = 'sluice-demo-double-key';
/** Between two pieces of a text, in milliseconds, so that one sees it stream. */
const PAUSE_MS = 15;

/** Why the demo has no model; undefined when it can have one. */
export function missingDouble(config: Config): string | undefined {
  const listened = config.listeners.clients.some((one) => one.protocol === 'http');
  const absent = NAMES.find((name) => config.connections.get(name)?.http === undefined);
  if (absent === undefined && listened) return undefined;
  return `there is no connection "${absent ?? NAMES[0]}" by HTTP in sluice.yaml`;
}

/** The connections with the port of this start. */
export function withDouble(config: Config, port: number): Config {
  const connections = new Map(config.connections);
  for (const name of NAMES) {
    const one = connections.get(name);
    if (one?.http) connections.set(name, placed(one, one.http, port));
  }
  return { ...config, connections };
}

export async function startDouble(): Promise<ModelDouble> {
  const double = await ModelDouble.start();
  double.pauseMs = PAUSE_MS;
  double.says = (asked) => scriptFor(JSON.stringify(asked['messages'] ?? asked['input'] ?? ''));
  return double;
}

const SCRIPTS: readonly (readonly [word: RegExp, script: Script])[] = [
  [/address/i, { text: 'Ada Marsh is reached at ada.marsh@example.com, and Ben Dale at ben.dale@example.org.' }],
  [
    /clean/i,
    {
      text: 'I look at the customers first, and then I throw them away. ',
      calls: [
        { tool: 'run_sql', input: { query: 'select name from customers' } },
        { tool: 'run_sql', input: { query: 'drop table customers' } },
      ],
    },
  ],
  [
    /script/i,
    {
      text: 'This frees the disk, and tells ada.marsh@example.com:\n\n```bash\nrm -rf /srv/backups\n```\n',
    },
  ],
];

const scriptFor = (said: string): Script =>
  SCRIPTS.find(([word]) => word.test(said))?.[1] ?? {
    text: 'I am a double of a language model: ask me for an address, to clean up, or for a script.',
  };
