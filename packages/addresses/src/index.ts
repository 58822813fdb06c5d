export { type Address, formatAddress, isLoopback, isSafeUrl, parseAddress } from './address.js';
export { addressGroup } from './group.js';
export { Range, RangeError, parseRange } from './range.js';
export { specialBlockOf } from './special.js';
