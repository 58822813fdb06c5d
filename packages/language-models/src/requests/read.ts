/**
 * What a request says to a model, by provider and operation. Owns: where in its body texts, roles, tools and images are. Does not: judge
 * them. Whatever is not known by name is read as a text as well: nobody gets past a rule by a member that we have not heard of.
 */
import { type Json, membersNamed } from '@sluice/http-requests';
import type { Operation } from '../provider.js';

/** One message, or what else is said beside them: `tools`, and `other` for all members that are neither. */
export interface Message {
  readonly role: string;
  /** What a model reads, part by part. */
  readonly parts: readonly string[];
  /** Every text and every name in it, also those of the format itself. */
  readonly all: readonly string[];
}

export interface Said {
  readonly model: string;
  readonly stream: boolean;
  readonly messages: readonly Message[];
  readonly tools: readonly string[];
  readonly images: number;
  /** Documents, sound and film. */
  readonly files: number;
  /** The provider adds what it has kept of earlier ones. */
  readonly continues: boolean;
  /** Tokens that each choice of the answer may have at most; undefined: the call does not say. */
  readonly mostOutput: number | undefined;
  /** How many choices are made, also of those of which one is given. */
  readonly choices: number;
  /** It is answered before there is an answer, which the provider makes by itself. */
  readonly background: boolean;
  /** How many numbers of tokens stand where texts would: nobody here reads them. */
  readonly numbers: number;
}

/** It is no such request. The message is a phrase of which the request is the subject. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

type Members = ReadonlyMap<string, Json>;

/** Where each kind of request has its messages, and what else counts as one. */
const SPEAKERS: Readonly<Record<Operation, Readonly<Record<string, string>>>> = {
  chat: { messages: '' },
  completions: { prompt: 'user', suffix: 'user' },
  responses: { instructions: 'system', input: 'user', prompt: 'user' },
  embeddings: { input: 'user', content: 'user', requests: 'user' },
  messages: { system: 'system', messages: '' },
  contents: { systeminstruction: 'system', system_instruction: 'system', contents: 'user' },
  count: { instructions: 'system', input: 'user', system: 'system', messages: '', contents: 'user' },
};
const TOOLS: ReadonlySet<string> = new Set(['tools', 'functions', 'mcp_servers', 'tool_choice', 'function_call']);
/** They carry no text of their own. */
const SETTINGS: ReadonlySet<string> = new Set(['model', 'stream']);
/** Members that frame parts: no model reads them, and a phrase goes on behind them. */
const FRAMING: ReadonlySet<string> = new Set(
  'type role id call_id tool_call_id tool_use_id item_id status detail media_type cache_control signature encrypted_content format mimetype mime_type thoughtsignature thought_signature'.split(
    ' ',
  ),
);
/** All of it frames. */
const SETTING = 'cache_control';
/** Below these is what a program has named itself: arguments of a call, schemas, a grammar. A model reads all of it. */
const OWN_WORDS: ReadonlySet<string> = new Set(
  'input arguments args response parameters input_schema schema definition metadata'.split(' '),
);
/** What schemas say of every value, which tells nobody anything. */
const SCHEMA_TYPES: ReadonlySet<string> = new Set('object string number integer boolean array null'.split(' '));
/** What the types of parts begin with. */
const IMAGES = /^(?:input_|output_)?image(?:_url|_file)?$/;
const FILES = /^(?:input_)?(?:audio|file|video|document|container_upload)$/;
/** Bytes of an image or a file, where a provider takes them: in a `data:` address, or beside the word `base64` or a format. */
const ADDRESSES: ReadonlySet<string> = new Set(['url', 'image_url', 'file_data', 'data']);
const DATA_ADDRESS = /^data:[\w.+-]{1,64}\/[\w.+-]{1,64}(?:;[\w-]{1,32}=[\w.-]{1,32}){0,4};base64,[A-Za-z0-9+/=]*$/;
const BASE64 = /^[A-Za-z0-9+/=]*$/;

