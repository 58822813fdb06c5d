/**
 * Paths of requests, as rules see them. Owns: what a path is once it is decoded, why one is refused, and templates such as
 * `/users/{id}`. Does not: routes, or what a path means at the target.
 */

/** A path that is read: its segments, decoded once, and those that were sent. */
export interface ReadPath {
  /** The segments joined again; a slash that was encoded within one stands as it was sent. */
  readonly path: string;
  readonly segments: readonly string[];
  /** A sentence, when different programs would take it for different paths. */
  readonly fault?: string;
}

export type PathMode = 'strict' | 'raw';

/**
 * Decodes a path. In 'strict' whatever servers disagree about is a fault: encoded slashes, backslashes, empty and dot segments, what is
 * encoded twice. In 'raw' these are left to the target. Octets that are no UTF-8, and control characters, are a fault in both.
 */
export function readPath(sent: string, mode: PathMode = 'strict'): ReadPath {
  // Nothing in it is encoded, and no segment is empty or of dots.
  if (PLAIN.test(sent)) return { path: sent, segments: sent.slice(1).split('/') };
  const parts = sent.replace(/^\//, '').split('/');
  const decoded = parts.map(decodeSegment);
  const segments = decoded.map((one, at) => one ?? (parts[at] as string));
  const path = `/${segments.map((one) => one.replaceAll('/', '%2F')).join('/')}`;
  const fault = faultOf(sent, decoded, parts, mode);
  return { path, segments, ...(fault !== undefined && { fault }) };
}

function faultOf(
  sent: string,
  decoded: readonly (string | undefined)[],
  parts: readonly string[],
  mode: PathMode,
): string | undefined {
  if (!sent.startsWith('/')) return 'The path of this request does not begin with a slash.';
  if (decoded.includes(undefined)) return 'The path of this request is no well-formed UTF-8 text.';
  // Control characters end a path early for programs that are written in C, and break a line in logs.
  if (decoded.some((one) => CONTROL.test(one as string))) return 'The path of this request has control characters.';
  if (mode === 'raw') return undefined;
  const inner = parts.slice(0, -1);
  if (inner.includes('')) return 'The path of this request has an empty segment (//), which servers read differently.';
  const again = (decoded as readonly string[]).find(
    (one) => one.includes('/') || one.includes('\\') || TWICE.test(one),
  );
  if (again !== undefined)
    return 'The path of this request has an encoded slash, a backslash, or something that is encoded twice.';
  if ((decoded as readonly string[]).some(isDots))
    return 'The path of this request has a segment of dots, which servers take as a way up.';
  return undefined;
}

/** Dots, also with parameters behind them (`..;x`), which some servers cut off. */
const isDots = (segment: string): boolean => /^\.{1,2}(?:;|$)/.test(segment);
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;
/** As most paths are. Each segment has one way to be read: this is asked of everybody, and has to be linear in the length. */
const PLAIN = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)+\/?$|^\/$/;
/** What a second decoding would make something else of. */
const TWICE = /%[0-9a-f]{2}/i;

/** Undefined: it is no UTF-8, or a percent sign stands alone. */
function decodeSegment(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/**
 * The same path as a server has it that decodes slashes, takes backslashes for them and resolves dots; undefined: there are none of these.
 */
export function cleanedSegments(segments: readonly string[]): readonly string[] | undefined {
  const parts = segments.flatMap((one) => one.split(/[/\\]|%2f|%5c/i));
  const cleaned: string[] = [];
  for (const part of parts) {
    const bare = (part.split(';', 1)[0] ?? '').replaceAll(/%2e/gi, '.');
    if (bare === '..') cleaned.pop();
    else if (bare !== '' && bare !== '.') cleaned.push(part);
  }
  const same = cleaned.length === segments.length && cleaned.every((one, at) => one === segments[at]);
  return same ? undefined : cleaned;
}

/** A template, taken apart once. */
export interface Template {
  readonly source: string;
  readonly segments: readonly TemplateSegment[];
}

type TemplateSegment =
  | { readonly type: 'text'; readonly text: string }
  /** One segment that is not empty. */
  | { readonly type: 'parameter'; readonly name: string }
  /** `**`: whatever comes, also nothing. At the end only. */
  | { readonly type: 'rest' };

/** @throws TypeError with a phrase for what is no template */
export function compileTemplate(source: string): Template {
  if (!source.startsWith('/')) throw new TypeError('a path template begins with a slash');
  const parts = source.slice(1).replace(/\/$/, '').split('/');
  const names = new Set<string>();
  const segments = parts.map((part, at): TemplateSegment => {
    if (part === '**' && at === parts.length - 1) return { type: 'rest' };
    const name = /^\{([A-Za-z_][A-Za-z0-9_.-]*)\}$/.exec(part)?.[1];
    if (name === undefined && /[{}*]/.test(part))
      throw new TypeError('a template has whole segments in braces, such as /users/{id}, and ** at its end');
    if (name === undefined) return { type: 'text', text: folded(part) };
    if (names.has(name)) throw new TypeError(`a template has {${name}} twice`);
    names.add(name);
    return { type: 'parameter', name };
  });
  return { source, segments };
}

/**
 * The parameters of a path that the template fits; undefined: it does not. Case, a slash at the end and parameters behind a semicolon make
 * no difference, because they make none for many servers.
 *
 * @param suffixes the last segment may have one (`/users/7.json`), or dots and blanks at its end, which some frameworks route as without
 */
export function fit(
  { segments: wanted }: Template,
  segments: readonly string[],
  suffixes: 'apart' | 'alike' = 'apart',
): Readonly<Record<string, string>> | undefined {
  const given = segments.at(-1) === '' ? segments.slice(0, -1) : segments;
  const open = wanted.at(-1)?.type === 'rest';
  const least = open ? wanted.length - 1 : wanted.length;
  const root = wanted.length === 1 && wanted[0]?.type === 'text' && wanted[0].text === '';
  if (root) return given.length === 0 ? {} : undefined;
  if (given.length < least || (!open && given.length > least)) return undefined;
  const found: Record<string, string> = {};
  for (const [at, one] of wanted.entries()) {
    if (one.type === 'rest') break;
    const segment = given[at] as string;
    const isLast = suffixes === 'alike' && at === given.length - 1;
    if (one.type === 'text') {
      if (
        folded(segment) !== one.text &&
        folded(bare(segment)) !== one.text &&
        !(isLast && isSuffixed(segment, one.text))
      )
        return undefined;
    } else if (segment === '') return undefined;
    else found[one.name] = isLast ? withoutSuffix(bare(segment)) : bare(segment);
  }
  return found;
}

/**
 * Whether a segment is this text with a suffix: what stands behind any dot (Spring takes all of it for one, Rails what is behind the last), and
 * dots and blanks alone, which servers on Windows cut off. `text`: folded.
 */
function isSuffixed(segment: string, text: string): boolean {
  const whole = folded(bare(segment));
  return text !== '' && whole.startsWith(text) && /^\s*(?:\.|$)/.test(whole.slice(text.length));
}

/** The value that a framework takes for a parameter: without what is behind the last dot, and without dots and blanks at the end. */
function withoutSuffix(segment: string): string {
  const whole = segment.replace(TRAIL, '');
  const at = whole.lastIndexOf('.');
  return at > 0 ? whole.slice(0, at) : whole === '' ? segment : whole;
}
const TRAIL = /(?<![. ])[. ]+$/;

/** Without parameters behind a semicolon. */
const bare = (segment: string): string => {
  const at = segment.indexOf(';');
  return at < 0 ? segment : segment.slice(0, at);
};

const folded = (text: string): string => text.toLowerCase();
