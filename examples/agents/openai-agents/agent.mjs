/**
 * An assistant by the OpenAI Agents SDK, whose tools are those of the gateway, and those of the server of MCP behind it.
 *
 *     npm install
 *     SLUICE_URL=https://gateway.example:8443 SLUICE_TOKEN=... OPENAI_API_KEY=... node agent.mjs "Which orders are late?"
 */
import { Agent, MCPServerStreamableHttp, run, setTracingDisabled } from '@openai/agents';

const { SLUICE_URL, SLUICE_TOKEN, MODEL = 'gpt-5' } = process.env;
const [, , question = 'What is there to do today?'] = process.argv;

// What it works with goes to the model, and to nobody else.
setTracingDisabled(true);
const servers = ['mcp', 'tickets'].map(
  (name) =>
    new MCPServerStreamableHttp({
      name,
      url: `${SLUICE_URL}/${name}`,
      requestInit: { headers: { Authorization: `Bearer ${SLUICE_TOKEN}` } },
    }),
);
await Promise.all(servers.map((server) => server.connect()));
try {
  const assistant = new Agent({
    name: 'assistant',
    model: MODEL,
    instructions:
      'You look after a shop. Begin with list_connections. What you run is judged by rules: when something is refused, read why and say so; do not look for another way around it. When something waits for people, say which request it is.',
    mcpServers: servers,
  });
  const { finalOutput } = await run(assistant, question);
  process.stdout.write(`${finalOutput}\n`);
} finally {
  await Promise.all(servers.map((server) => server.close()));
}
