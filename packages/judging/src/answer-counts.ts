/** Answers by HTTP of which budgets count the different values. Owns: what is compiled for the budgets that applied. Does not: look for values, or count. */
import type { AppliedBudget, HttpEdits } from '@sluice/contract';
import { countedInAnswers } from '@sluice/guardrails';
import { HttpCounts, type HttpMaskOptions } from '@sluice/http-bodies';

/** Sets of budgets that have applied together. */
const MAX_COMPILED = 100;

/** Of one visit. */
export class AnswerCounts {
  readonly #options: HttpMaskOptions;
  readonly #compiled = new Map<string, HttpCounts | undefined>();

  constructor(options: HttpMaskOptions) {
    this.#options = { ...options, marked: [] };
  }

  /** How a request and its answer pass, with what is counted. `edits`: as they pass else. */
  edits(budgets: readonly AppliedBudget[], edits: HttpEdits | undefined): HttpEdits | undefined {
    const rules = countedInAnswers(budgets);
    if (rules.length === 0) return edits;
    const key = JSON.stringify(rules);
    if (this.#compiled.size > MAX_COMPILED) this.#compiled.clear();
    if (!this.#compiled.has(key)) this.#compiled.set(key, HttpCounts.of(rules, this.#options));
    return this.#compiled.get(key)?.edits(edits) ?? edits;
  }
}
