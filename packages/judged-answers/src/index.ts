/** Answers by HTTP before their client has them: what rules ask about them, and who reads them first. */
export { readCode } from './code.js';
export { type AnswerOrigin, type JudgedAnswer, judgeAnswer, judgedEdits, judgesWhole } from './judge.js';
