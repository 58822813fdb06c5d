/**
 * A double of the files and batches of OpenAI: it keeps what it is given, and makes the calls of a batch at once. Owns: ids, and the shapes of
 * its answers. Does not: think (double.ts).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

interface KeptFile {
  readonly id: string;
  readonly purpose: string;
  readonly filename: string;
  readonly content: Buffer;
}

const CREATED = 1_764_000_000;

export class FilesDouble {
  readonly files = new Map<string, KeptFile>();
  readonly #batches = new Map<string, object>();
  readonly #call: (path: string, asked: Readonly<Record<string, unknown>>) => object;
  #next = 1;
  /** It does what it is asked, and does not answer. */
  muted = false;

  /** `call`: what a model says to a call. */
  constructor(call: (path: string, asked: Readonly<Record<string, unknown>>) => object) {
    this.#call = call;
  }

  /** False: it asks for something else. */
  answer({ method, url = '', headers }: IncomingMessage, body: Buffer, response: ServerResponse): boolean {
    const [, kind, id, rest] = /^\/(?:[^?]*\/)?(files|batches)(?:\/([^/?]+))?(\/\w+)?(?:\?.*)?$/.exec(url) ?? [];
    if (kind === undefined) return false;
    const said =
      kind === 'files'
        ? this.#file(method === 'POST', id, rest, headers['content-type'] ?? '', body)
        : this.#batch(method === 'POST', id, body);
    if (this.muted) return true;
    if (Buffer.isBuffer(said)) {
      response.setHeader('Content-Type', 'application/octet-stream');
      response.end(said);
      return true;
    }
    response.statusCode = said ? 200 : 404;
    response.setHeader('Content-Type', 'application/json');
    const none = { error: { message: 'No such file.', type: 'invalid_request_error', param: 'id', code: null } };
    response.end(JSON.stringify(said ?? none));
    return true;
  }

  #file(
    isNew: boolean,
    id: string | undefined,
    rest: string | undefined,
    type: string,
    body: Buffer,
  ): object | undefined {
    if (isNew) return shown(this.#keep(formIn(type, body)));
    const file = this.files.get(id ?? '');
    return file && (rest === '/content' ? file.content : shown(file));
  }

  #batch(isNew: boolean, id: string | undefined, body: Buffer): object | undefined {
    if (!isNew && id === undefined) return { object: 'list', data: [...this.#batches.values()], has_more: false };
    if (!isNew) return this.#batches.get(id ?? '');
    const asked = JSON.parse(body.toString()) as { input_file_id: string; endpoint: string };
    const input = this.files.get(asked.input_file_id);
    if (!input) return undefined;
    const lines = input.content.toString().split('\n');
    const answers = lines
      .filter((line) => line.trim() !== '')
      .map((line, at) => {
        const call = JSON.parse(line) as { custom_id: string; url: string; body: Record<string, unknown> };
        const answer = { status_code: 200, request_id: `req_${at}`, body: this.#call(call.url, call.body) };
        return `${JSON.stringify({ id: `batch_req_${at}`, custom_id: call.custom_id, response: answer, error: null })}\n`;
      });
    const content = Buffer.from(answers.join(''));
    const output = this.#keep({ purpose: 'batch_output', filename: 'output.jsonl', content });
    const batch = {
      id: `batch_${this.#next++}`,
      object: 'batch',
      endpoint: asked.endpoint,
      errors: null,
      input_file_id: input.id,
      completion_window: '24h',
      status: 'completed',
      output_file_id: output.id,
      error_file_id: null,
      created_at: CREATED,
      request_counts: { total: answers.length, completed: answers.length, failed: 0 },
      metadata: null,
    };
    this.#batches.set(batch.id, batch);
    return batch;
  }

  #keep(file: Omit<KeptFile, 'id'>): KeptFile {
    const kept = { ...file, id: `file-${this.#next++}` };
    this.files.set(kept.id, kept);
    return kept;
  }
}

const shown = ({ id, purpose, filename, content }: KeptFile): object => ({
  id,
  object: 'file',
  bytes: content.length,
  created_at: CREATED,
  filename,
  purpose,
  status: 'processed',
});

/** As simple as a form of an SDK is. */
function formIn(type: string, body: Buffer): Omit<KeptFile, 'id'> {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/.exec(type);
  const text = body.toString('latin1');
  const parts = text.split(`--${boundary?.[1] ?? boundary?.[2] ?? ''}`).slice(1, -1);
  const values = new Map<string, { readonly head: string; readonly value: Buffer }>();
  for (const part of parts) {
    const at = part.indexOf('\r\n\r\n');
    const head = part.slice(0, at);
    const value = Buffer.from(part.slice(at + 4, -2), 'latin1');
    values.set(/name="([^"]*)"/.exec(head)?.[1] ?? '', { head, value });
  }
  const file = values.get('file');
  return {
    purpose: values.get('purpose')?.value.toString() ?? '',
    filename: /filename="([^"]*)"/.exec(file?.head ?? '')?.[1] ?? '',
    content: file?.value ?? Buffer.alloc(0),
  };
}
