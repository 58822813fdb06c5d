export * from './detectors/index.js';
