// node docker/pin.mjs [FILE...]: pins the base images of Dockerfile and compose.yaml to what their tags are now, by digest.
// Owns: asking registries for digests, and writing them behind the tags. Does not: choose tags, or keep a digest by itself:
// run it again to follow a tag. Without a registry in reach it changes nothing and ends with status 1.
//
// OCI Distribution Specification 1.1, "Pulling manifests" and "Endpoints"; tokens as of the Docker registry (RFC 6750 challenges).
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES = ['Dockerfile', 'compose.yaml'].map((name) => join(import.meta.dirname, name));
const MAX_WAIT_MS = 15_000;
const DOCKER_HUB = 'registry-1.docker.io';
/** An index names the images of all platforms: its digest is good on each of them. */
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Where an image's name stands in a Dockerfile or in a compose file: what is before it, and the name. */
const MENTION = /^(FROM\s+|\s*(?:-\s+)?image:\s*)(["']?)([^\s"'@]+)(?:@sha256:[0-9a-f]{64})?(?=["'\s]|$)/gim;

class PinError extends Error {}

/**
 * Where an image is: `postgres:18` is `library/postgres` with the tag `18` at Docker Hub.
 *
 * @throws PinError when the name has no tag: "latest" is not a version that anybody chose
 */
function parseImage(name) {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const elsewhere = /[.:]/.test(first) || first === 'localhost';
  const rest = elsewhere ? name.slice(slash + 1) : name;
  const [, path = '', tag] = /^([^:]+)(?::([\w][\w.-]{0,127}))?$/.exec(rest) ?? [];
  if (tag === undefined) throw new PinError(`${name} has no tag: write the version that you mean.`);
  if (elsewhere) return { host: first, path, tag };
  return { host: DOCKER_HUB, path: path.includes('/') ? path : `library/${path}`, tag };
}

/** The digest that a tag has now, as `sha256:...`. */
async function digestOf(name) {
  const { host, path, tag } = parseImage(name);
  const scheme = /^(localhost|127\.\d+\.\d+\.\d+)(:|$)/.test(host) ? 'http' : 'https';
  const url = `${scheme}://${host}/v2/${path}/manifests/${tag}`;
  let answer = await ask(url);
  if (answer.status === 401) answer = await ask(url, await anonymousToken(answer, url, path));
  const digest = answer.headers.get('docker-content-digest') ?? '';
  if (answer.status !== 200) throw new PinError(`${host} answered ${answer.status} for ${name}.`);
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new PinError(`${host} told no digest for ${name}.`);
  return digest;
}

async function ask(url, token) {
  const headers = { accept: MANIFESTS, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  return reach(url, { method: 'HEAD', headers });
}

/** A token for nobody in particular, from where the registry's challenge says. */
async function anonymousToken(answer, url, path) {
  const challenge = answer.headers.get('www-authenticate') ?? '';
  const fields = Object.fromEntries(
    Array.from(challenge.matchAll(/(\w+)="([^"]*)"/g), ([, key, value]) => [key, value]),
  );
  if (!/^Bearer /i.test(challenge) || !URL.canParse(fields.realm)) throw new PinError(`${url} asks for a login.`);
  const realm = new URL(fields.realm);
  if (realm.protocol !== new URL(url).protocol) throw new PinError(`${url} sends to ${realm.origin} for a token.`);
  if (fields.service) realm.searchParams.set('service', fields.service);
  realm.searchParams.set('scope', `repository:${path}:pull`);
  const reply = await reach(realm.href, {});
  const { token, access_token: accessToken } = await reply.json().catch(() => ({}));
  if (typeof (token ?? accessToken) !== 'string') throw new PinError(`${realm.origin} gave no token.`);
  return token ?? accessToken;
}

async function reach(url, options) {
  try {
    return await fetch(url, { ...options, signal: AbortSignal.timeout(MAX_WAIT_MS) });
  } catch (error) {
    throw new PinError(`${new URL(url).host} cannot be reached: ${error.cause?.message ?? error.message}.`);
  }
}

/** Pins every image in the files, or none: a half of a change would say that all are pinned. */
async function pin(files) {
  const texts = files.map((file) => ({ file, text: readFileSync(file, 'utf8') }));
  const names = new Set(texts.flatMap(({ text }) => Array.from(text.matchAll(MENTION), ([, , , name]) => name)));
  if (names.size === 0) throw new PinError(`No image is named in ${files.join(', ')}.`);
  const digests = new Map();
  for (const name of names) digests.set(name, await digestOf(name));
  for (const { file, text } of texts) {
    const pinned = text.replaceAll(
      MENTION,
      (_, before, quote, name) => `${before}${quote}${name}@${digests.get(name)}`,
    );
    if (pinned === text) continue;
    writeFileSync(`${file}.new`, pinned);
    renameSync(`${file}.new`, file);
  }
  for (const [name, digest] of digests) process.stdout.write(`${name}@${digest}\n`);
}

try {
  const files = process.argv.slice(2);
  await pin(files.length > 0 ? files : FILES);
} catch (error) {
  if (!(error instanceof PinError)) throw error;
  process.stderr.write(`${error.message} Nothing was changed.\n`);
  process.exitCode = 1;
}
