/** Calls of language models: what a request says to one, and what comes back. Pure. */
export { type AnswerOf, answerEditors } from './answers/editors.js';
export { type CodeBlock, codeIn } from './answers/code.js';
export { type Meter, type Usage, askingForUsage } from './answers/usage.js';
export { type Writing, foundInWriting, readWriting } from './answers/writing.js';
export { CallError, ModelCall, type SeenMessage } from './call.js';
export { type AskedBatch, batchesIn, idIn } from './files/batch.js';
export { type AskingLine, type Line, linesOf, plainLine, readLine } from './files/lines.js';
export { type Upload, documentOf, isReadable } from './files/upload.js';
export { type AnswerKind, type Operation, PROVIDERS, type Provider } from './provider.js';
export { type ModelSettings, type Price, type ToolArgument, toolName } from './settings.js';
export { type KeptLine, keptLines } from './answers/kept-lines.js';
export { type ReadModel, TOKENISED, findingsOf, readModel, saysSomething, seenRequest } from './reading.js';
export { ModelText } from './requests/text.js';
export { withTexts } from './requests/texts.js';
export { WordList } from './requests/words.js';
