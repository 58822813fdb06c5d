/** Routes about rules: explain. Owns: who may ask about whom. Does not: how it is said (explain.ts). */
import { Explanation } from '@sluice/api';
import { MAX_QUICK_CHARACTERS } from '@sluice/analysis';
import { isPackaged, protocolNamed } from '@sluice/config';
import type { Principal } from '@sluice/contract';
import { requestWritten } from '@sluice/http-requests';
import { pinnedTool, seenMcp } from '@sluice/mcp-calls';
import { mayUse } from '@sluice/identity';
import { dialectOf } from '@sluice/sql-postgres';
import { z } from 'zod';
import { explainFacts, explainHidden, explainRequest, explainShell, explainUse } from './explain.js';
import { problems } from './answers.js';
import type { Controlled, RulesInForce } from './controlled.js';
import { ControlError, type Routes, admit } from './routes.js';

const Wish = z.strictObject({
  sql: z
    .string()
    .max(MAX_QUICK_CHARACTERS)
    .optional()
    .describe('The command, up to 65,536 characters. Nothing runs it.'),
  request: z
    .strictObject({
      method: z.string().max(20).optional().describe('Default: GET, or POST with a body.'),
      path: z.string().startsWith('/').max(MAX_QUICK_CHARACTERS).describe('With its query.'),
      host: z.string().max(255).optional(),
      headers: z.array(z.string().max(MAX_QUICK_CHARACTERS)).max(100).optional().describe('Name: value'),
      body: z.string().max(MAX_QUICK_CHARACTERS).optional(),
    })
    .optional()
    .describe('A request by HTTP, in place of a command. Nothing sends it.'),
  shell: z
    .enum(['sh', 'bash', 'opaque'])
    .optional()
    .describe(
      'The text is a command line for this, and no SQL. Of a connection by SSH the default is its own "shell".',
    ),
  connection: z.string(),
  principal: z.string().optional().describe('To whom, other than the caller: for administrators and auditors.'),
  major: z.number().int().min(15).max(18).default(18).describe('The version of PostgreSQL whose grammar it has.'),
  version: z
    .string()
    .max(64)
    .optional()
    .describe(
      'The version of the target as it tells it itself, 8.4.0 or 10.11.6-MariaDB, where that decides how texts are read.',
    ),
});

/** What the rules in force would say. No target runs the command; where columns are masked, its catalog is read. */
export function policyRoutes({ app, gateway, caller, scope }: Routes): void {
  const schema = {
    tags: ['policy'],
    summary: 'What the rules in force say of a command',
    body: Wish,
    response: { 200: Explanation, ...problems(403, 404, 409) },
  };
  const config = { about: 'connections' } as const;
  app.post('/v1/policy/explain', { config, schema }, async (request): Promise<Explanation> => {
    const { principal } = caller(request);
    const wish = request.body;
    const found = gateway.rules.of(wish.connection);
    // What the rules say to others, or of what one may not use, is for those who look after them.
    const own = wish.principal === undefined || wish.principal === principal.name;
    const overseer = principal.roles.includes('admin') || principal.roles.includes('auditor');
    if (!overseer && !own)
      throw new ControlError(403, `"${principal.name}" may not ask what others may do: it is for admin and auditor.`);
    if (!found || !(overseer || mayUse(principal, found.connection.access)))
      throw new ControlError(404, `There is no connection "${wish.connection}".`);
    admit(scope(request), found.connection.name);
    const subject = own || wish.principal === undefined ? principal : gateway.identity.principal(wish.principal);
    if (!subject) throw new ControlError(404, `There is no principal "${wish.principal}".`, NOBODY_SUCH);
    return explained(gateway, { found, principal: subject, owner: principal.name, wish });
  });
}

/** Who asks about which command, on which connection. */
export interface AskedRules {
  readonly found: NonNullable<ReturnType<RulesInForce['of']>>;
  /** To whom the rules would say it. */
  readonly principal: Principal;
  /** Whose the work of finding out is. */
  readonly owner: string;
  readonly wish: Pick<z.output<typeof Wish>, 'sql' | 'request' | 'shell' | 'version'> & { readonly major?: number };
}

