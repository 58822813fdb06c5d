/** Judges the commands of one session: facts, rules and masks, in this order. */
export * from './custom-command.js';
export * from './judge.js';
export * from './judged-files.js';
export * from './judgement.js';
export * from './requests.js';
