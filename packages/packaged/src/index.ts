/** Protocols in packages of somebody else: found, checked, and loaded. */
export { PackageError, describePackage, inspectPackage } from './inspect.js';
export { type LoadedPackage, loadPackages } from './load.js';
