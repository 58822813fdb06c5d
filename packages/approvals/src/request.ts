/**
 * What a request for approval is, and when words suffice. Owns: who may release what, and which two descriptions may be of one
 * person. Pure.
 */
import type { Escalation, Principal, Release } from '@sluice/contract';

/** What one rule demands before a command passes. */
export interface Requirement {
  readonly rule: string;
  /** `group:name`, `user:name`, `agent:name`. */
  readonly approvers: readonly string[];
  /** How many different ones. */
  readonly count: number;
  /** Each of them has to show a security key for this request. */
  readonly stepUp?: 'webauthn';
  /** Who are asked as well after a while; absent: nobody, or they are by now. */
  readonly escalate?: Escalation;
  /** Who may pass what they asked themselves at once; absent: nobody. */
  readonly breakGlass?: readonly string[];
}

/** What a rule demands, as it is written. */
export const requirementOf = (
  rule: string,
  { approvers, count, stepUp, escalate, breakGlass }: Release,
): Requirement => ({
  rule,
  approvers,
  count,
  ...(stepUp && { stepUp }),
  ...(escalate && { escalate }),
  ...(breakGlass && { breakGlass }),
});

/** `1 of group:dba and 2 of group:owners`. */
export const approversOf = (requirements: readonly Requirement[]): string =>
  requirements.map(({ count, approvers }) => `${count} of ${approvers.join(', ')}`).join(' and ');

/** Somebody who approved, and with which security key. */
export interface Approver extends Principal {
  readonly key?: string | undefined;
}

/** What a command would do to one table, as far as it is known beforehand. */
export interface TableImpact {
  readonly verb: string;
  readonly table: string;
  /** Rows that it would change, by the planner's estimate. */
  readonly rows?: number;
  /** Rows that the table has, by its statistics, and what it takes on disk. */
  readonly totalRows?: number;
  readonly bytes?: number;
  /** Tables that change along with it, or views and tables that stand on what is dropped. */
  readonly cascades: readonly string[];
  readonly triggers: readonly string[];
}

export interface Impact {
  readonly tables: readonly TableImpact[];
  /** Why there is no estimate of rows: a phrase. */
  readonly unknown?: string;
  /** Of a COMMIT: what it locks until then, strongest first, and who waits for that, each as a phrase. */
  readonly locks?: readonly string[];
  readonly waiting?: readonly string[];
  /** What it did when it was tried, where a rule asks for that. */
  readonly preview?: Preview;
}

/** What a statement changed in a transaction that was rolled back; or why it was not tried: a phrase. */
export type Preview =
  | { readonly unknown: string }
  | {
      readonly rows: number;
      /** Empty: no sample. */
      readonly columns: readonly string[];
      /** Some of the rows, with masks; null is NULL. `before` is missing of rows that are new, or whose table has no key. */
      readonly sample: readonly {
        readonly before?: readonly (string | null)[];
        readonly after?: readonly (string | null)[];
      }[];
    };

/** Who asks, besides their name, and what they showed. */
export interface Source {
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  /** The id of the token that the session was opened with, and who made it or confirmed the login. */
  readonly token?: string | undefined;
  readonly makers?: readonly PersonDescription[];
}

/** A command that wants to be released. Everything here is bound to the approval; times are milliseconds since 1970. */
export interface ReleaseQuestion {
  /** What is to be released: absent: one command. 'session': whatever the principal opens on the connection for `window`. */
  readonly kind?: 'session';
  /** Milliseconds from the approval on. */
  readonly window?: number;
  readonly session: string;
  readonly command: number;
  /** The name of who asks, and what else is known of them. */
  readonly principal: string;
  readonly source?: Source;
  readonly connection: string;
  /** As approvers see it, without secrets. */
  readonly text: string;
  readonly parameters: readonly string[];
  /** Keyed hash of the exact command and all that decides what it means. */
  readonly digest: string;
  readonly requirements: readonly Requirement[];
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly onTimeout: 'deny' | 'allow';
  /** The client waits on the wire. Else it was refused, and the identical command passes once after an approval. */
  readonly waits: boolean;
  /** It waits within a transaction, which may hold locks. */
  readonly transaction: boolean;
  /** It is about an answer: whoever asked has not seen what the text says. */
  readonly answer?: true;
  readonly impact?: Impact;
}

