/**
 * Rules, masks and principals as configuration, guardrails and the record share them. Does not: decide (packages/guardrails).
 * Types only.
 */

/** A rule as it is written. `when` is a CEL condition over the attributes in docs/policy.md; absent: always. */
export interface Rule {
  readonly rule: string;
  readonly when?: string;
  readonly then:
    | { readonly type: 'deny'; readonly message: string }
    | { readonly type: 'allow' }
    | MaskRule
    | HoldRule
    | RiskRule
    | BudgetRule
    | BoundRule
    | TripwireRule;
  /** 'observe' records what the rule would have done and does not do it. */
  readonly mode: 'enforce' | 'observe';
  /** Where it stands, for error messages: `policies.production[2]`. */
  readonly path: string;
}

/** What of the answers is masked, and how. */
export interface MaskRule {
  readonly type: 'mask';
  /** `column`, `table.column` or `schema.table.column`; `*` stands for any run of characters within a part. */
  readonly columns: readonly string[];
  readonly detect: readonly Detector[];
  readonly with: MaskMode;
  /** Places in bodies by HTTP: JSON pointers, with `*` for one step and `**` for any number of them. */
  readonly json?: readonly string[];
  /** Headers of answers by HTTP, whose values are masked as a whole. */
  readonly headers?: readonly string[];
  /** Places that the OpenAPI document of a connection marks as sensitive. */
  readonly spec?: true;
  /** The bodies of requests are masked as well, before their target has them. */
  readonly request?: true;
}

/** What it matches counts for the attribute `risk`, and decides nothing by itself. */
export interface RiskRule {
  readonly type: 'risk';
  readonly points: number;
}

/**
 * What calls of language models use up, and what any command does. `time`: milliseconds at the target; `distinct`: different values that were
 * shown, as near as a sketch tells.
 */
export const MODEL_UNITS = ['requests', 'tokens', 'cost'] as const;
export const COMMAND_UNITS = ['statements', 'rows', 'bytes', 'time', 'at_once', 'logins', 'distinct'] as const;
export type ModelUnit = (typeof MODEL_UNITS)[number];
export type CommandUnit = (typeof COMMAND_UNITS)[number];
export type BudgetUnit = ModelUnit | CommandUnit;

/** The time that a budget is for: a calendar day in a zone, or so many milliseconds up to now. */
export type BudgetWindow =
  | { readonly type: 'day'; readonly zone: string }
  | { readonly type: 'sliding'; readonly lengthMs: number };

/**
 * Whose a budget is. `principal`: whoever answers for it, so that agents use up what their owner has; `agent`: each principal by itself;
 * `group`: each group that it is in.
 */
export const BUDGET_SHARES = ['principal', 'agent', 'group', 'connection', 'model'] as const;
export type BudgetShare = (typeof BUDGET_SHARES)[number];

/** What may be used up within a time: what is more is refused. An amount that is not there is not limited. */
export interface BudgetRule extends Partial<Readonly<Record<BudgetUnit, number>>> {
  readonly type: 'budget';
  /** Each of these has one of its own; none of them: all share it. */
  readonly per: readonly BudgetShare[];
  /** Absent: a day of UTC. */
  readonly within?: BudgetWindow;
  /** Of `distinct`: the values of these columns, named as masks name them, and what detectors find. */
  readonly columns?: readonly string[];
  readonly detect?: readonly Detector[];
  /** Whom to ask where nothing is left, for people. */
  readonly ask?: string;
  /** People may release a command for which nothing is left. */
  readonly hold?: HoldRule;
}

/** A budget that applies. `key`: of the rule, whatever stands before it in its list. */
export interface AppliedBudget extends BudgetRule {
  readonly rule: string;
  readonly key: string;
  /** It is counted and refuses nothing. */
  readonly observed?: true;
}

/** What one answer may have: it fails where it would have more. */
export interface BoundRule {
  readonly type: 'bound';
  readonly maxRows?: number;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
}

export interface AppliedBound extends BoundRule {
  readonly rule: string;
}

/** What a tripwire counts. `failed_logins`: of somebody who has proven who they are; `new_tables`: that the principal has never touched before. */
export const TRIPS = ['refusals', 'guesses', 'failed_logins', 'budget_ends', 'new_tables'] as const;
export type Trip = (typeof TRIPS)[number];

/** So many of these within a time freeze somebody, until a person thaws them. */
export interface TripwireRule extends Partial<Readonly<Record<Trip, number>>> {
  readonly type: 'tripwire';
  readonly withinMs: number;
  /** Of `new_tables`: so long after the first table of a principal at a connection nothing is counted, in milliseconds. */
  readonly learnMs?: number;
  readonly freeze: 'principal' | 'owner' | 'connection';
  /** Of a connection: how many different people it takes, so that none of them alone can stop the others. */
  readonly people: number;
}

