/** Calls of language models: what a request says to one, and what comes back. Pure. */
export { type AnswerOf, answerEditors, isWritten } from './answers/editors.js';
export { CallError, ModelCall, type SeenMessage } from './call.js';
export { type Call, type Operation, PROVIDERS, type Provider, callOf, deploymentIn } from './provider.js';
export type { ModelSettings, ToolArgument } from './settings.js';
export { ModelText } from './requests/text.js';
export { WordList } from './requests/words.js';
