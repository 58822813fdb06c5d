import { type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Demo } from '../running-demo.js';
import { TICKETS_KEY } from '../tickets.js';
import type { Show } from './step.js';

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Parts {
  readonly token: string;
  /** Has the request that waits approved, and says which one it was. */
  approve(): Promise<number>;
}

/** Shows the service by HTTP: what passes, what is refused, what waits for somebody, and whose key stays where it is. */
export async function byHttp(demo: Demo, { token, approve }: Parts, show: Show): Promise<void> {
  if (typeof demo.tickets === 'string')
    return show({ title: 'Left out: HTTP', sent: 'curl', got: demo.tickets, held: true });
  const ask = (method: string, path: string, secret = token): Promise<Answer> => send(demo, method, path, secret);
  const list = await ask('GET', '/tickets/tickets');
  show({
    title: 'A request by HTTP passes with a token, and the key of the service is put to it',
    sent: 'curl https://gateway/tickets/tickets',
    got: `${list.status} ${list.text.trim()}`,
    held: list.status === 200 && list.text.includes('kettle'),
  });
  const echo = await ask('GET', '/tickets/echo');
  show({
    title: '  a page that shows what it was sent does not show that key',
    sent: 'curl https://gateway/tickets/echo',
    got: `${echo.status} ${echo.text.trim()}`,
    held: echo.status === 200 && !echo.text.includes(TICKETS_KEY) && echo.text.includes('*****'),
  });
  const wrong = await ask('GET', '/tickets/tickets', 'sluice_wrong');
  show({
    title: '  a wrong token gets nothing, and a route that is not there says no more',
    sent: 'curl -H "Authorization: Bearer sluice_wrong" ...',
    got: `${wrong.status} ${wrong.text.trim()}`,
    held: wrong.status === 401 && wrong.text === (await ask('GET', '/nowhere/', 'sluice_wrong')).text,
  });
  const all = await ask('DELETE', '/tickets/tickets');
  show({
    title: '  to delete all tickets is refused, in the words of the rule',
    sent: 'curl -X DELETE https://gateway/tickets/tickets',
    got: `${all.status} ${all.text.trim()}`,
    held: all.status === 403 && all.text.includes('all-tickets'),
  });
  const one = ask('DELETE', '/tickets/tickets/2');
  const number = await approve();
  const deleted = await one;
  show({
    title: '  to delete one waits until Ben approves',
    sent: `sluice approvals approve ${number}`,
    got: String(deleted.status),
    held: deleted.status === 204 && (await ask('GET', '/tickets/tickets/2')).status === 404,
  });
}

function send({ gateway, folder }: Demo, method: string, path: string, token: string): Promise<Answer> {
  const place = gateway.addresses.get('http') ?? '';
  const options = {
    method,
    headers: { authorization: `Bearer ${token}` },
    ca: readFileSync(join(folder, 'gateway.crt'), 'utf8'),
    agent: false,
  } as const;
  return new Promise((resolve, reject) => {
    const asked = request(`https://${place}${path}`, options, (answer: IncomingMessage) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end();
  });
}
