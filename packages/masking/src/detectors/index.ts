export { namesSecret } from './assignment.js';
export { type Entity, ENTITIES, type Finding } from './finding.js';
export { detect } from './scan.js';
