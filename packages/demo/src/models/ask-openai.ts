/** A client of OpenAI's SDK, as anybody writes one: prints an answer while it streams. Base URL and key come by the SDK's own variables. */
import OpenAI from 'openai';

const [prompt = 'Hello'] = process.argv.slice(2);
const client = new OpenAI();
try {
  const stream = client.chat.completions.stream({ model: 'double', messages: [{ role: 'user', content: prompt }] });
  stream.on('content', (piece) => void process.stdout.write(piece));
  const { choices } = await stream.finalChatCompletion();
  for (const call of choices[0]?.message.tool_calls ?? [])
    if (call.type === 'function') process.stdout.write(`\n${call.function.name}(${call.function.arguments})`);
  process.stdout.write('\n');
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
