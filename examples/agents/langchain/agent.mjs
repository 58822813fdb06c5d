/**
 * An assistant by LangChain, whose tools are those of the gateway, and those of the server of MCP behind it.
 *
 *     npm install
 *     SLUICE_URL=https://gateway.example:8443 SLUICE_TOKEN=... OPENAI_API_KEY=... node agent.mjs "Which orders are late?"
 */
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { ChatOpenAI } from '@langchain/openai';
import { createAgent } from 'langchain';

const { SLUICE_URL, SLUICE_TOKEN, MODEL = 'gpt-5' } = process.env;
const [, , question = 'What is there to do today?'] = process.argv;

const headers = { Authorization: `Bearer ${SLUICE_TOKEN}` };
const client = new MultiServerMCPClient({
  mcpServers: {
    gateway: { transport: 'http', url: `${SLUICE_URL}/mcp`, headers },
    tickets: { transport: 'http', url: `${SLUICE_URL}/tickets`, headers },
  },
});
try {
  const assistant = createAgent({
    model: new ChatOpenAI({ model: MODEL }),
    tools: await client.getTools(),
    systemPrompt:
      'You look after a shop. Begin with list_connections. What you run is judged by rules: when something is refused, read why and say so; do not look for another way around it. When something waits for people, say which request it is.',
  });
  const { messages } = await assistant.invoke({ messages: [{ role: 'user', content: question }] });
  process.stdout.write(`${messages.at(-1).text}\n`);
} finally {
  await client.close();
}
