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
    | BudgetRule;
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

/** What may be used up of language models within a calendar day of UTC: what is more is refused. */
export interface BudgetRule {
  readonly type: 'budget';
  /** Each principal, each model, or each of both has one of its own; none of them: all share it. */
  readonly per: readonly ('principal' | 'model')[];
  readonly requests?: number;
  readonly tokens?: number;
  /** In the currency of the prices of the connection. */
  readonly cost?: number;
}

/** A budget that applies. `key`: of the rule, whatever stands before it in its list. */
export interface AppliedBudget extends BudgetRule {
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

/** The command waits until people have released it; of `hold_answer` its answer does, until they have read it. */
export interface HoldRule extends Release {
  readonly type: 'hold' | 'hold_answer';
  /** What becomes of it after `timeoutMs`. */
  readonly onTimeout: 'deny' | 'allow';
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
 * way to a language model, and the value in its answer.
 */
export type MaskMode =
  | { readonly type: 'redact' | 'null' | 'hash' | 'generalise' }
  | { readonly type: 'reversible' }
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
