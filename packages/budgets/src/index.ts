/** What people have used up, over sessions and restarts: values compared with masked columns, and calls of language models. */
export { Counts, type KeptCounts } from './counts.js';
export { type GuessCounter, guessCounter, personOf, targetName } from './guesses.js';
export { type Charge, ModelBudgets, type ModelUse, outputOf } from './models.js';