/** @throws ControlError */
export async function explained(
  gateway: Pick<Controlled, 'languages' | 'rules' | 'pins'>,
  { found, principal, owner, wish }: AskedRules,
): Promise<Explanation> {
  const context = {
    principal,
    connection: { name: found.connection.name, protocol: found.connection.protocol },
  };
  if (isPackaged(found.connection.protocol)) {
    const hint = 'Rules see what that says of each command: action.verb, action.effects, action.resources.';
    throw new ControlError(
      409,
      `Commands of "${found.connection.name}" are read by the package ${found.connection.protocol} alone.`,
      hint,
    );
  }
  const { shell, sql, request: written, major = 18, version } = wish;
  const { http } = found.connection;
  if ((sql === undefined) === (written === undefined)) throw new ControlError(400, NOTHING_ASKED);
  if ((written !== undefined) !== (http !== undefined)) {
    const what = http ? 'a connection by HTTP' : 'no connection by HTTP';
    const hint = 'Ask with --path about requests by HTTP, and with a text about anything else.';
    throw new ControlError(409, `"${found.connection.name}" is ${what}.`, hint);
  }
  if (written && http?.mcp) {
    const { languages } = gateway;
    const read = requestWritten({ ...written, method: 'POST' }, http.reading);
    const server = found.connection.name;
    const toolNamed = (name: string): ReturnType<typeof pinnedTool> => pinnedTool(gateway.pins.find(server, name));
    const seen = await seenMcp(read, { settings: http.mcp, languages }, server, owner, toolNamed);
    const { facts, text, ...rest } = seen;
    return explainFacts(found.policy, facts, text, { ...context, command: { type: 'request' }, ...rest });
  }
  if (written && http) return explainRequest(requestWritten(written, http.reading), found.policy, context, http.models);
  if (sql === undefined) throw new ControlError(400, NOTHING_ASKED);
  // Packages and HTTP have had their answer: what is left and has no rows reads command lines.
  const isShell = protocolNamed(found.connection.protocol).traits.answers === 'text';
  const lines = shell ?? (isShell ? found.connection.shell : undefined);
  if (lines) return explainShell(lines, found.policy, sql, context);
  const spoken = gateway.languages.get(found.connection.protocol);
  const read = spoken?.dialectOf ? spoken.dialectOf(version) : dialectOf(major);
  if (!read) throw new ControlError(400, `"${version}" is no version of a server.`, 'Write it like 10.11.6-MariaDB.');
  // As for a client that names no database.
  const dialect = 'database' in read ? { ...read, database: found.connection.target.database } : read;
  const command = { type: 'sql', id: 0, phase: 'run', text: sql, dialect } as const;
  const { protocol } = found.connection;
  if (gateway.languages.has(protocol) && protocol !== dialect.name)
    throw new ControlError(409, `Statements of ${protocolNamed(protocol).title} cannot be explained yet.`);
  const language = gateway.languages.get(dialect.name);
  if (!language) throw new ControlError(404, 'This gateway reads no SQL.');
  const facts = await language.analyze(command, { owner, urgency: 'explain' });
  const { policy, connection } = found;
  // Without the target the decision says what could not be asked.
  const told = await gateway.rules.askedOfTarget(policy, connection, command, facts, context).catch(() => context);
  const explanation = explainFacts(policy, facts, sql, told);
  const { answers } = protocolNamed(connection.protocol).traits;
  if (explanation.decision === 'deny' || answers !== 'rows' || !policy.masks) return explanation;
  const plan = await gateway.rules.hiddenAhead(policy, connection, command, facts, told).catch(() => undefined);
  const judged = explainUse(explanation, plan, policy, facts, sql, told);
  return explainHidden(judged, plan, connection.notFollowed);
}

const NOBODY_SUCH =
  'Principals are listed under "principals" in the configuration; people of an issuer ask for themselves, with their login.';
const NOTHING_ASKED = 'Ask about a text ("sql") or about a request ("request").';
