/** The rules in force, and how often each matched. Owns: how a rule is put in words. Does not: count (packages/audit), judge. */
import { Rules } from '@sluice/api';
import { COMMAND_UNITS, MODEL_UNITS, type Rule, TRIPS } from '@sluice/contract';
import { z } from 'zod';
import { problems } from './answers.js';
import { ControlError, type Routes } from './routes.js';

const Query = z.object({ connection: z.string().max(1_000).optional().describe('Only those on this one.') });

export function rulesRoute({ app, gateway, scope }: Routes): void {
  const schema = {
    tags: ['policy'],
    summary: 'The rules in force, in their order, and how often each matched',
    querystring: Query,
    response: { 200: Rules, ...problems(404) },
  };
  const config = { roles: ['admin', 'auditor'], about: 'connections' } as const;
  app.get('/v1/policy/rules', { config, schema }, (request): Rules => {
    const within = scope(request);
    const { connection: wanted } = request.query;
    const { connections } = gateway.config;
    if (wanted !== undefined && !connections.has(wanted))
      throw new ControlError(404, `There is no connection "${wanted}".`);
    const counts = gateway.counters.rules;
    const rules = [...connections.values()]
      .filter(({ name }) => within(name) && (wanted ?? name) === name)
      .flatMap(({ name, rules: own }) => own.map((rule) => toRow(name, rule, counts.of(name, rule.rule))));
    return { since: iso(counts.since), rules };
  });
}

const toRow = (
  connection: string,
  { rule, when, then, mode, path }: Rule,
  count: { readonly matched: number; readonly last: number } | undefined,
): Rules['rules'][number] => ({
  connection,
  rule,
  ...(when !== undefined && { when }),
  effect: then.type,
  does: inWords(then),
  mode,
  place: path,
  matched: count?.matched ?? 0,
  ...(count && { last: iso(count.last) }),
});

function inWords(then: Rule['then']): string {
  switch (then.type) {
    case 'deny':
      return then.message;
    case 'allow':
      return 'It passes, unless another rule refuses or holds it.';
    case 'mask': {
      const { columns, detect, json = [], headers = [], spec, request } = then;
      const places = [...columns, ...detect, ...json, ...headers, ...(spec ? ['what the API document marks'] : [])];
      return `${places.join(', ')}: ${then.with.type}${request ? ', in requests as well' : ''}`;
    }
    case 'hold':
    case 'hold_answer':
    case 'hold_commit': {
      const { approvers, count, timeoutMs, onTimeout, fail, breakGlass } = then;
      const people = `${count === 1 ? 'one' : count} of ${approvers.join(', ')}`;
      const what = DONE_BY[then.type];
      const late = `after ${timeoutMs / 1_000} s it is ${onTimeout === 'allow' ? 'passed' : 'refused'}`;
      const glass = breakGlass ? `; ${breakGlass.join(', ')} may pass what they asked themselves (break-glass)` : '';
      return `It ${what} ${people}; ${late}${fail ? '; the client does not wait' : ''}${glass}`;
    }
    case 'risk':
      return `${then.points} points for "risk"`;
    case 'budget': {
      const { per, within } = then;
      const bounds = [...MODEL_UNITS, ...COMMAND_UNITS].flatMap((unit) =>
        then[unit] === undefined ? [] : [`${then[unit]} ${unit === 'time' ? 'ms' : unit.replace('_', ' ')}`],
      );
      const time = within?.type === 'sliding' ? `in ${within.lengthMs / 60_000} min` : 'a day';
      return `At most ${bounds.join(', ')} ${time}${per.length > 0 ? ` for each ${per.join(' and ')}` : ''}`;
    }
    case 'bound': {
      const { maxRows, maxBytes, timeoutMs } = then;
      const bounds = [
        ...(maxRows === undefined ? [] : [`${maxRows} rows`]),
        ...(maxBytes === undefined ? [] : [`${maxBytes} bytes`]),
        ...(timeoutMs === undefined ? [] : [`${timeoutMs} ms`]),
      ];
      return `An answer has at most ${bounds.join(', ')}, and fails there.`;
    }
    case 'tripwire': {
      const trips = TRIPS.flatMap((trip) =>
        then[trip] === undefined ? [] : [`${then[trip]} ${trip.replace('_', ' ')}`],
      );
      return `${trips.join(' or ')} in ${then.withinMs / 60_000} min freeze the ${then.freeze}.`;
    }
    default:
      return then satisfies never;
  }
}

const DONE_BY = {
  hold: 'is released by',
  hold_answer: 'has its answer read first by',
  hold_commit: 'runs in a transaction, of which COMMIT is released by',
} as const;

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();
