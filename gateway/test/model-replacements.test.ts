/**
 * Values that are replaced on their way to a model and put back in its answer (`with: reversible`): what the model reads, what the client reads,
 * what is on record, and what is never turned back.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Says } from '@sluice/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { caller } from './control.js';
import { type ModelStand, type ModelStandOptions, openModelStand } from './model-stand.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function open(options: ModelStandOptions = {}): Promise<ModelStand> {
  const stand = await openModelStand({ rules: RULES, ...options });
  stops.push(stand.stop);
  return stand;
}

const RULES = `
    - { rule: people, mask: { detect: [email, credit_card, secret, phone], request: true, with: reversible } }
    - { rule: no-drops, when: 'command.type == "tool" && "destroy" in action.effects', deny: Nothing is dropped. }
    - { rule: all, when: 'true', allow: true }
`;
const ADA = 'ada@example.com';
const TOKEN = /tok_email_[a-z2-7]{20}/g;
const said = (content: string) => [{ role: 'user' as const, content }];

/** Says what it was told, as it was told. */
const echo: Says = (asked) => {
  const { messages, input } = asked as { messages?: { content: string }[]; input?: string };
  return { text: input ?? messages?.at(-1)?.content ?? '', reasoning: `I think of ${messages?.at(-1)?.content}` };
};

async function journalOf({ gateway, folder }: ModelStand): Promise<string> {
  await gateway.stop();
  return globSync('data/journal/*', { cwd: folder })
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}

const lastHeard = ({ double }: ModelStand): string => double.heard.at(-1)?.body ?? '';