/** What an approver showed. */
export interface ApproverProof {
  /** The id of a token; absent: it was said inside the gateway's own process. */
  readonly token?: string;
  /** The id of a security key that was shown for this decision about this request. */
  readonly key?: string;
  /** Names of who made that, see `opened` in the journal. */
  readonly makers?: readonly string[];
  /** As an identity provider described them. */
  readonly claimed?: Omit<Principal, 'roles'> | undefined;
}

/** What one approver said, and when; or who asked it and let it pass: 'break-glass'. */
export interface Word extends ApproverProof {
  readonly by: string;
  readonly at: number;
  readonly decision: 'approve' | 'deny' | 'break-glass';
  readonly reason: string;
  /** The approver as they were then; absent in requests of before this was kept, whose words count no more. */
  readonly who?: Principal;
  /** An approval that was taken back counts no more from then on. */
  readonly takenBack?: number;
}

/** Of what somebody let pass that they had asked themselves: it is open until somebody else closes it with a word. */
export type Review =
  | { readonly state: 'open' }
  | ({ readonly state: 'closed'; readonly by: string; readonly at: number; readonly reason: string } & Pick<
      ApproverProof,
      'token' | 'makers'
    >);

/** 'expired' passes only where the rule says `on_timeout: allow`, and only for a client that waits. */
export type Outcome = 'approved' | 'denied' | 'withdrawn' | 'expired';

/** What may be compared with what people have approved before. Commands with the same `shape` differ in details. */
export interface Comparison {
  readonly shape: string;
  /** How it differs from what was shown as `before`, in lines. */
  differences(before: string): readonly string[];
}

/** How a command differs from the last one of its shape that was approved. */
export interface Since {
  readonly request: number;
  readonly lines: readonly string[];
}

export interface ApprovalRequest extends ReleaseQuestion {
  readonly shape?: string;
  readonly since?: Since;
  readonly number: number;
  readonly created: number;
  readonly expires: number;
  readonly state: 'pending' | Outcome;
  readonly words: readonly Word[];
  readonly closed?: number;
  /** When further people were asked. */
  readonly escalated?: number;
  /** It passed by break-glass: 'approved', by nobody but who asked. */
  readonly review?: Review;
  /** Why it was withdrawn. */
  readonly why?: string;
  /** When the command that it released was let through. */
  readonly used?: number;
  /** How long the text is, in bytes, and how many values there are: in a request in brief, `text` and `parameters` are a start. */
  readonly textBytes?: number;
  readonly values?: number;
}

/** A request in brief: what lists show, what is kept in memory and what webhooks send. `Storage.find` has the whole of it. */
export interface Whole {
  readonly text: string;
  readonly parameters: readonly string[];
}

/** Of the text and of the values each, what a request in brief has. Characters. */
const MAX_BRIEF_CHARACTERS = 2048;

/** The start of a text and of its values, and how much there is of both. */
export function inBrief({
  text,
  parameters,
}: Whole): Pick<ApprovalRequest, 'text' | 'parameters' | 'textBytes' | 'values'> {
  const shown: string[] = [];
  let room = MAX_BRIEF_CHARACTERS;
  for (const value of parameters) {
    room -= value.length;
    if (room < 0) break;
    shown.push(value);
  }
  return {
    text: text.slice(0, MAX_BRIEF_CHARACTERS).replace(/[\ud800-\udbff]$/, ''),
    parameters: shown,
    textBytes: Buffer.byteLength(text),
    values: parameters.length,
  };
}

/** When the next of those are asked who are asked later; undefined: nobody is. Milliseconds since 1970. */
export function escalates({
  created,
  requirements,
}: Pick<ApprovalRequest, 'created' | 'requirements'>): number | undefined {
  const after = requirements.flatMap(({ escalate }) => escalate?.afterMs ?? []);
  return after.length === 0 ? undefined : created + Math.min(...after);
}

