/** What clients of HTTP are told: the address in place of that of the service. Does not: make tokens. Pure. */
import { type ClientSnippets, TOKEN, placeOf } from './client.js';

export const http: ClientSnippets = {
  protocol: 'http',
  of: (endpoint) => {
    const base = `${endpoint.tls ? 'https' : 'http'}://${placeOf(endpoint)}/${encodeURIComponent(endpoint.connection)}`;
    return [
      {
        client: 'curl',
        about: 'With a certificate of the gateway\'s own, --cacert names the file "gateway.crt" of its data folder.',
        text: `curl -H "Authorization: Bearer ${TOKEN}" ${base}/`,
      },
      {
        client: 'Address',
        about: 'In place of the address of the service; the token in place of its key.',
        text: base,
      },
    ];
  },
};
