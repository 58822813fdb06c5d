/** The same by Anthropic's SDK. */
import Anthropic from '@anthropic-ai/sdk';

const [prompt = 'Hello'] = process.argv.slice(2);
const client = new Anthropic();
try {
  const stream = client.messages.stream({
    model: 'double',
    max_tokens: 1000,
    messages: [{ role: 'user', content: prompt }],
  });
  stream.on('text', (piece) => void process.stdout.write(piece));
  const { content } = await stream.finalMessage();
  for (const block of content)
    if (block.type === 'tool_use') process.stdout.write(`\n${block.name}(${JSON.stringify(block.input)})`);
  process.stdout.write('\n');
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
