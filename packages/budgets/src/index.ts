/** What people have used up, over sessions and restarts: values that they have compared masked columns with. */
export { type GuessCounter, Guesses, type KeptGuesses, personOf, targetName } from './guesses.js';
