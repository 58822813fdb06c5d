/** Requests by HTTP as rules, approvers and the record see them: paths, queries, bodies, GraphQL, OpenAPI. Pure. */
export { BodyRedactor } from './body-redactor.js';
export { Body, BodyUnread, BodyUnreadable, type GrpcReader, isGrpc, mediaType } from './body.js';
export { comparisonOf } from './differences.js';
export { foldedName } from './fold.js';
export { OTHER_CHARSET, type Pair, readQuery, saysCharset } from './form.js';
export { type GraphqlOperation, type GraphqlShape } from './graphql.js';
export { type Json, JsonError, jsonOf, membersNamed, readJson, stepsOf, textOf, valuesAt } from './json.js';
export { type ShownBody, meaningOf, meaningful, redactBody, requestLine, requestText, shownBody } from './meaning.js';
export { OpenApi } from './openapi.js';
export { formsOf, hidesSecret } from './own-secret.js';
export { type PathMode, type ReadPath, type Template, compileTemplate } from './path.js';
export { pointerSteps } from './places.js';
export {
  type Mark,
  markedWith,
  redactHead,
  redactHeaders,
  redactQuery,
} from './redact.js';
export { type RequestRead, type WrittenRequest, requestWritten } from './written.js';
export { PLAIN_READING, type RequestReading, Request } from './request.js';
