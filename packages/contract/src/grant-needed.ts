/** A target wants to know people, and whoever asks is not known there yet. Owns: that this is a no with words. Does not: get grants. */
import type { Deny } from './deny.js';
import { CredentialError } from './http.js';
import type { DenyReason } from './reasons.js';
import { denyInWords } from './words.js';

/** Whoever asks has to give the gateway leave first, to act at the target in their name. */
export class GrantNeeded extends CredentialError {
  override readonly name = 'GrantNeeded';
  readonly deny: Deny;

  constructor(reason: Extract<DenyReason, { readonly code: 'grant-needed' }>) {
    const { message, hint } = denyInWords(reason, 'command');
    super(hint === undefined ? message : `${message} ${hint}`);
    this.deny = { type: 'deny', rule: 'gateway', message, ...(hint !== undefined && { hint }), reason };
  }
}