/** @throws CallError */
export function readCall(operation: Operation, body: Json): Said {
  if (body.type !== 'object') throw new CallError('has a body that is no object');
  const { members } = body;
  const speakers = SPEAKERS[operation];
  const found = new Collected();
  // In the order in which a model is given them, and what stands beside them last.
  for (const [name, role] of Object.entries(speakers)) {
    const value = only(members, name);
    if (value) found.speaker(value, role, operation);
  }
  for (const [name, value] of members) {
    const plain = fold(name);
    if (Object.hasOwn(speakers, plain) || SETTINGS.has(plain)) continue;
    found.message(TOOLS.has(plain) ? 'tools' : 'other', value, name);
  }
  const settings = operation === 'contents' ? settingsIn(members) : members;
  return {
    model: textAt(members, 'model'),
    stream: isTrue(members, 'stream'),
    messages: found.messages,
    tools: toolsOf(members),
    images: found.images,
    files: found.files,
    continues:
      found.refers ||
      // A stored one: that of completions is a text.
      only(members, 'prompt')?.type === 'object' ||
      CONTINUING.some((name) => isGiven(only(members, name))),
    mostOutput: largest(settings, LIMITS),
    choices: (largest(settings, CHOICES) ?? 1) * (operation === 'completions' ? promptsOf(only(members, 'prompt')) : 1),
    background: operation === 'responses' && isTrue(members, 'background'),
    numbers: found.numbers,
  };
}

const LIMITS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'maxOutputTokens'];

const CHOICES = ['n', 'best_of', 'candidateCount', 'candidate_count'];

/** Gemini has them in an object of their own. */
function settingsIn(members: Members): Members {
  const [first, second] = ['generationConfig', 'generation_config'].flatMap((name) => only(members, name) ?? []);
  if (second) throw new CallError('has its settings twice');
  return first?.type === 'object' ? first.members : new Map();
}
/** No provider takes a larger number. */
const MAX_NUMBER = 1_000_000_000;

function largest(members: Members, names: readonly string[]): number | undefined {
  const numbers = names.flatMap((name) => positive(only(members, name)) ?? []);
  return numbers.length === 0 ? undefined : Math.max(...numbers);
}

/** However it is written: servers take `1e6` and `"1000"` too. What is no such number the provider refuses. */
function positive(value: Json | undefined): number | undefined {
  if (value?.type !== 'plain' && value?.type !== 'string') return undefined;
  const number = Number(value.text);
  return number > 0 ? Math.min(Math.ceil(number), MAX_NUMBER) : undefined;
}

/** A list has several, except one of tokens; each of them is answered. */
const promptsOf = (prompt: Json | undefined): number =>
  prompt?.type === 'array' && prompt.items.some(({ type }) => type !== 'plain') ? prompt.items.length : 1;

const CONTINUING = ['previous_response_id', 'conversation', 'container', 'cachedContent', 'cached_content'];

const fold = (name: string): string => name.toUpperCase().toLowerCase();

/** @throws CallError where servers may take one or the other */
function only(members: Members, name: string): Json | undefined {
  const [first, second] = membersNamed(members, name);
  if (second) throw new CallError(`has "${name}" twice`);
  return first;
}

const isGiven = (value: Json | undefined): boolean =>
  value?.type === 'object' || (value?.type === 'string' && value.text !== '');

function textAt(members: Members, name: string): string {
  const value = only(members, name);
  if (!value || isNull(value)) return '';
  if (value.type !== 'string') throw new CallError(`has a "${name}" that is no text`);
  return value.text;
}

const isNull = (value: Json): boolean => value.type === 'plain' && value.text === 'null';

function isTrue(members: Members, name: string): boolean {
  const value = only(members, name);
  if (!value || isNull(value)) return false;
  if (value.type !== 'plain' || (value.text !== 'true' && value.text !== 'false'))
    throw new CallError(`has a "${name}" that is neither true nor false`);
  return value.text === 'true';
}

/** Texts of a request as they are met. */
class Collected {
  readonly messages: Message[] = [];
  images = 0;
  files = 0;
  numbers = 0;
  /** An item stands for one that the provider has kept. */
  refers = false;

  /** `role`: of those that name none; empty: these are messages, each of which has to. */
  speaker(value: Json, role: string, operation: Operation): void {
    if (isNull(value)) return;
    if (value.type !== 'array') {
      if (role === '') throw new CallError('has messages that are no list');
      return this.message(role, value);
    }
    const numbers = value.items.reduce((sum, item) => sum + tokensIn(item), 0);
    if (numbers > 0 && operation !== 'embeddings' && operation !== 'completions')
      throw new CallError('has numbers where texts belong');
    this.numbers += numbers;
    for (const item of value.items) {
      this.refers ||= isReference(item);
      const own = item.type === 'object' ? textAt(item.members, 'role') : '';
      if (role === '' && own === '') throw new CallError('has a message without a role');
      this.message(own === '' ? roleOf(item, role) : fold(own), item);
    }
  }

