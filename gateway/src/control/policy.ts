import type { Explanation } from '@sluice/cli';
import { mayUse } from '@sluice/identity';
import { z } from 'zod';
import { explainFacts, explainShell } from '../explain.js';
import { ControlError, type Routes } from './server.js';

const Wish = z.strictObject({
  sql: z.string(),
  /** The text is a command line for this shell, and no SQL. */
  shell: z.enum(['sh', 'bash', 'opaque']).optional(),
  connection: z.string(),
  principal: z.string().optional(),
  major: z.number().int().min(15).max(18).default(18),
});

/** What the rules in force would say. Nothing is sent to a target. */
export function policyRoutes({ app, gateway, caller }: Routes): void {
  app.post('/v1/policy/explain', async (request): Promise<Explanation> => {
    const { principal } = caller(request);
    const wish = Wish.safeParse(request.body);
    if (!wish.success) throw new ControlError(400, z.prettifyError(wish.error));
    const found = gateway.explainer(wish.data.connection);
    // What the rules say to others, or of what one may not use, is for those who look after them.
    const own = wish.data.principal === undefined || wish.data.principal === principal.name;
    const overseer = principal.roles.includes('admin') || principal.roles.includes('auditor');
    if (!overseer && !own)
      throw new ControlError(403, `"${principal.name}" may not ask what others may do: it is for admin and auditor.`);
    if (!found || !(overseer || mayUse(principal, found.connection.access)))
      throw new ControlError(404, `There is no connection "${wish.data.connection}".`);
    const subject =
      own || wish.data.principal === undefined ? principal : gateway.identity.principal(wish.data.principal);
    if (!subject) throw new ControlError(404, `There is no principal "${wish.data.principal}".`);
    const context = {
      principal: subject,
      connection: { name: found.connection.name, protocol: found.connection.protocol },
    };
    const { shell, sql, major } = wish.data;
    if (shell) return explainShell(shell, found.policy, sql, context);
    const dialect = { name: 'postgres', major } as const;
    const facts = await gateway.grammars.analyze({ type: 'sql', id: 0, phase: 'run', text: sql, dialect });
    return explainFacts(found.policy, facts, sql, context);
  });
}
