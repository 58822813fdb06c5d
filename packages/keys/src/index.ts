/** Keys of SSH: their wire format, signatures, OpenSSH certificates, known hosts. Pure. */
export * from './certificate.js';
export * from './fields.js';
export * from './known-hosts.js';
export * from './public.js';