describe('a value that was sent', () => {
  test('is a token for the model and the record, and itself for whoever sent it: whole and streamed, in each API', async () => {
    const stand = await open();
    stand.double.says = echo;
    stand.double.cut = (text) => Array.from(text);
    const text = `Write to ${ADA}, or to "Zoë" <zoë@example.org>: 4111 1111 1111 1111. ${ADA}`;
    const asked = { model: 'm', messages: said(text) };
    const whole = await stand.openai.chat.completions.create(asked);
    expect(whole.choices[0]?.message.content).toBe(text);
    const heard = lastHeard(stand);
    expect(heard).not.toMatch(/example|4111/);
    expect(new Set(heard.match(TOKEN)).size).toBe(2);
    expect(heard).toMatch(/tok_credit_card_[a-z2-7]{20}/);
    const streamed = await stand.openai.chat.completions.stream({ ...asked, stream: true }).finalChatCompletion();
    expect(streamed.choices[0]?.message.content).toBe(text);
    expect(new Set(lastHeard(stand).match(TOKEN))).toEqual(new Set(heard.match(TOKEN)));
    const answered = await stand.openai.responses.create({ model: 'm', input: text });
    expect(answered.output_text).toBe(text);
    let pieces = '';
    const stream = stand.openai.responses.stream({ model: 'm', input: text });
    stream.on('response.output_text.delta', ({ delta }) => (pieces += delta));
    expect((await stream.finalResponse()).output_text).toBe(text);
    expect(pieces).toBe(text);
    const journal = await journalOf(stand);
    expect(journal).not.toContain(ADA);
    expect(journal).not.toContain('4111 1111');
    expect(journal).toMatch(TOKEN);
  });

  test('Anthropic, with what is thought', async () => {
    const stand = await open({ provider: 'anthropic' });
    stand.double.says = echo;
    stand.double.cut = (text) => Array.from(text);
    const asked = { model: 'm', max_tokens: 99, messages: said(`Write to ${ADA}`) };
    for (const answer of [
      await stand.anthropic.messages.create(asked),
      await stand.anthropic.messages.stream(asked).finalMessage(),
    ])
      expect(answer.content).toMatchObject([{ thinking: `I think of Write to ${ADA}` }, { text: `Write to ${ADA}` }]);
    expect(lastHeard(stand)).not.toContain(ADA);
    expect(await journalOf(stand)).not.toContain(ADA);
  });

  test('is a pseudonym where a model says it that was never told it, and so is any other one', async () => {
    const stand = await open();
    const ask = async () =>
      (await stand.openai.chat.completions.create({ model: 'm', messages: said(`I am ${ADA}`) })).choices[0]?.message
        .content ?? '';
    stand.double.says = () => ({ text: `${ADA} and bob@example.com` });
    const answer = await ask();
    expect(answer).toMatch(/^tok_[a-z2-7]{20} and tok_[a-z2-7]{20}$/);
    stand.double.says = echo;
    expect(await ask()).toBe(`I am ${ADA}`);
  });

  test('is not put back for anybody else, who has another token for it', async () => {
    const stand = await open({ principals: '  eve: { groups: [engineers] }' });
    stand.double.says = echo;
    await stand.openai.chat.completions.create({ model: 'm', messages: said(ADA) });
    const [token = ''] = lastHeard(stand).match(TOKEN) ?? [];
    const { token: apiKey } = await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' });
    const other = stand.openai.withOptions({ apiKey });
    const ask = async (content: string) =>
      (await other.chat.completions.create({ model: 'm', messages: said(content) })).choices[0]?.message.content;
    expect(await ask(`Who is ${token}?`)).toBe(`Who is ${token}?`);
    expect(await ask(`${ADA} ${token}`)).toBe(`${ADA} ${token}`);
    expect(
      lastHeard(stand)
        .match(TOKEN)
        ?.filter((one) => one === token),
    ).toHaveLength(1);
  });

  test('is put back in an answer that rules judge first, which see tokens', async () => {
    const rules = `${RULES}
    - { rule: no-addresses, when: '"email" in answer.found', deny: No addresses. }
`;
    const stand = await open({ rules });
    stand.double.says = echo;
    const asked = { model: 'm', messages: said(`I am ${ADA}.`) };
    const whole = await stand.openai.chat.completions.create(asked);
    const streamed = await stand.openai.chat.completions.stream({ ...asked, stream: true }).finalChatCompletion();
    for (const { choices } of [whole, streamed]) expect(choices[0]?.message.content).toBe(`I am ${ADA}.`);
    stand.double.says = () => ({ text: 'bob@example.com' });
    await expect(stand.openai.chat.completions.create(asked)).rejects.toThrow('No addresses.');
  });

  test.each(['Xk9mP2wR4tq', 'Xk9 mP2/wR4tq'])(
    'leaves as a token again when the conversation goes on, also where nothing says any more what it is: %s',
    async (secret) => {
      const stand = await open({ llm: 'tools: { bash: { shell: bash, argument: command } }' });
      stand.double.says = (asked) => {
        const [token = ''] = JSON.stringify(asked).match(/tok_secret_[a-z2-7]{20}/) ?? [];
        return { text: `It is ${token}.`, calls: [{ tool: 'login', input: { with: token } }] };
      };
      const first = said(`password: ${JSON.stringify(secret)}`);
      const { choices } = await stand.openai.chat.completions.create({ model: 'm', messages: first });
      const message = choices[0]?.message;
      if (!message) throw new Error('nothing was said');
      expect(message.content).toBe(`It is ${secret}.`);
      const [token = ''] = lastHeard(stand).match(/tok_secret_[a-z2-7]{20}/) ?? [];
      await stand.openai.chat.completions.create({ model: 'm', messages: [...first, message, ...said('Go on.')] });
      const { messages } = JSON.parse(lastHeard(stand)) as { messages: (typeof message)[] };
      expect(lastHeard(stand)).not.toContain('wR4tq');
      expect(messages[1]).toMatchObject({
        content: `It is ${token}.`,
        tool_calls: [{ function: { arguments: JSON.stringify({ with: token }) } }],
      });
      expect(await journalOf(stand)).not.toContain('wR4tq');
    },
  );

  test('is no word of the API, also where a text says so', async () => {
    const stand = await open();
    stand.double.says = echo;
    const messages = [...said('password: gpt-4o'), ...said('password: us_er')];
    for (let count = 0; count < 2; count++)
      await stand.openai.chat.completions.create({ model: 'gpt-4o', messages: messages.slice(count) });
    expect(JSON.parse(lastHeard(stand))).toMatchObject({ model: 'gpt-4o', messages: [{ role: 'user' }] });
  });

  test('is put back in its visit alone', async () => {
    const stand = await open();
    stand.double.says = echo;
    const ask = async (content: string) =>
      (await stand.openai.chat.completions.create({ model: 'm', messages: said(content) })).choices[0]?.message.content;
    expect(await ask(ADA)).toBe(ADA);
    const [token = ''] = lastHeard(stand).match(TOKEN) ?? [];
    expect(await ask(token)).toBe(ADA);
    for (const session of stand.gateway.sessions.values()) session.end({ code: 'idle' });
    expect(await ask(token)).toBe(token);
    // The same as before, so that a conversation goes on.
    expect(await ask(`${ADA} ${token}`)).toBe(`${ADA} ${ADA}`);
  });
});