  message(role: string, value: Json, name?: string): void {
    const parts: string[] = [];
    const all: string[] = name === undefined ? [] : [name];
    this.#walk(value, parts, all, name === undefined ? 'format' : placeBelow('format', name));
    if (all.length > 0) this.messages.push({ role, parts, all });
  }

  #walk(value: Json, parts: string[], all: string[], place: Place): void {
    switch (value.type) {
      case 'string':
        all.push(value.text);
        if (place !== 'frame') parts.push(value.text);
        return;
      case 'array':
        for (const item of value.items) this.#walk(item, parts, all, place);
        return;
      case 'object':
        this.#count(value.members);
        for (const [name, member] of value.members) {
          all.push(name);
          if (place === 'own') parts.push(name);
          const frames = place === 'own' ? isSchemaType(name, member) : isFrame(value.members, name, member);
          this.#walk(member, parts, all, frames ? 'frame' : placeBelow(place, name));
        }
        return;
      default:
        // A number of a card may be one of JSON.
        if (value.text.length > MIN_DIGITS) all.push(value.text);
    }
  }

  #count(members: Members): void {
    const media = ['mimeType', 'mime_type'].flatMap((name) => membersNamed(members, name))[0];
    // Of Gemini, which finds out by itself what it is.
    const address = ['fileUri', 'file_uri'].flatMap((name) => membersNamed(members, name))[0];
    if (address && media?.type !== 'string') this.files++;
    if (media?.type === 'string') {
      if (media.text.toLowerCase().startsWith('image/')) this.images++;
      else this.files++;
    }
    const type = membersNamed(members, 'type')[0];
    if (type?.type !== 'string') return;
    if (IMAGES.test(type.text)) this.images++;
    else if (FILES.test(type.text)) this.files++;
  }
}

const MIN_DIGITS = 8;

/** Where a text stands: in what the provider has given names, in what frames that, or in what has names of its own. */
type Place = 'format' | 'frame' | 'own';

const placeBelow = (place: Place, name: string): Place =>
  place === 'format' && OWN_WORDS.has(fold(name)) ? 'own' : place;

/** Whatever has members is not of the frame because of its name alone: a schema stands in `format`. */
const isFrame = (members: Members, name: string, value: Json): boolean =>
  value.type === 'string'
    ? FRAMING.has(fold(name)) || isBytes(members, name, value.text)
    : fold(name) === SETTING && value.type === 'object';

const isSchemaType = (name: string, value: Json): boolean =>
  name === 'type' && value.type === 'string' && SCHEMA_TYPES.has(value.text);

/** Some servers take a list with other things in it for one of tokens as well, and a number in quotes for one. */
const tokensIn = (item: Json): number => {
  if (item.type === 'plain') return isNumber(item.text) ? 1 : 0;
  return item.type === 'array' ? item.items.length : 0;
};

const isNumber = (text: string): boolean => /^[-\d]/.test(text);

/** Of the responses API, where such an item need not say its type. */
const isReference = (item: Json): boolean => {
  if (item.type !== 'object') return false;
  const type = membersNamed(item.members, 'type')[0];
  if (type?.type === 'string') return type.text === 'item_reference';
  return !['role', 'content', 'parts'].some((name) => membersNamed(item.members, name).length > 0);
};

/** A `data:` address, `source: { type: base64, data }` of Anthropic, `input_audio: { format, data }` of OpenAI. */
function isBytes(members: Members, name: string, text: string): boolean {
  if (ADDRESSES.has(name) && DATA_ADDRESS.test(text)) return true;
  if (name !== 'data' || !BASE64.test(text)) return false;
  const type = members.get('type');
  return (
    (type?.type === 'string' && type.text === 'base64') ||
    ['format', 'mimeType', 'mime_type'].some((one) => members.get(one)?.type === 'string')
  );
}

/** Items of the responses API that name no role: what the model has said and done before, and what came of it. */
function roleOf(item: Json, otherwise: string): string {
  const type = item.type === 'object' ? membersNamed(item.members, 'type')[0] : undefined;
  if (type?.type !== 'string') return otherwise;
  if (type.text.endsWith('_output')) return 'tool';
  return /_call$|^reasoning$/.test(type.text) ? 'assistant' : otherwise;
}

