export { type Entity, ENTITIES, type Finding } from './finding.js';
export { detect, only } from './scan.js';