describe('what came out of a mask', () => {
  test('stays what it is, to the provider and back, also for whoever has sent the value as well', async () => {
    const stand = await open();
    stand.double.says = () => ({ text: 'bob@example.com' });
    const ask = async (content: string) =>
      (await stand.openai.chat.completions.create({ model: 'm', messages: said(content) })).choices[0]?.message
        .content ?? '';
    const masked = await ask('Who is it?');
    expect(masked).toMatch(/^tok_[a-z2-7]{20}$/);
    stand.double.says = echo;
    const asked = `password: ${masked}, bob@example.com, [masked:EMAIL]`;
    expect(await ask(asked)).toBe(asked);
    expect(lastHeard(stand)).toContain(`password: ${masked}, tok_email_`);
  });
});

describe('calls of tools', () => {
  const TOOLS = 'tools: { run_sql: { sql: postgres, argument: query }, bash: { shell: bash, argument: command } }';
  const callsOf = async (stand: ModelStand, isStream: boolean, content: string) => {
    const asked = { model: 'm', messages: said(content) };
    const { choices } = isStream
      ? await stand.openai.chat.completions.stream({ ...asked, stream: true }).finalChatCompletion()
      : await stand.openai.chat.completions.create(asked);
    const [choice] = choices;
    return {
      text: choice?.message.content ?? '',
      calls: (choice?.message.tool_calls ?? []).map((call) =>
        call.type === 'function' ? (JSON.parse(call.function.arguments) as object) : {},
      ),
    };
  };

  test.each([false, true])('have values as their place asks for, streamed: %s', async (isStream) => {
    const stand = await open({ llm: TOOLS });
    const mail = `"o'brien, p."@example.com`;
    const deep = (to: string) => JSON.stringify({ note: '"', inner: JSON.stringify({ to }) });
    stand.double.says = (asked) => {
      const [token = ''] = JSON.stringify(asked).match(TOKEN) ?? [];
      return {
        calls: [
          { tool: 'mail', input: { to: token, note: `"${token}"`, [token]: 1, nested: JSON.stringify({ to: token }) } },
          { tool: 'send', input: { body: deep(token) } },
          { tool: 'run_sql', input: { query: `select 1 from people where mail = '${token}' -- ${token}` } },
          { tool: 'bash', input: { command: `mail ${token} -s "to ${token}" <<< 'x'` } },
        ],
      };
    };
    const { calls } = await callsOf(stand, isStream, `Mail ${mail}, please.`);
    const heard = lastHeard(stand);
    const [token = ''] = heard.match(TOKEN) ?? [];
    expect(heard).toContain(`Mail ${token}, please.`);
    expect(calls).toEqual([
      { to: mail, note: `"${mail}"`, [mail]: 1, nested: JSON.stringify({ to: mail }) },
      // A quote would end a string of the inner text.
      { body: deep(token) },
      // A comment has no quotes that would end: the token stays.
      { query: `select 1 from people where mail = '"o''brien, p."@example.com' -- ${token}` },
      { command: `mail '"o'\\''brien, p."@example.com' -s "to \\"o'brien, p.\\"@example.com" <<< 'x'` },
    ]);
  });

  test('are judged with the value in them, and on record with the token', async () => {
    const stand = await open({ llm: TOOLS });
    const hidden = 'Xk9mP2wR4t;rm';
    stand.double.says = (asked) => {
      const [secret = ''] = JSON.stringify(asked).match(/tok_secret_[a-z2-7]{20}/) ?? [];
      return { calls: [{ tool: 'bash', input: { command: `cat /tmp/${secret}` } }] };
    };
    const { calls } = await callsOf(stand, true, `password: "${hidden}"`);
    expect(calls).toEqual([{ command: `cat /tmp/'${hidden}'` }]);
    const journal = await journalOf(stand);
    expect(journal).not.toContain(hidden);
    expect(journal).toMatch(/cat \/tmp\/tok_secret_/);
  });

  test('with many values say nothing of them on record, and are refused by the rule', async () => {
    const stand = await open({ llm: TOOLS });
    const mails = Array.from({ length: 250 }, (_, n) => `user${n}@example.com`);
    stand.double.says = (asked) => {
      const tokens = JSON.stringify(asked).match(TOKEN) ?? [];
      return { calls: [{ tool: 'bash', input: { command: `rm /tmp/${tokens.join(' /tmp/')}` } }] };
    };
    const { calls, text } = await callsOf(stand, true, mails.join(' '));
    expect(calls).toEqual([]);
    expect(text).toContain('was refused by rule "no-drops" and has not been made. Nothing is dropped.');
    expect(await journalOf(stand)).not.toContain('@example.com');
  });

  test.each([
    ['the host of an address', 'bash', 'ssh TOKEN uptime'],
    ['a program', 'bash', 'TOKEN x'],
    ['where a text breaks off', 'bash', "echo 'TOKEN"],
    ['where a statement does', 'run_sql', 'select from TOKEN from'],
  ])('leave no part of a value on record: %s', async (_, tool, command) => {
    const stand = await open({ llm: TOOLS, rules: RULES.replace(/.*rule: all.*/, '') });
    stand.double.says = (asked) => {
      const [token = ''] = JSON.stringify(asked).match(TOKEN) ?? [];
      const text = command.replace('TOKEN', token);
      return { calls: [{ tool, input: { command: text, query: text } }] };
    };
    const { text } = await callsOf(stand, true, 'Look at Ada@Database-Seven.Example.com');
    expect(text).toContain('was refused by rule "gateway"');
    const journal = await journalOf(stand);
    expect(journal).toContain('tok_email_');
    // Longer than what a hash or a token has by chance.
    expect(journal.toLowerCase()).not.toContain('database');
    expect(journal.toLowerCase()).not.toContain('seven.');
  });

  test('are refused for what the value makes of them', async () => {
    const stand = await open({
      rules: RULES.replace(
        '\'command.type == "tool" && "destroy" in action.effects\'',
        '\'command.type == "tool" && action.files.exists(f, f.contains("Xk9mP2wR4tq"))\'',
      ),
      llm: TOOLS,
    });
    stand.double.says = (asked) => {
      const [secret = ''] = JSON.stringify(asked).match(/tok_secret_[a-z2-7]{20}/) ?? [];
      return { calls: [{ tool: 'bash', input: { command: `cat /tmp/${secret}` } }] };
    };
    const { calls, text } = await callsOf(stand, true, `password: Xk9mP2wR4tq`);
    expect(calls).toEqual([]);
    expect(text).toContain('was refused by rule "no-drops"');
  });
});

test('people who release a call read tokens', async () => {
  const stand = await open({
    rules: RULES.replace(
      "    - { rule: all, when: 'true', allow: true }",
      `    - { rule: look, when: 'llm.operation == "chat"', hold: { approvers: ["user:ada"], timeout: 1m } }`,
    ),
  });
  stand.double.says = echo;
  const asking = stand.openai.chat.completions.create({ model: 'm', messages: said(ADA) });
  const people = caller(stand as never, stand.ada);
  const waits = async () => {
    const all = await people.get<{ number: number; state: string }[]>('/v1/approvals');
    expect(all).toMatchObject([{ state: 'pending' }]);
    return all[0]?.number;
  };
  const number = await vi.waitFor(waits, { timeout: 20_000 });
  const shown = JSON.stringify(await people.get(`/v1/approvals/${number}`));
  expect(shown).not.toContain(ADA);
  expect(shown).toMatch(TOKEN);
  await people.post(`/v1/approvals/${number}/approve`);
  expect((await asking).choices[0]?.message.content).toBe(ADA);
});
