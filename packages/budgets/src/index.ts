/** What people have used up, over sessions and restarts, what that ends in, and who is frozen. */
export type { Counter } from './counter.js';
export { Counts, type KeptCounts, type NotedCounts } from './counts.js';
export { type GuessCounter, guessCounter, personOf, targetName } from './guesses.js';
export { type Charge, ModelBudgets, type ModelUse, type UsedUp, outputOf } from './models.js';
export { type FreezeScope, Freezes, type Frozen, isBeyondFreezing, isSubject } from './freezes.js';
export { type BudgetUse, ownerInWords, resetUsage, usage } from './usage.js';
export { type KeptTouches, Touched } from './touched.js';
export { Tripwires, principalOf } from './tripwires.js';
export type { Spender, Tally } from './shares.js';
export { Ledger } from './ledger.js';
export { type KeptSketches, type NotedMarks, Sketches } from './sketches.js';
export { Spending } from './spending.js';
export type { NoRoom, Spent } from './spent.js';
