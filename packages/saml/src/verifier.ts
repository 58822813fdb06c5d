/**
 * A thread that checks signatures of answers: node-saml reads XML by XPath, which takes a second where an answer is long, and whoever comes
 * may send one. Owns: what of an answer was signed. Does not: judge what it says (provider.ts), or wait for its turn (signatures.ts).
 */
import { parentPort } from 'node:worker_threads';
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml';
import type { Checked, Element, Signed } from './signatures.js';

/** Of what a library says. Characters. */
const MAX_REASON_CHARACTERS = 200;

parentPort?.on('message', ({ id, question }: { readonly id: number; readonly question: Signed }) => {
  void check(question).then((answer) => parentPort?.postMessage({ id, answer }));
});

async function check({ xml, idp, certificates, entityId, callback, clockSkew }: Signed): Promise<Checked> {
  const saml = new SAML({
    idpCert: [...certificates],
    idpIssuer: idp,
    issuer: entityId,
    audience: entityId,
    callbackUrl: callback,
    wantAssertionsSigned: true,
    wantAuthnResponseSigned: true,
    acceptedClockSkewMs: clockSkew,
    // What it is in answer to is looked at where requests are known.
    validateInResponseTo: ValidateInResponseTo.never,
  });
  try {
    const { profile } = await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(xml).toString('base64') });
    const read = profile?.getAssertion?.() as { readonly Assertion?: unknown } | undefined;
    if (read?.Assertion === undefined) return { why: 'it has no assertion' };
    // Plain values alone come through.
    return { assertion: JSON.parse(JSON.stringify(read.Assertion)) as Element };
  } catch (error) {
    return { why: (error as Error).message.slice(0, MAX_REASON_CHARACTERS) };
  }
}
