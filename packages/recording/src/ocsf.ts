/** Sessions as events of OCSF. Pure. */
import type { ReplayEntries, ReplayEntry, SessionSummary } from './replay.js';

/**
 * Sessions as events of the Open Cybersecurity Schema Framework, class 6005 "Datastore Activity" (OCSF 1.3): one event a
 * command, with the outcome where it is known; and one of class 0 where something of the record is missing or changed. Whether it was let through is in `action_id` and `disposition_id` of the
 * profile security_control. Fields that OCSF has no word for are under `unmapped`; answers are not exported.
 */
const CLASS = 6005;
const CATEGORY = 6;

/** activity_id of class 6005: 2 Update, 4 Query, 5 Write, 6 Create, 7 Delete, 99 Other. */
const ACTIVITY: Readonly<Record<string, number>> = {
  select: 4,
  fetch: 4,
  show: 4,
  update: 2,
  merge: 2,
  insert: 5,
  copy: 5,
  create: 6,
  delete: 7,
  truncate: 7,
  drop: 7,
};
const OTHER = 99;

/** severity_id: 1 Informational, 3 Medium. status_id, action_id and disposition_id: 1 is good, 2 is not. */
const CALM = 1;
const MEDIUM = 3;
const GOOD = 1;
const BAD = 2;

const METADATA = { version: '1.3.0', product: { name: 'Sluice', vendor_name: 'Sluice' }, log_name: 'journal' } as const;

type ResponseSummary = Omit<Extract<ReplayEntry, { type: 'response' }>, 'data'>;

/** A line of JSON for each command of a session, in the order in which they were asked, and for each gap. Goes through the entries twice. */
export async function* toOcsf(session: SessionSummary, entries: ReplayEntries): AsyncGenerator<string> {
  const responses = new Map<number, ResponseSummary>();
  for await (const entry of entries) {
    if (entry.type !== 'response') continue;
    // Of long sessions all answers together may be more than there is memory.
    const { data: _, ...response } = entry;
    responses.set(entry.command, response);
  }
  for await (const entry of entries) {
    if (entry.type === 'gap') yield gapOf(session, entry);
    if (entry.type !== 'command') continue;
    const response = entry.decision === 'deny' ? undefined : responses.get(entry.id);
    // A held command that nobody released has no answer.
    const denied = entry.decision === 'deny' || (entry.decision === 'hold' && !response);
    const failed = denied || response?.outcome === 'error' || response?.outcome === 'lost';
    const activity = ACTIVITY[verbOf(entry.actions)] ?? OTHER;
    yield JSON.stringify({
      class_uid: CLASS,
      class_name: 'Datastore Activity',
      category_uid: CATEGORY,
      activity_id: activity,
      ...(activity === OTHER && { activity_name: verbOf(entry.actions) || 'unknown' }),
      type_uid: CLASS * 100 + activity,
      severity_id: denied ? MEDIUM : CALM,
      time: entry.t,
      action_id: denied ? BAD : GOOD,
      disposition_id: denied ? BAD : GOOD,
      status_id: failed ? BAD : GOOD,
      status_detail: entry.message ?? response?.summary,
      actor: { user: { name: session.principal }, session: { uid: session.id, created_time: session.started } },
      src_endpoint: endpoint(session.client),
      type_id: 1,
      database: { name: session.connection, type_id: 1 },
      query_info: { query_string: entry.text, uid: `${session.id}/${entry.id}` },
      metadata: { profiles: ['security_control'], ...METADATA },
      unmapped: {
        protocol: session.protocol,
        phase: entry.phase,
        parameters: entry.parameters,
        rule: entry.rule,
        matched: entry.matched,
        actions: entry.actions,
        outcome: response?.outcome,
        rows: response?.rows,
        bytes: response?.bytes,
        hidden: response?.hidden,
      },
    });
  }
}

/** Commands may be missing or changed there: an event of class 0, "Base Event", which is for what no other class has. severity_id 4: High. */
const gapOf = (session: SessionSummary, { t, summary, kind }: Extract<ReplayEntry, { type: 'gap' }>): string =>
  JSON.stringify({
    class_uid: 0,
    class_name: 'Base Event',
    category_uid: 0,
    activity_id: OTHER,
    activity_name: 'gap',
    type_uid: OTHER,
    severity_id: kind === 'damaged' ? 4 : CALM,
    time: t,
    status_id: BAD,
    message: summary,
    metadata: METADATA,
    unmapped: { session: session.id, gap: kind },
  });

function verbOf([first]: readonly unknown[]): string {
  const verb = typeof first === 'object' && first !== null && 'verb' in first ? first.verb : undefined;
  return typeof verb === 'string' ? (verb.split(' ')[0] ?? '') : '';
}

function endpoint(address: string): { ip: string; port?: number } {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  return at > 0 && Number.isInteger(port)
    ? { ip: address.slice(0, at).replaceAll(/[[\]]/g, ''), port }
    : { ip: address };
}