/** With those among its approvers whose time has come. */
export const escalated = (request: ApprovalRequest, now: number): ApprovalRequest => ({
  ...request,
  escalated: now,
  requirements: request.requirements.map((one): Requirement => {
    const { escalate, ...rest } = one;
    if (!escalate || request.created + escalate.afterMs > now) return one;
    return { ...rest, approvers: [...new Set([...one.approvers, ...escalate.to])] };
  }),
});

/** A description of somebody. */
type PersonDescription = Pick<Principal, 'name' | 'issuer' | 'subject'>;

/**
 * Whether two descriptions may be of one person: the same subject of an issuer, whatever they are called, or the same name in
 * any case. Where it is not known for sure that two are different, only one of them counts.
 */
export const mayBeSame = (one: PersonDescription, other: PersonDescription): boolean =>
  (one.subject !== undefined && one.subject === other.subject && one.issuer === other.issuer) ||
  one.name.toLowerCase() === other.name.toLowerCase();

/** Whether the text of a request is what somebody may not see by it: an answer to what they asked, which others have to read first. */
export const isKeptFrom = (who: PersonDescription, asked: ReleaseQuestion): boolean =>
  asked.answer === true && mayHaveAsked(who, asked);

export const mayHaveAsked = (who: PersonDescription, asked: ReleaseQuestion): boolean => mayBeSame(askerOf(asked), who);

/**
 * What a statement did when it was tried is for those who decide: whoever asks could read a table by it, by how many rows there were, or by what it
 * failed with, and nobody would have released anything.
 */
export function withoutPreview<Asked extends Pick<ReleaseQuestion, 'impact'>>(asked: Asked): Asked {
  if (!asked.impact?.preview) return asked;
  const { preview: _, ...impact } = asked.impact;
  return { ...asked, impact };
}

/** The same without the rows themselves, for programs that tell people of requests. */
export const withoutSample = <Asked extends Pick<ReleaseQuestion, 'impact'>>(asked: Asked): Asked =>
  asked.impact?.preview && 'rows' in asked.impact.preview
    ? { ...asked, impact: { ...asked.impact, preview: { ...asked.impact.preview, columns: [], sample: [] } } }
    : asked;

/** Who asked. */
export const askerOf = ({ principal, source }: ReleaseQuestion): PersonDescription => ({
  name: principal,
  issuer: source?.issuer,
  subject: source?.subject,
});

/** Whether a list of `group:`, `user:` and `agent:` names a principal. Groups are of people: an agent approves only where it is named itself. */
export function names(approvers: readonly string[], principal: Principal): boolean {
  return approvers.some((entry) => {
    const colon = entry.indexOf(':');
    const kind = entry.slice(0, colon);
    const name = entry.slice(colon + 1);
    if (principal.kind === 'agent') return kind === 'agent' && principal.name === name;
    return kind === 'group' ? principal.groups.includes(name) : kind === 'user' && principal.name === name;
  });
}

/** Whether somebody decides with a security key only: a rule that names them asks for one. */
export const needsKey = ({ requirements }: Pick<ReleaseQuestion, 'requirements'>, who: Principal): boolean =>
  requirements.some(({ approvers, stepUp }) => stepUp !== undefined && names(approvers, who));

/** Named by a rule, and not the one who asked. */
export const mayRelease = (asked: ReleaseQuestion, who: Principal): boolean =>
  !mayBeSame(askerOf(asked), who) && asked.requirements.some(({ approvers }) => names(approvers, who));

/** Whether those who approved are enough for every rule. `passed`: who asked, if they let it pass and may do so. */
export function satisfied(asked: ReleaseQuestion, approved: readonly Approver[], passed?: Approver): boolean {
  const asker = askerOf(asked);
  const others = approved.filter(
    (one, at) => !mayBeSame(asker, one) && !approved.slice(0, at).some((before) => mayBeSame(before, one)),
  );
  return asked.requirements.every(({ approvers, count, stepUp, breakGlass = [] }) => {
    const counts = (list: readonly string[], one: Approver): boolean =>
      names(list, one) && (stepUp === undefined || one.key !== undefined);
    if (passed?.kind === 'person' && counts(breakGlass, passed)) return true;
    return others.filter((one) => counts(approvers, one)).length >= count;
  });
}