export interface AppliedTripwire extends TripwireRule {
  readonly rule: string;
  readonly key: string;
}

/** Who releases something, and how. */
export interface Release {
  /** Who may: people by `group:name` or `user:name`, programs by `agent:name`. Never the one who asked. */
  readonly approvers: readonly string[];
  /** How long it may stay unanswered, in milliseconds. */
  readonly timeoutMs: number;
  /** How many of them have to. */
  readonly count: number;
  /** Refuse at once, with the number of the request, instead of waiting. */
  readonly fail: boolean;
  /** Who may as well, when there is no outcome after so long. */
  readonly escalate?: Escalation;
  /** People by `group:name` or `user:name` who may pass what they asked themselves at once, with a reason, and are reviewed; absent: nobody. */
  readonly breakGlass?: readonly string[];
  /** They show a key of theirs for this request and no other; undefined: that they are logged in is enough. */
  readonly stepUp?: 'webauthn';
}

export interface Escalation {
  readonly afterMs: number;
  readonly to: readonly string[];
}

/**
 * The command waits until people have released it; of `hold_answer` its answer does, until they have read it; of `hold_commit` it runs
 * in the transaction of its client, whose COMMIT waits.
 */
export interface HoldRule extends Release {
  readonly type: 'hold' | 'hold_answer' | 'hold_commit';
  /** What becomes of it after `timeoutMs`. */
  readonly onTimeout: 'deny' | 'allow';
  /** Of `hold`: it is tried in a transaction that is rolled back, so that people see what it would change. */
  readonly preview?: 'run';
  /** Of `hold_commit`. */
  readonly transaction?: TransactionLimits;
}

/** How long a transaction that people look at may be in the way of others, in milliseconds. */
export interface TransactionLimits {
  /** From its first change to its COMMIT. */
  readonly openMs: number;
  /** While its COMMIT waits, others may wait for its locks so long. */
  readonly lockWaitMs: number;
}

/** What detectors look for, by the names that rules use. */
export const DETECTORS = [
  'email',
  'phone',
  'credit_card',
  'iban',
  'us_ssn',
  'jwt',
  'private_key',
  'api_key',
  'connection_string',
  'secret',
] as const;
export type Detector = (typeof DETECTORS)[number];

/**
 * redact: say what was there. partial: keep the end. hash: a keyed pseudonym. generalise: the year, the magnitude. reversible: a token on the
 * way to a language model, and the value in its answer. count: the value itself, which budgets of different values are told of, by their keys;
 * `observed`: by those that refuse nothing.
 */
export type MaskMode =
  | { readonly type: 'redact' | 'null' | 'hash' | 'generalise' }
  | { readonly type: 'reversible' }
  | { readonly type: 'count'; readonly budgets: readonly string[]; readonly observed?: true }
  | { readonly type: 'partial'; readonly keepLast?: number };

/** What a command does with masked columns. */
export interface MaskedUse {
  /** How conditions look at them: `equality` with constants and parameters, `other`. */
  readonly asked: readonly string[];
  /**
   * Where their values go: `table`, `setting`, `notification`, `file`, `function`; `definition` by a change of what their
   * names stand for; `condition` on a catalog that holds values of other tables.
   */
  readonly moved: readonly string[];
  /**
   * With how many values this person has compared a masked column within a day, this command included: the most of the
   * columns that it compares. 0 where it compares none.
   */
  readonly guesses?: number;
}

/** A mask that applies, and the rule that says so. */
export interface AppliedMask extends MaskRule {
  readonly rule: string;
}

/** A hold that applies, and the rule that says so. */
export interface AppliedHold extends HoldRule {
  readonly rule: string;
}

/** A rule that matched a command, as the record names it. */
export interface RuleMatch {
  readonly rule: string;
  readonly effect: Rule['then']['type'];
  readonly observed: boolean;
}

/** Who is asking. Groups and roles are those at login. */
export interface Principal {
  readonly name: string;
  readonly kind: 'person' | 'agent';
  readonly groups: readonly string[];
  readonly roles: readonly Role[];
  /** The identity provider that speaks for them, and what it calls them: its name in the configuration, and "sub". */
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  /** Of their claims those that an access list asks for, as texts. */
  readonly claims?: Readonly<Record<string, readonly string[]>>;
}

export const ROLES = ['user', 'approver', 'auditor', 'admin'] as const;
export type Role = (typeof ROLES)[number];
