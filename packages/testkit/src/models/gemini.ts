/** How a double of Gemini answers: contents, streamed and whole. Owns: the shapes. */
import type { Cut, Script } from './scripts.js';

const USAGE = { promptTokenCount: 7, candidatesTokenCount: 5, totalTokenCount: 12 };

const candidate = (index: number, parts: readonly object[], isLast: boolean): object => ({
  content: { parts, role: 'model' },
  ...(isLast && { finishReason: 'STOP' }),
  index,
});

const answer = (model: string, candidates: readonly object[]): object => ({
  candidates,
  usageMetadata: USAGE,
  modelVersion: model,
  responseId: 'resp-1',
});

const callsOf = ({ calls = [] }: Script): object[] =>
  calls.map(({ tool, input }) => ({ functionCall: { name: tool, args: input } }));

export const contentsAnswer = (model: string, scripts: readonly Script[]): object =>
  answer(
    model,
    scripts.map((script, index) =>
      candidate(
        index,
        [
          ...(script.reasoning === undefined ? [] : [{ text: script.reasoning, thought: true }]),
          ...(script.text === undefined ? [] : [{ text: script.text }]),
          ...callsOf(script),
        ],
        true,
      ),
    ),
  );

/** One after the other, as the answers of a list or the data of events. */
export function contentsPieces(model: string, scripts: readonly Script[], cut: Cut): object[] {
  const lanes = scripts.map((script, index) => {
    const parts = [
      ...cut(script.reasoning ?? '').map((text) => ({ text, thought: true })),
      ...cut(script.text ?? '').map((text) => ({ text })),
      ...callsOf(script),
    ];
    return [...parts.map((part) => candidate(index, [part], false)), candidate(index, [{ text: '' }], true)];
  });
  const longest = Math.max(0, ...lanes.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) =>
    answer(
      model,
      lanes.flatMap((lane) => (lane[at] ? [lane[at]] : [])),
    ),
  );
}
