/**
 * What commands of Redis do, in the words that rules have. Owns: verb, effects and keys of each. Does not: decide anything. What is
 * not listed is unknown, and refused unless a rule allows it: EVAL, CONFIG, DEBUG and all that later versions bring.
 */

/** @typedef {import('@sluice/contract').Effect} Effect */
/** @typedef {import('@sluice/contract').Resource} Resource */
/** @typedef {'none' | 'first' | 'all' | 'pairs' | 'two'} Keys which arguments are keys */

/** @type {readonly (readonly [string, readonly Effect[], Keys, Resource['access']])[]} */
const LISTED = [
  [
    'ping echo time lastsave dbsize randomkey keys scan info command|docs command|count command|info command',
    ['read'],
    'none',
    'read',
  ],
  ['client|id client|info client|list client|getname memory|usage', ['read'], 'none', 'read'],
  [
    'get strlen getrange substr type ttl pttl dump getbit bitcount bitpos lrange llen lindex lpos',
    ['read'],
    'first',
    'read',
  ],
  ['hget hmget hgetall hkeys hvals hlen hexists hstrlen hscan hrandfield', ['read'], 'first', 'read'],
  ['smembers scard sismember smismember srandmember sscan', ['read'], 'first', 'read'],
  [
    'zrange zrevrange zrangebyscore zrevrangebyscore zrangebylex zcard zscore zmscore zrank zrevrank zcount zscan',
    ['read'],
    'first',
    'read',
  ],
  ['xrange xrevrange xlen geopos geodist geohash', ['read'], 'first', 'read'],
  ['mget exists touch sdiff sinter sunion pfcount', ['read'], 'all', 'read'],
  [
    'set setnx setex psetex append incr decr incrby decrby incrbyfloat setrange setbit getset getex',
    ['read', 'write'],
    'first',
    'write',
  ],
  [
    'hset hsetnx hmset hincrby hincrbyfloat sadd zadd zincrby lpush rpush lpushx rpushx linsert lset',
    ['read', 'write'],
    'first',
    'write',
  ],
  ['expire pexpire expireat pexpireat persist xadd pfadd geoadd', ['write'], 'first', 'write'],
  ['mset msetnx', ['write'], 'pairs', 'write'],
  ['rename renamenx copy smove lmove rpoplpush', ['write', 'destroy'], 'two', 'write'],
  ['del unlink', ['destroy'], 'all', 'destroy'],
  [
    'getdel hdel srem zrem lrem ltrim spop lpop rpop zpopmin zpopmax xdel xtrim',
    ['read', 'destroy'],
    'first',
    'destroy',
  ],
  ['flushdb flushall swapdb', ['destroy'], 'none', 'destroy'],
  ['select multi exec discard watch unwatch client|setname client|setinfo hello', ['session'], 'none', 'read'],
];

const KNOWN = new Map(
  LISTED.flatMap(([names, effects, keys, access]) => names.split(' ').map((name) => [name, { effects, keys, access }])),
);

/** Commands that are told apart by their second word. */
const FAMILIES = new Set(
  'acl client cluster command config debug function latency memory module object pubsub script slowlog xgroup xinfo'.split(
    ' ',
  ),
);

/**
 * After these, answers come that nobody asked for, or none at all: they cannot be told which command they belong to.
 */
const NOT_CARRIED = new Set(
  'subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe monitor sync psync replconf reset client|reply client|tracking'.split(
    ' ',
  ),
);

/**
 * @param {readonly Buffer[]} words
 * @returns {{ verb: string, text: string, effects?: readonly Effect[], resources: Resource[], isCarried: boolean }}
 */
export function describe(words) {
  const [first = '', second = ''] = words.slice(0, 2).map((word) => word.toString('latin1').toLowerCase());
  const name = FAMILIES.has(first) && second !== '' ? `${first}|${second}` : first;
  const known = KNOWN.get(name);
  const keys = known ? keysOf(words.slice(1), known.keys) : [];
  return {
    verb: name.replace('|', ' '),
    text: words.map(shown).join(' '),
    ...(known && { effects: known.effects }),
    resources: keys.map((key) => ({ type: 'object', name: key.toString(), access: known?.access ?? 'read' })),
    isCarried: !NOT_CARRIED.has(name),
  };
}

/** @param {readonly Buffer[]} words @param {Keys} keys */
function keysOf(words, keys) {
  switch (keys) {
    case 'first':
      return words.slice(0, 1);
    case 'two':
      return words.slice(0, 2);
    case 'all':
      return words;
    case 'pairs':
      return words.filter((_, at) => at % 2 === 0);
    default:
      return [];
  }
}

/** As redis-cli would take it. @param {Buffer} word */
const shown = (word) => {
  const text = word.toString();
  if (/^[^\s"'\\\p{Cc}]+$/u.test(text) && !text.includes('\ufffd')) return text;
  return JSON.stringify(text.includes('\ufffd') ? word.toString('latin1') : text);
};
