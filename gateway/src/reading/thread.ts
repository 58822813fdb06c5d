import { parentPort, workerData } from 'node:worker_threads';
import { SessionIndex } from '@sluice/store';
import { catchUp } from './catch-up.js';
import type { FromThread, Question, ReadingStart, ToThread } from './messages.js';
import { Reader, ReadingError } from './reader.js';

/**
 * The thread that reads the record, so that the one that carries people's bytes never does: it has the index of sessions, and
 * answers what the control API is asked about sessions. The only file of the gateway's own that opens segments.
 */
const start = workerData as ReadingStart;
const index = new SessionIndex(start.index);
const readers = new Map<number, Reader>();
const send = (message: FromThread): void => parentPort?.postMessage(message);

/** Resolves when the index has all that was on record at the start. What is asked before waits for it. */
const ready = catchUp(index, start);

function answer(question: Question): ReturnType<SessionIndex['list']> {
  if (question.type === 'list') return index.list(question.filter);
  const found = index.find(question.id);
  return found ? [found] : [];
}

const failed = (id: number, error: unknown): void =>
  send({
    type: 'failed',
    id,
    message: error instanceof Error ? error.message : String(error),
    ...(error instanceof ReadingError && { status: error.status }),
  });

async function handle(message: ToThread): Promise<void> {
  switch (message.type) {
    case 'changes':
      await ready;
      index.apply(message.changes, message.position);
      break;
    case 'ask':
      try {
        await ready;
        send({ type: 'answer', id: message.id, sessions: answer(message.question) });
      } catch (error) {
        failed(message.id, error);
      }
      break;
    case 'read': {
      const { id, request } = message;
      const reader = new Reader(start, request, (bytes) => send({ type: 'chunk', id, bytes }));
      readers.set(id, reader);
      try {
        const next = await reader.run();
        send({ type: 'done', id, ...(next !== undefined && { next }) });
      } catch (error) {
        failed(id, error);
      } finally {
        readers.delete(id);
      }
      break;
    }
    case 'more':
      readers.get(message.id)?.taken();
      break;
    case 'live':
      readers.get(message.id)?.live(message.header, message.payload);
      break;
    case 'cancel':
      readers.get(message.id)?.cancel();
      break;
    default:
      message satisfies never;
  }
}

// Whatever is not answered as a failure ends the thread, and the gateway starts another.
parentPort?.on('message', (message: ToThread) => void handle(message));
