import type { Principal } from '@sluice/contract';

/** What one rule demands before a command passes. */
export interface Requirement {
  readonly rule: string;
  /** `group:name`, `user:name`. */
  readonly approvers: readonly string[];
  /** How many different ones. */
  readonly count: number;
}

/** What a command would do to one table, as far as it is known beforehand. */
export interface TableImpact {
  readonly verb: string;
  readonly table: string;
  /** Rows that it would change, by the planner's estimate. */
  readonly rows?: number;
  /** Rows that the table has, by its statistics, and what it takes on disk. */
  readonly of?: number;
  readonly bytes?: number;
  /** Tables that change along with it, or views and tables that stand on what is dropped. */
  readonly cascades: readonly string[];
  readonly triggers: readonly string[];
}

export interface Impact {
  readonly tables: readonly TableImpact[];
  /** Why there is no estimate of rows: a phrase. */
  readonly unknown?: string;
}

/** A command that wants to be released. Everything here is bound to the approval; times are milliseconds since 1970. */
export interface Asked {
  /** What is to be released: absent: one command. 'session': whatever the principal opens on the connection for `window`. */
  readonly kind?: 'session';
  /** Milliseconds from the approval on. */
  readonly window?: number;
  readonly session: string;
  readonly command: number;
  readonly principal: string;
  readonly connection: string;
  /** As approvers see it, without secrets. */
  readonly text: string;
  readonly parameters: readonly string[];
  /** Keyed hash of the exact command and all that decides what it means. */
  readonly digest: string;
  readonly requirements: readonly Requirement[];
  /** Milliseconds. */
  readonly within: number;
  readonly unanswered: 'deny' | 'allow';
  /** The client waits on the wire. Else it was refused, and the identical command passes once after an approval. */
  readonly waits: boolean;
  /** It waits within a transaction, which may hold locks. */
  readonly transaction: boolean;
  readonly impact?: Impact;
}

/** What one approver said, and when. */
export interface Word {
  readonly by: string;
  readonly at: number;
  readonly says: 'approve' | 'deny';
  readonly reason: string;
}

/** 'expired' passes only where the rule says `unanswered: allow`, and only for a client that waits. */
export type Outcome = 'approved' | 'denied' | 'withdrawn' | 'expired';

export interface Request extends Asked {
  readonly number: number;
  readonly created: number;
  readonly expires: number;
  readonly state: 'pending' | Outcome;
  readonly words: readonly Word[];
  readonly closed?: number;
  /** Why it was withdrawn. */
  readonly why?: string;
  /** When the command that it released was let through. */
  readonly used?: number;
}

/** Whether a list of approvers names a principal. An entry of another kind names nobody. */
export function names(approvers: readonly string[], principal: Principal): boolean {
  return approvers.some((entry) => {
    const colon = entry.indexOf(':');
    const name = entry.slice(colon + 1);
    if (entry.slice(0, colon) === 'group') return principal.groups.includes(name);
    return entry.slice(0, colon) === 'user' && principal.kind === 'person' && principal.name === name;
  });
}

/** Named by a rule, and not the one who asked. */
export const mayRelease = ({ principal, requirements }: Asked, who: Principal): boolean =>
  who.name !== principal && requirements.some(({ approvers }) => names(approvers, who));

/** Whether those who approved are enough for every rule. */
export function satisfied({ principal, requirements }: Asked, approved: readonly Principal[]): boolean {
  const others = new Map(approved.filter(({ name }) => name !== principal).map((one) => [one.name, one]));
  return requirements.every(
    ({ approvers, count }) => [...others.values()].filter((one) => names(approvers, one)).length >= count,
  );
}
