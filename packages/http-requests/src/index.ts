/** Requests by HTTP as rules, approvers and the record see them: paths, queries, bodies, GraphQL, OpenAPI. Pure. */
export { BodyRedactor } from './body-redactor.js';
export { Body, BodyUnread, BodyUnreadable, isForm, mediaType, readBody } from './body.js';
export { readMultipart, readQuery } from './form.js';
export { type GraphqlOperation, GraphqlError } from './graphql.js';
export { type Json, JsonError, readJson, stepsOf, textOf, valuesAt } from './json.js';
export { type ShownBody, meaningOf, redactBody, requestLine, requestText, shownBody } from './meaning.js';
export { OpenApi } from './openapi.js';
export { type PathMode, type ReadPath, type Template, compileTemplate, fit, readPath } from './path.js';
export {
  type Mark,
  isSecretHeader,
  isSecretName,
  markedWith,
  redactHead,
  redactHeaders,
  redactQuery,
} from './redact.js';
export { type ReadRequest, type WrittenRequest, requestWritten } from './written.js';
export { PLAIN_READING, type Reading, Request } from './request.js';
