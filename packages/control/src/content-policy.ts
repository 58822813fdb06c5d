/** What a page may do, as browsers are told it (Content-Security-Policy). Pure. */

/** Uses what comes from its own listener, and nothing from elsewhere. `scripts`, `styles`: what may be used besides files, as the policy names it. */
export const contentPolicy = ({
  scripts = [],
  styles = [],
}: {
  readonly scripts?: readonly string[];
  readonly styles?: readonly string[];
}): string =>
  [
    "default-src 'none'",
    ["script-src 'self'", ...scripts].join(' '),
    ["style-src 'self'", ...styles].join(' '),
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
