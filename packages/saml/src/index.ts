/** Logins by SAML 2.0: what the gateway asks an identity provider, and what it believes of the answer. */
export { SamlError } from './error.js';
export { type SamlAnswer, ServiceProvider, type SamlSettings } from './provider.js';
export { MAX_ANSWER_BYTES } from './answer-text.js';
