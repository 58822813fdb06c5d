export { analyzeShell } from './analyze.js';
