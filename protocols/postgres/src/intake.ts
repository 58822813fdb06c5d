/**
 * What becomes of the client's next message: it is judged, dropped, taken for COPY data, or waits for a reply of the target. Owns
 * that state; both directions tell it what has happened. Does not own what is in a message, nor the queue of owed replies.
 */

type State =
  | { readonly type: 'judging' }
  /**
   * The target passes over everything up to the client's next Sync. `copies`: COPY FROM STDIN statements that it was given before
   * that, and that the client has nothing for any more.
   */
  | { readonly type: 'skipping'; readonly copies: number }
  /** COPY FROM STDIN was let through; whether the target reads data next is for its reply to say. `copies` in this query. */
  | { readonly type: 'copy-due'; readonly copies: number }
  /** It reads data. `copies`: further ones in the same query. */
  | { readonly type: 'copying'; readonly copies: number };

const JUDGING: State = { type: 'judging' };

export class Intake {
  #state: State = JUDGING;

  /** What becomes of the next message. */
  get next(): 'judge' | 'drop' | 'copy' | 'wait' {
    switch (this.#state.type) {
      case 'judging':
        return 'judge';
      case 'skipping':
        return this.#state.copies > 0 ? 'wait' : 'drop';
      case 'copying':
        return 'copy';
      default:
        return 'wait';
    }
  }

  get skipping(): boolean {
    return this.#state.type === 'skipping';
  }

  /** The client's Sync was passed on. */
  synced(): void {
    this.#state = JUDGING;
  }

  /** A message of the extended query was refused: the target fails there, and skips the rest (55.2.3). */
  refused(): void {
    this.#state = { type: 'skipping', copies: 0 };
  }

  /** A text with so many COPY FROM STDIN was let through. */
  copyExpected(copies: number): void {
    if (copies > 0) this.#state = { type: 'copy-due', copies };
  }

  /**
   * CopyInResponse. 'fail': the client was told meanwhile that its query has failed and will send no data, so the target has to
   * be told. 'unexpected': no statement asked for it.
   */
  copyBegins(): 'data' | 'fail' | 'unexpected' {
    const state = this.#state;
    if (state.type === 'skipping' && state.copies > 0) return 'fail';
    if (state.type !== 'copy-due') return 'unexpected';
    this.#state = { type: 'copying', copies: state.copies - 1 };
    return 'data';
  }

  /** The client's CopyDone or CopyFail. */
  copySent(): void {
    const { type } = this.#state;
    const copies = type === 'copying' ? this.#state.copies : 0;
    this.#state = copies > 0 ? { type: 'copy-due', copies } : JUDGING;
  }

  /** The target has failed in an extended query. `synced`: the client's Sync was passed on already, and what came behind it stands. */
  failed(synced: boolean): void {
    if (!synced) this.#state = { type: 'skipping', copies: 0 };
  }

  /** The client was told that its extended query has failed, and the target goes on with what it was given. */
  stopped(synced: boolean): void {
    if (synced) return;
    this.#state = { type: 'skipping', copies: this.#state.type === 'copy-due' ? this.#state.copies : 0 };
  }

  /** The target reads ordinary messages again, as after a failed simple query and at ReadyForQuery. */
  copyOver(): void {
    if (this.#state.type === 'copying' || this.#state.type === 'copy-due') this.#state = JUDGING;
  }
}
