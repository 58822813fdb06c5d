/** What the tour shows of language models: by the SDKs of both providers, each a program of its own, through the gateway to a double. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '@sluice/gateway';
import type { Demo } from '../running-demo.js';
import type { Show } from './step.js';

interface Parts {
  readonly token: string;
  /** Has the request that waits approved, and says which one it was. */
  approve(): Promise<number>;
}

/** As key of a vendor it is well formed, and nobody's. */
const KEY_OF_NOBODY = 'AKIAIOSFODNN7REALKEY';

export async function byModels(demo: Demo, { token, approve }: Parts, show: Show): Promise<void> {
  if (typeof demo.double === 'string')
    return show({ title: 'Left out: language models', sent: 'node ask-openai.js', got: demo.double, held: true });
  const openai = (prompt: string): Promise<string> => ask(demo, 'openai', token, prompt);
  const refused = await openai(`Is ${KEY_OF_NOBODY} still good?`);
  show({
    title: 'A prompt with a key in it is refused, as the SDK of OpenAI shows it; the model (a double) has not seen it',
    sent: `client.chat.completions.stream(... "Is ${KEY_OF_NOBODY} still good?")`,
    got: refused,
    held:
      refused.includes('Prompts have no keys') && !demo.double.heard.some(({ body }) => body.includes(KEY_OF_NOBODY)),
  });
  const masked = await openai('Whose address do you know?');
  show({
    title: '  an answer is masked as it streams',
    sent: 'client.chat.completions.stream(... "Whose address do you know?")',
    got: masked,
    held: masked.includes('[masked:EMAIL]') && !masked.includes('example.'),
  });
  const judged = await ask(demo, 'anthropic', token, 'Clean up, please.');
  show({
    title: '  of two calls of a tool that it proposes one is refused, as the SDK of Anthropic gives them to the agent',
    sent: 'client.messages.stream(... "Clean up, please.")',
    got: judged,
    held:
      judged.includes('models-destroy-nothing') &&
      judged.includes('select name') &&
      !judged.includes('({"query":"drop'),
  });
  const held = openai('Write me a script.');
  const number = await approve();
  const script = await held;
  show({
    title: '  an answer above a number of points waits until Ben has read it',
    sent: `sluice approvals approve ${number}`,
    got: script,
    held: script.includes('rm -rf') && script.includes('[masked:EMAIL]'),
  });
}

/** What the SDK gives its program, or what it says is wrong. */
function ask(demo: Demo, provider: 'openai' | 'anthropic', token: string, prompt: string): Promise<string> {
  const base = `https://${demo.gateway.addresses.get('http') ?? ''}/double-${provider}`;
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: join(demo.folder, 'gateway.crt'),
    OPENAI_BASE_URL: `${base}/v1`,
    OPENAI_API_KEY: token,
    ANTHROPIC_BASE_URL: base,
    ANTHROPIC_API_KEY: token,
  };
  const program = join(ROOT, 'packages', 'demo', 'dist', 'models', `ask-${provider}.js`);
  return new Promise((resolve) => {
    execFile(process.execPath, [program, prompt], { env, timeout: 60_000 }, (_, out, problem) =>
      resolve(`${out}${problem}`.trim()),
    );
  });
}
