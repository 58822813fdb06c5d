/** Calls of tools that a language model proposes: what they would do, and which rules they are judged by. */
export { type JudgedCall, editorsFor, givenToAgent, judgeCall } from './judge.js';
