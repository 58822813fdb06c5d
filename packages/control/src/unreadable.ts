/**
 * Requests that never become one: what Node cannot parse, and addresses that Fastify cannot decode. Owns: answering them in the
 * words and the shape of all other problems. Does not: requests that reach a route (server.ts).
 */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

/** Codes of Node's HTTP parser that mean something else than a request it cannot read. */
const ANSWERS: Readonly<Record<string, { readonly status: string; readonly message: string }>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', message: 'The request did not arrive in time.' },
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    message: 'The headers of the request are too long.',
  },
};
const UNREADABLE = { status: '400 Bad Request', message: 'This is no request of HTTP that can be read.' };

/** Answers bytes that are no request, and closes: where the next one would begin is not known. */
export function refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const { status, message } = ANSWERS[error.code ?? ''] ?? UNREADABLE;
  const body = JSON.stringify({ message });
  if (socket.writable) {
    const head = `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    socket.write(`HTTP/1.1 ${status}\r\n${head}connection: close\r\n\r\n${body}`);
  }
  socket.destroy();
}

/** Answers an address with a percent-encoding that is none. */
export function refuseAddress(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  void reply.code(error.statusCode ?? 400).send({ message: 'The address of the request cannot be decoded.' });
}
