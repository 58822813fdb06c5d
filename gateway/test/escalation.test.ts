/** Further approvers (`escalate`), as those see it who wait, who are asked, and who are told. When that is: packages/approvals/test. */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ApprovalRow } from '@sluice/api';
import { readJournal } from '@sluice/recording';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MAIN } from './agents.js';
import { type Caller, caller } from './control.js';
import { run } from './ssh-stand.js';
import { type Stand, openStand, targetOf } from './stand.js';

const WAIT = { timeout: 20_000 };
const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;
/** Whoever is asked then must not be there before: long enough that a test can try. */
const ESCALATE = 'escalate: { after: 3s, to: ["group:managers"] }';

describe.skipIf(missingPostgres(18) ?? missingTool('psql'))('further approvers', () => {
  let server: PostgresServer;
  let stand: Stand;
  let hook: ReturnType<typeof createServer>;
  const told: { readonly type: string; readonly data: ApprovalRow }[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    hook = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        told.push(JSON.parse(body) as (typeof told)[number]);
        response.end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    stand = await openStand({
      target: targetOf(server),
      rules: `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 10m, ${ESCALATE} } }`,
      principals: `  bea: { groups: [dba], roles: [user, approver] }
  mona: { groups: [managers], roles: [user, approver] }
  kim: { groups: [engineers, payroll] }`,
      connection: `approval: { approvers: ["group:dba"], timeout: 10m, window: 1h, ${ESCALATE} }`,
      sections: `webhooks: [{ url: "http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook", secret: "${SECRET}" }]`,
    });
  });
  afterAll(async () => {
    await stand?.stop();
    hook?.close();
    await server?.stop();
  });

  const tokenOf = async (principal: string): Promise<string> => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'operator', name: 'the file' });
    return (await caller(stand, token).post<{ token: string }>('/v1/tokens', { principal })).token;
  };
  const by = async (principal: string): Promise<Caller> => caller(stand, await tokenOf(principal));
  const pending = (): Promise<number> =>
    vi.waitFor(() => {
      const [one] = stand.gateway.approvals.waiting();
      if (!one) throw new Error('nothing waits');
      return one.number;
    }, WAIT);

  test('psql reads who is asked as well while it waits, for its session and for its statement; they decide, and everybody was told', async () => {
    const child = spawn(
      findTool('psql') ?? '',
      [
        `host=127.0.0.1 port=${stand.port} user=dev dbname=db`,
        '-Atc',
        'create table t (id int)',
        '-c',
        'delete from t',
      ],
      { env: { ...process.env, PGPASSWORD: stand.token } },
    );
    let shown = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));
    const mona = await by('mona');
    const approve = (number: number): Promise<number> => mona.status('POST', `/v1/approvals/${number}/approve`, {});
    for (const what of ['session', 'statement']) {
      const number = await pending();
      expect(await approve(number)).toBe(403);
      await vi.waitFor(() => expect(shown).toContain(`Nobody has answered request ${number} so far`), WAIT);
      expect(shown.replaceAll('\n', ' ')).toMatch(
        new RegExp(`This ${what} waits for an approval: request ${number}.*1 of group:dba can`),
      );
      expect(shown).toContain(`1 of group:dba, group:managers can release it: sluice approvals approve ${number}`);
      const row = await mona.get<ApprovalRow>(`/v1/approvals/${number}`);
      expect(row).toMatchObject({ escalated: expect.any(String), state: 'pending' });
      const { stdout } = await run(
        process.execPath,
        [MAIN, '--url', stand.gateway.url, 'approvals', 'show', String(number)],
        { env: { NO_COLOR: '1', SLUICE_TOKEN: await tokenOf('dev') } },
      );
      const said = String(stdout);
      expect(said).toContain('nobody had answered: further approvers were asked');
      expect(said).toContain('1 of group:dba, group:managers');
      expect(await approve(number)).toBe(200);
    }
    await ended;
    expect(shown).toContain('DELETE 0');
    await vi.waitFor(
      () =>
        expect(told.map(({ type }) => type)).toEqual(
          [1, 2].flatMap(() => ['approval.requested', 'approval.escalated', 'approval.answered', 'approval.approved']),
        ),
      WAIT,
    );
    expect(told[1]?.data.requirements[0]?.approvers).toEqual(['group:dba', 'group:managers']);
    const events: string[] = [];
    for (const { header } of readJournal(join(stand.gateway.config.data, 'journal')))
      if (header.k === 'approval') events.push(header.event);
    expect(events.filter((one) => one === 'escalated')).toHaveLength(2);
  });
});
