/** Answers by HTTP that rules judge before their client has any of them. Types only. */

/** What is asked of the gate about an answer. */
export interface AnswerQuestion {
  /** What it is, in brief: status, type and length. */
  readonly text: string;
  /** Of all its bytes behind every content coding, in hexadecimal digits: people release this answer and no other one. */
  readonly sha256: string;
  /** What the gate knows of the request and of the answer; nobody else reads it. */
  readonly about: unknown;
}

/** An answer as a command of its own: whoever has asked may have it, or not. `Allow.http` says how it passes. */
export interface AnswerCommand extends AnswerQuestion {
  readonly type: 'answer';
  readonly id: number;
  /** The command that it answers. */
  readonly origin: number;
}

/** Of an answer that is judged before it passes. */
export interface AnswerJudging {
  /** Whether its body decides. Then all of it is collected first, at most `maxBytes` of it; else it is asked about by its head. */
  readonly reads: 'head' | 'body';
  readonly maxBytes: number;
  /**
   * @param body all of it, behind every content coding; empty where only the head decides
   * @throws Unmasked when nobody can read what decides
   */
  question(body: Buffer): AnswerQuestion;
}
