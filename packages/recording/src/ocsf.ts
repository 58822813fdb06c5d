import type { Entry, SessionSummary } from './replay.js';

/**
 * Sessions as events of the Open Cybersecurity Schema Framework, class 6005 "Datastore Activity" (OCSF 1.3): one event a
 * command, with the outcome where it is known. Fields that OCSF has no word for are under `unmapped`.
 */
const CLASS = 6005;
const CATEGORY = 6;

/** activity_id of class 6005. */
const ACTIVITY: Readonly<Record<string, number>> = {
  select: 1,
  update: 2,
  connect: 3,
  query: 4,
  write: 5,
  create: 6,
  delete: 7,
};

export function* toOcsf(session: SessionSummary, entries: readonly Entry[]): Generator<string> {
  const responses = new Map(
    entries.flatMap((entry) => (entry.type === 'response' ? [[entry.command, entry] as const] : [])),
  );
  for (const entry of entries) {
    if (entry.type !== 'command') continue;
    const response = responses.get(entry.id);
    const failed = entry.decision === 'deny' || response?.outcome === 'error';
    const activity = ACTIVITY[verbOf(entry.actions)] ?? 4;
    yield JSON.stringify({
      class_uid: CLASS,
      class_name: 'Datastore Activity',
      category_uid: CATEGORY,
      activity_id: activity,
      type_uid: CLASS * 100 + activity,
      severity_id: entry.decision === 'deny' ? 3 : 1,
      time: entry.t,
      action_id: entry.decision === 'deny' ? 2 : 1,
      status_id: failed ? 2 : 1,
      status_detail: entry.message ?? response?.summary,
      actor: { user: { name: session.principal }, session: { uid: session.id, created_time: session.started } },
      src_endpoint: endpoint(session.client),
      database: { name: session.connection, type_id: 1 },
      query_info: { query_string: entry.text, uid: `${session.id}/${entry.id}` },
      ...(response && { query_result_id: response.outcome === 'error' ? 2 : 1, records_affected: response.rows }),
      metadata: { version: '1.3.0', product: { name: 'Sluice', vendor_name: 'Sluice' }, log_name: 'journal' },
      unmapped: {
        phase: entry.phase,
        parameters: entry.parameters,
        rule: entry.rule,
        matched: entry.matched,
        actions: entry.actions,
      },
    });
  }
}

const verbOf = (actions: readonly unknown[]): string =>
  (actions[0] as { verb?: string } | undefined)?.verb?.split(' ')[0] ?? '';

function endpoint(address: string): { ip: string; port?: number } {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  return at > 0 && Number.isInteger(port)
    ? { ip: address.slice(0, at).replaceAll(/[[\]]/g, ''), port }
    : { ip: address };
}