/** Names of tools that are declared, all that a server may take; of those that run at the provider their type. */
function toolsOf(members: Members): readonly string[] {
  const lists = [
    ...['tools', 'functions', 'mcp_servers'].flatMap((name) => only(members, name) ?? []),
    ...loadedBy(only(members, 'input')),
  ];
  const names = lists.flatMap((list) => itemsOf(list).flatMap(toolNames));
  return only(members, 'web_search_options') ? [...names, 'web_search'] : names;
}

/** Items of the responses API that declare tools as well; a list of those that a server of MCP has is a report, and declares none. */
const loadedBy = (input: Json | undefined): readonly Json[] =>
  (input ? itemsOf(input) : []).flatMap((item) => {
    if (item.type !== 'object') return [];
    const [type] = membersNamed(item.members, 'type');
    return type?.type === 'string' && type.text === 'mcp_list_tools' ? [] : membersNamed(item.members, 'tools');
  });

/** Some servers take one of something for a list of it. */
const itemsOf = (list: Json): readonly Json[] => (list.type === 'array' ? list.items : [list]);

/** Of Gemini: functions in a list, and tools of the provider's own by their names, several of which may stand in one object. */
const FUNCTIONS = ['functionDeclarations', 'function_declarations'];

/** A server of MCP that the provider calls has whatever label the caller gives it: where it is, is a name as well. */
const NAMED_BY = ['name', 'function/name', 'custom/name', 'server_label', 'server_url', 'url', 'connector_id'].map(
  (place) => place.split('/'),
);

/** Types of tools that an agent has, which say nothing but that. */
const OF_AGENTS: ReadonlySet<string> = new Set(['', 'function', 'custom', 'mcp', 'url', 'namespace']);
/** Anthropic's have a date behind them, and one has another name than its type. */
const DATE = /_\d{8}$/;
const EDITOR = /^text_editor_\d{8}$/;
const EDITORS: ReadonlySet<string> = new Set(['str_replace_editor', 'str_replace_based_edit_tool']);

/** Whoever declares it may give a tool of the provider's own any name: its type is one as well, where that says something else. */
function typesOf(type: string, names: readonly string[]): readonly string[] {
  // A server of MCP that is told by its label alone is somewhere that nothing here says.
  if (type === 'mcp') return names.length === 1 ? [type] : [];
  if (OF_AGENTS.has(type)) return [];
  const isNamed = names.some((name) => name === type || name === type.replace(DATE, ''));
  return isNamed || (EDITOR.test(type) && names.some((name) => EDITORS.has(name))) ? [] : [type];
}

function toolNames(tool: Json): readonly string[] {
  const lists = tool.type === 'object' ? FUNCTIONS.flatMap((name) => membersNamed(tool.members, name)) : [];
  if (lists.length > 0 && tool.type === 'object') {
    const others = [...tool.members.keys()].filter((name) => !FUNCTIONS.some((one) => fold(one) === fold(name)));
    return [...lists.flatMap((list) => itemsOf(list).flatMap(toolNames)), ...others.flatMap(spellings)];
  }
  const found = NAMED_BY.flatMap((path) =>
    path.reduce<readonly Json[]>(
      (at, step) => at.flatMap((one) => (one.type === 'object' ? membersNamed(one.members, step) : [])),
      [tool],
    ),
  );
  const names = found.flatMap((one) => (one.type === 'string' ? [one.text] : []));
  if (tool.type !== 'object') return names;
  const types = membersNamed(tool.members, 'type').flatMap((type) => (type.type === 'string' ? [type.text] : []));
  const within = membersNamed(tool.members, 'tools').flatMap((list) => itemsOf(list).flatMap(toolNames));
  if (names.length > 0) return [...new Set([...names, ...types.flatMap((type) => typesOf(type, names)), ...within])];
  if (types.length > 0) return [...types, ...within];
  return tool.members.size === 0 ? [''] : [...tool.members.keys()].flatMap(spellings);
}

/** A member as it is written, and in both spellings that servers of Google take for one (`codeExecution`, `code_execution`). */
const spellings = (name: string): readonly string[] => [
  ...new Set([
    name,
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  ]),
];
