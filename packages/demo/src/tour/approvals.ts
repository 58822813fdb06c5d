import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRow } from '@sluice/api';
import pg from 'pg';
import { ROOT } from '@sluice/gateway';
import type { Demo } from '../running-demo.js';
import type { Show } from './step.js';
import { byHttp } from './tickets.js';
import { byModels } from './models.js';
import { byTools } from './tools.js';
import { type Person, person } from './person.js';

const RULES = 'policies:\n  production:\n';

/** The tour does not wait ten minutes for a request that nobody answers: it has a rule of its own that waits two seconds. */
export function withShortHold(folder: string): void {
  const text = readFileSync(join(ROOT, 'fixtures', 'shop', 'sluice.yaml'), 'utf8');
  const rule = `    - rule: prices-are-looked-at
      when: action.verb == "update" && action.tables.exists(t, t.endsWith("products"))
      hold: { approvers: ["group:dba"], timeout: 2s }
`;
  writeFileSync(join(folder, 'sluice.yaml'), text.replace(RULES, RULES + rule));
}

/** Plays both parts: Ana, who asks, and Ben, who releases. Each is logged in with the command line. */
export async function approvals(demo: Demo, show: Show): Promise<void> {
  const [ana, ben] = [person(demo, 'ana'), person(demo, 'ben')];
  try {
    for (const [who, groups] of [
      [ana, 'roles user; groups engineers'],
      [ben, 'roles user, approver; groups dba'],
    ] as const) {
      const got = await who.login();
      show({
        title: `${who.title} logs in at the identity provider`,
        sent: 'sluice login',
        got,
        held: got.includes(groups),
      });
    }
    const token = await ana.sluice('token', 'create', '--name', 'tour', '--role', 'user');
    await statements(demo, { ana, ben, token }, show);
    await sessions(demo, { ana, ben, token }, show);
    const approve = async (): Promise<number> => {
      const { number } = await pending(ben);
      await ben.sluice('approvals', 'approve', '--yes', String(number), '--reason', 'a duplicate');
      return number;
    };
    await byHttp(demo, { token, approve }, show);
    await byModels(demo, { token, approve }, show);
    await byTools(demo, { token, approve }, show);
  } finally {
    ana.forget();
    ben.forget();
  }
}

interface Parts {
  readonly ana: Person;
  readonly ben: Person;
  /** Ana's, for a driver. */
  readonly token: string;
}

async function statements(demo: Demo, { ana, ben, token }: Parts, show: Show): Promise<void> {
  const client = connection(demo, token, 'shop');
  const notices: string[] = [];
  client.on('notice', ({ message }) => notices.push(message ?? ''));
  await client.connect();
  const update = 'update payments set amount = amount where id = 1';

  let answer = outcome(client, update);
  let { number } = await pending(ben);
  while (notices.length === 0) await sleep(10);
  show({
    title: 'A refund waits on the wire, and says so',
    sent: update,
    got: `NOTICE: ${notices[0]}`,
    held: notices[0]?.includes(`request ${number}`) ?? false,
  });
  const own = await ana.sluice('approvals', 'approve', '--yes', String(number));
  show({
    title: '  Ana cannot release it herself',
    sent: `sluice approvals approve ${number}`,
    got: own,
    held: own.includes('may not'),
  });
  await ben.sluice('approvals', 'approve', '--yes', String(number), '--reason', 'ticket 7');
  const done = await answer;
  show({
    title: '  Ben approves: the statement runs',
    sent: `sluice approvals approve ${number}`,
    got: done,
    held: done === 'UPDATE 1',
  });

  answer = outcome(client, update);
  ({ number } = await pending(ben));
  await ben.sluice('approvals', 'deny', String(number), '--reason', 'paid back already');
  const denied = await answer;
  show({
    title: '  Ben denies the next one, with a reason',
    sent: `sluice approvals deny ${number} --reason "paid back already"`,
    got: denied,
    held: denied.startsWith('42501') && denied.includes('paid back already'),
  });

  const price = 'update products set price = price where id = 1';
  const late = await outcome(client, price);
  show({
    title: '  Nobody answers the third: it fails when its time is up',
    sent: price,
    got: late,
    held: late.startsWith('42501') && late.includes('in time'),
  });
  const after = await outcome(client, 'select 1 as one');
  show({ title: '  and the session goes on', sent: 'select 1 as one', got: after, held: after === 'SELECT 1' });
  await client.end();
}

async function sessions(demo: Demo, { ben, token }: Parts, show: Show): Promise<void> {
  const client = connection(demo, token, 'payroll');
  const login = client.connect();
  const { number, text } = await pending(ben);
  await ben.sluice('approvals', 'approve', '--yes', String(number));
  await login;
  const answer = await outcome(client, 'select 1 as one');
  await client.end();
  const again = connection(demo, token, 'payroll');
  await again.connect();
  await again.end();
  show({
    title: 'A connection that people have to agree to waits at the login, and is open for an hour then',
    sent: `sluice approvals approve ${number}`,
    got: `${text}: ${answer}`,
    held: answer === 'SELECT 1',
  });
}

/** The request that waits for an answer. */
async function pending(who: Person): Promise<ApprovalRow> {
  for (;;) {
    const rows: ApprovalRow[] = JSON.parse(await who.sluice('approvals', 'ls', '--pending', '-o', 'json'));
    if (rows[0]) return rows[0];
  }
}

function connection({ gateway }: Demo, password: string, database: string): pg.Client {
  const [host, port] = (gateway.addresses.get('postgres') ?? '').split(':');
  return new pg.Client({ ...(host && { host }), port: Number(port), user: 'ana', password, database });
}

async function outcome(client: pg.Client, text: string): Promise<string> {
  try {
    const { command, rowCount } = await client.query(text);
    return `${command} ${rowCount ?? ''}`.trim();
  } catch (error) {
    const { code = '', message } = error as pg.DatabaseError;
    return `${code}  ${message}`;
  }
}
