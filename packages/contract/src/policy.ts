/** A rule as it is written. `when` is a CEL condition over the attributes in docs/policy.md; absent: always. */
export interface Rule {
  readonly rule: string;
  readonly when?: string;
  readonly then: { readonly type: 'deny'; readonly message: string } | { readonly type: 'allow' };
  /** 'observe' records what the rule would have done and does not do it. */
  readonly mode: 'enforce' | 'observe';
  /** Where it stands, for error messages: `policies.production[2]`. */
  readonly path: string;
}

/** A rule that matched a command, as the record names it. */
export interface RuleMatch {
  readonly rule: string;
  readonly effect: 'deny' | 'allow';
  readonly observed: boolean;
}

/** Who is asking. Groups and roles are those at login. */
export interface Principal {
  readonly name: string;
  readonly kind: 'person' | 'agent';
  readonly groups: readonly string[];
  readonly roles: readonly Role[];
}

export const ROLES = ['user', 'approver', 'auditor', 'admin'] as const;
export type Role = (typeof ROLES)[number];
