/** Calls of tools that a language model proposes: what they would do, and which rules they are judged by. */
export { type OwnAction, factsOfCall, factsOfText, seenTool } from './facts.js';
export { type JudgedCall, editorsFor, givenOn, judgeCall } from './judge.js';
