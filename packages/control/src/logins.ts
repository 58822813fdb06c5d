/**
 * Routes about logins that wait for a confirmation. Owns: who may confirm, and that they can see whose login it is before. Does not: the
 * logins (packages/identity).
 */
import { randomBytes } from 'node:crypto';
import { type Proven, makersBy } from '@sluice/identity';
import { WaitingLogin } from '@sluice/api';
import { z } from 'zod';
import { actorOf } from '@sluice/audit';
import { problems, textOf } from './answers.js';
import { OPEN } from './openapi.js';
import { ControlError, type Routes, type TokenScope, admit } from './routes.js';

const Confirmation = z.strictObject({
  code: z.string().min(1).max(40).describe('What the client was shown.'),
  as: z.string().optional().describe('Whose login it is, if not the own one: for administrators.'),
});

/** Logins that wait for somebody who is logged in already. */
export function confirmationRoutes({ app, gateway, caller, scope }: Routes): void {
  const whoever = (proven: Proven, within: TokenScope, name: string | undefined): Proven => {
    const own = proven.principal;
    const principal = name === undefined || name === own.name ? own : gateway.identity.principal(name);
    if (principal !== own && !own.roles.includes('admin'))
      throw new ControlError(403, `"${own.name}" cannot confirm a login of "${name}".`);
    if (principal !== own) admit(within, undefined);
    if (!principal?.roles.includes('user')) {
      const hint = 'Show a token of your own (SLUICE_TOKEN); an administrator can name somebody with --as.';
      throw new ControlError(403, `"${name ?? own.name}" is nobody who logs in to targets.`, hint);
    }
    if (principal === own) return proven;
    return { ...proven, principal, claimed: undefined, makers: makersBy(proven) };
  };

  const about = { config: { about: 'connections' } } as const;
  const confirmation = {
    tags: ['identity'],
    summary: 'Confirm a login that waits with a code',
    body: Confirmation,
    response: {
      200: z.strictObject({ principal: z.string(), address: z.string().describe('Where the login comes from.') }),
      ...problems(403, 404, 409, 429),
    },
  };
  const waiting = {
    tags: ['identity'],
    summary: 'A login that waits with a code: where it comes from, and what it wants',
    params: z.object({ code: z.string().max(40) }),
    response: { 200: WaitingLogin, ...problems(404, 429) },
  };
  app.get('/v1/logins/waiting/:code', { ...about, schema: waiting }, (request): WaitingLogin => {
    scope(request);
    const { expires, ...login } = found(gateway.pendingLogins.look(request.params.code, caller(request)));
    return { ...login, expires: new Date(expires).toISOString() };
  });

  const confirming = { ...about, schema: confirmation };
  app.post('/v1/logins/confirm', confirming, (request): { principal: string; address: string } => {
    const proven = caller(request);
    const { code, as } = request.body;
    const who = whoever(proven, scope(request), as);
    const confirmed = found(gateway.pendingLogins.confirm(code, who));
    gateway.log.admin(actorOf(proven), 'login.confirm', `${who.principal.name} from ${confirmed.address}`);
    return { principal: who.principal.name, address: confirmed.address };
  });
}

/** @throws ControlError where there is none */
function found<Login>(login: Login | 'unknown' | 'too many'): Login {
  if (login === 'too many') throw new ControlError(429, 'Too many wrong codes.', 'Try again in a minute.');
  if (login === 'unknown')
    throw new ControlError(404, 'No login waits with this code.', 'A code is good for 5 minutes, and once.');
  return login as Login;
}

/** The page that a login is confirmed on, where there is no console. */
export function confirmationPage({ app, gateway }: Routes): void {
  const html = {
    ...OPEN,
    tags: ['identity'],
    summary: 'The page that a login is confirmed on in a browser',
    params: z.object({ code: z.string() }),
    response: { 200: textOf('A page for people.', 'text/html') },
  };
  app.get('/login/:code', { schema: html }, (request, reply) => {
    const code = /^[\w-]{1,12}$/.test(request.params.code) ? request.params.code : '';
    const { console } = gateway.approvals;
    if (console !== undefined) return reply.redirect(`${console}/login/${code}`);
    const nonce = randomBytes(16).toString('base64');
    return reply
      .type('text/html; charset=utf-8')
      .header(
        'content-security-policy',
        `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'`,
      )
      .header('cache-control', 'no-store')
      .send(page(code, nonce));
  });
}

/** The page behind the address that a client is shown. Whoever confirms says who they are by a token of their own. */
const page = (code: string, nonce: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Confirm a login</title>
<style nonce="${nonce}">
body { max-width: 30rem; margin: 4rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color-scheme: light dark; }
label { display: block; font-weight: 600; }
input { display: block; box-sizing: border-box; width: 100%; padding: .5rem; font: inherit; }
button { padding: .5rem 1.5rem; font: inherit; }
output { display: block; margin-top: 1rem; }
</style>
<h1>Confirm a login</h1>
<p>Somebody logs in by SSH and shows the code below. Confirm it only if that is you: they will be you.</p>
<form>
<p><label>Code <input name="code" value="${code}" autocomplete="off" required></label>
<p><label>Your token <input name="token" type="password" autocomplete="off" required></label>
<p><button>Show whose login it is</button> <output></output>
</form>
<script nonce="${nonce}">
const form = document.querySelector('form');
const [button, output] = [form.querySelector('button'), form.querySelector('output')];
let seen;
form.addEventListener('input', () => {
  seen = undefined;
  button.textContent = 'Show whose login it is';
});
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { code, token } = Object.fromEntries(new FormData(form));
  const headers = { 'content-type': 'application/json', authorization: 'Bearer ' + token };
  const confirms = seen === code;
  const answer = confirms
    ? await fetch('/v1/logins/confirm', { method: 'POST', headers, body: JSON.stringify({ code }) })
    : await fetch('/v1/logins/waiting/' + encodeURIComponent(code), { headers });
  const said = await answer.json();
  if (!answer.ok) return void (output.textContent = said.message);
  if (confirms) return void (output.textContent = 'Confirmed: the login goes on.');
  seen = code;
  button.textContent = 'Confirm: that is me';
  output.textContent = 'From ' + said.address + ', with ' + JSON.stringify(said.client) + ', to ' +
    JSON.stringify(said.connection) + (said.account === '' ? '' : ' as ' + JSON.stringify(said.account)) + '.';
});
</script>
</html>
`;
