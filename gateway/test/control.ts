import type { Stand } from './stand.js';

/** The control API as somebody sees it. */
export interface Caller {
  get<T = unknown>(path: string): Promise<T>;
  post<T = unknown>(path: string, body?: object): Promise<T>;
  delete<T = unknown>(path: string): Promise<T>;
  /** The status of a request that is not to succeed. */
  status(method: string, path: string, body?: object): Promise<number>;
}

export function caller({ gateway }: Stand, token: string): Caller {
  const send = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(new URL(path, gateway.url), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  const json = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await send(method, path, body);
    const answer: T = JSON.parse(await response.text());
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  return {
    get: (path) => json('GET', path),
    post: (path, body = {}) => json('POST', path, body),
    delete: (path) => json('DELETE', path),
    status: async (method, path, body) => (await send(method, path, body)).status,
  };
}
