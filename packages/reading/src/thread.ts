/** The thread that reads the record. Owns: its questions and answers. Does not: write, but for the index. */
import { parentPort, workerData } from 'node:worker_threads';
import { SessionIndex } from '@sluice/store';
import { catchUp } from './catch-up.js';
import { findExpired } from './expired.js';
import type {
  ThreadAnswer,
  FromThread,
  Question,
  SessionQuestion,
  ReadingStart,
  Replay,
  Replays,
  ToThread,
} from './messages.js';
import { SessionReader, ReadingError } from './reader.js';
import { search } from './search.js';
import { damagesOf } from './session-records.js';

/**
 * The thread that reads the record, so that the one that carries people's bytes never does: it has the index of sessions, and
 * answers what the control API is asked about sessions. The only file of the gateway's own that opens segments.
 */
const start = workerData as ReadingStart;
const index = new SessionIndex(start.index);
const readers = new Map<number, SessionReader>();
const send = (message: FromThread): void => parentPort?.postMessage(message);

/** Resolves when the index has all that was on record at the start. What is asked before waits for it. */
const ready = catchUp(index, start);

/** What makes the answers of a session readable. That a package cannot be loaded any more keeps nobody from the rest. */
async function replayed({ session }: SessionQuestion): Promise<Replay | undefined> {
  try {
    const { replayOf } = (await import(start.replays)) as Replays;
    return await replayOf(session.protocol, start.packages);
  } catch {
    return undefined;
  }
}

async function answerTo(question: Question): Promise<ThreadAnswer> {
  switch (question.type) {
    case 'list':
      return { sessions: index.list(question.filter), expired: [] };
    case 'find': {
      const found = index.find(question.id);
      return { sessions: found ? [found] : [], expired: [] };
    }
    case 'damages':
      return { sessions: [], expired: [], damages: await damagesOf(start, question) };
    case 'search':
      return { sessions: [], expired: [], search: await search(index, start, question.sought) };
    case 'expired':
      return { sessions: [], expired: await findExpired(index, start, question.keep) };
    default:
      question satisfies never;
      throw new Error('there is no such question');
  }
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
        send({ type: 'answer', id: message.id, answer: await answerTo(message.question) });
      } catch (error) {
        failed(message.id, error);
      }
      break;
    case 'read': {
      const { id, request } = message;
      const reader = new SessionReader(start, request, replayed(request), (bytes) =>
        send({ type: 'chunk', id, bytes }),
      );
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
      readers.get(message.id)?.live(message.records);
      break;
    case 'forget':
      await ready;
      index.forgetBefore(message.before);
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
