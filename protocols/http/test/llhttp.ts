/** llhttp, the parser of Node, as undici ships it: what it reads of a stream of bytes. Owns: calling it. Does not: compare. */
import { createRequire } from 'node:module';
import type { Header } from '@sluice/contract';

/** What a parser found: heads, bodies as far as they came, and ends, in order. */
export type Found =
  | { readonly type: 'head'; readonly first: readonly (string | number)[]; readonly headers: readonly Header[] }
  | { readonly type: 'body'; text: string }
  | { readonly type: 'end'; readonly trailers: readonly Header[] };

/** Adds bytes of a body to what was found. */
export function addBody(found: Found[], bytes: Buffer): void {
  const last = found.at(-1);
  if (last?.type === 'body') last.text += bytes.toString('latin1');
  else if (bytes.length > 0) found.push({ type: 'body', text: bytes.toString('latin1') });
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  malloc(size: number): number;
  llhttp_execute(parser: number, at: number, size: number): number;
  llhttp_finish(parser: number): number;
  llhttp_get_method(parser: number): number;
  llhttp_method_name(method: number): number;
  llhttp_get_http_minor(parser: number): number;
  llhttp_get_http_major(parser: number): number;
  llhttp_get_status_code(parser: number): number;
}

const REQUEST = 1;
const RESPONSE = 2;
/** Bytes of one input. */
const MAX_INPUT_BYTES = 256 * 1024;
const TRAILING_BLANKS = /[ \t]+$/;

export class Llhttp {
  readonly #exports: Exports;
  readonly #input: number;
  #parser = 0;
  #kind: 'request' | 'response' = 'request';
  #found: Found[] = [];
  #start = '';
  #fields: [string, string][] = [];
  #last: 'field' | 'value' | undefined;
  #inBody = false;

  constructor() {
    const code = createRequire(import.meta.url)('undici/lib/llhttp/llhttp-wasm.js') as Buffer;
    const env = {
      wasm_on_message_begin: () => 0,
      wasm_on_url: (_parser: number, at: number, size: number) => this.#line(at, size),
      wasm_on_status: () => 0,
      wasm_on_header_field: (_parser: number, at: number, size: number) => this.#field(at, size),
      wasm_on_header_value: (_parser: number, at: number, size: number) => this.#value(at, size),
      wasm_on_headers_complete: () => this.#head(),
      wasm_on_body: (_parser: number, at: number, size: number) => this.#body(at, size),
      wasm_on_message_complete: () => this.#end(),
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code as unknown as BufferSource), { env });
    this.#exports = instance.exports as unknown as Exports;
    const { _initialize: initialize } = this.#exports;
    initialize();
    this.#input = this.#exports.malloc(MAX_INPUT_BYTES);
  }

  /** All that it takes of these bytes. `ended`: the peer sends no more. */
  read(kind: 'request' | 'response', bytes: Buffer, ended = false): Found[] {
    const { llhttp_alloc, llhttp_execute, llhttp_finish, llhttp_free, memory } = this.#exports;
    this.#parser = llhttp_alloc(kind === 'request' ? REQUEST : RESPONSE);
    this.#kind = kind;
    this.#found = [];
    this.#reset();
    new Uint8Array(memory.buffer).set(bytes, this.#input);
    const error = llhttp_execute(this.#parser, this.#input, bytes.length);
    if (ended && error === 0) llhttp_finish(this.#parser);
    llhttp_free(this.#parser);
    return this.#found;
  }

  #reset(): void {
    this.#start = '';
    this.#fields = [];
    this.#last = undefined;
    this.#inBody = false;
  }

  #text(at: number, size: number): string {
    return Buffer.from(this.#exports.memory.buffer, at, size).toString('latin1');
  }

  #line(at: number, size: number): number {
    this.#start += this.#text(at, size);
    return 0;
  }

  #field(at: number, size: number): number {
    if (this.#last !== 'field') this.#fields.push(['', '']);
    (this.#fields.at(-1) as [string, string])[0] += this.#text(at, size);
    this.#last = 'field';
    return 0;
  }

  #value(at: number, size: number): number {
    (this.#fields.at(-1) as [string, string])[1] += this.#text(at, size);
    this.#last = 'value';
    return 0;
  }

  #head(): number {
    const minor = this.#exports.llhttp_get_http_minor(this.#parser);
    const major = this.#exports.llhttp_get_http_major(this.#parser);
    const first =
      this.#kind === 'request'
        ? [this.#method(), this.#start, major, minor]
        : [this.#exports.llhttp_get_status_code(this.#parser), major, minor];
    this.#found.push({ type: 'head', first, headers: this.#taken() });
    this.#inBody = true;
    const [status] = first;
    const silent = typeof status === 'number' && (status < 200 || status === 204 || status === 304);
    // Its caller has to know that these have no body (RFC 9112 section 6.3): 1 says so.
    return silent ? 1 : 0;
  }

  #body(at: number, size: number): number {
    addBody(this.#found, Buffer.from(this.#exports.memory.buffer, at, size));
    return 0;
  }

  #end(): number {
    if (this.#inBody) this.#found.push({ type: 'end', trailers: this.#taken() });
    this.#reset();
    return 0;
  }

  #taken(): Header[] {
    const fields = this.#fields.map(([name, value]): Header => [name, value.replace(TRAILING_BLANKS, '')]);
    this.#fields = [];
    this.#last = undefined;
    return fields;
  }

  #method(): string {
    const at = this.#exports.llhttp_method_name(this.#exports.llhttp_get_method(this.#parser));
    const bytes = new Uint8Array(this.#exports.memory.buffer, at, 32);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString('latin1');
  }
}
