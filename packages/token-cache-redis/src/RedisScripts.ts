import * as Duration from "effect/Duration"
import * as Redis from "effect/persistence/Redis"
import { removalRecordLife } from "@secure-mcp/token-cache"

/**
 * The number after all that were given: the time in microseconds, so that numbers go on rising when Redis has
 * forgotten the last one. Written with %.0f, because Lua would round it.
 */
const nextNumber = `
local function nextNumber(token)
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local given = tonumber(redis.call('HGET', token, 'given') or '0')
  return string.format('%.0f', math.max(now, given + 1))
end
`

/** How long the number of a lease without a token is remembered, in milliseconds: longer than any process is late. */
const leaseNumberLife = Duration.toMillis("1 hour")

/** The fields of a token's hash that say what is stored: the sealed record, its number, and when it was removed. */
const readFields = `
local function readFields(token)
  local record = redis.call('HGET', token, 'record')
  local written = redis.call('HGET', token, 'written')
  local removed = redis.call('HGET', token, 'removed')
  return { record or '', written or '0', removed or '' }
end
`

/**
 * Numbers of changes rise from one to the next, as the time in microseconds does, so that they go on rising when Redis has lost the
 * last one. The member `start` has the number of the beginning: a reader whose cursor is older has missed something.
 */
const noteChange = `
local function lastChange(changes)
  return tonumber(redis.call('ZRANGE', changes, -1, -1, 'WITHSCORES')[2] or '0')
end
local function add(changes, member)
  local time = redis.call('TIME')
  local number = math.max(time[1] * 1000000 + time[2], lastChange(changes) + 1)
  redis.call('ZADD', changes, string.format('%.0f', number), member)
end
local function begin(changes)
  if redis.call('EXISTS', changes) == 0 then add(changes, 'start') end
end
local function noteChange(changes, group)
  begin(changes)
  add(changes, group)
end
`

/** More changes than this are not told one by one. */
const mostChanges = 10_000

/** Reads the changes after a cursor, which is empty at first: the next cursor, and the groups, with `start` if the cursor is of no use. */
export const changesScript = Redis.script((changes: string, cursor: string) => [changes, cursor], {
  numberOfKeys: 1,
  lua: `${noteChange}
begin(KEYS[1])
local last = lastChange(KEYS[1])
local groups = {}
if ARGV[1] == '' then
elseif last < tonumber(ARGV[1]) then groups = { 'start' }
else groups = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ${mostChanges + 1}) end
if #groups > ${mostChanges} then groups = { 'start' } end
return { string.format('%.0f', last), groups }`
}).withReturnType<readonly [cursor: string, groups: ReadonlyArray<string>]>()

/** What a script says about a key: the sealed record, the number of the last write, the time of the removal. */
export type Fields = readonly [record: string, written: string, removed: string]

/** Reads what is stored for a key, in one step. */
export const readScript = Redis.script((token: string) => [token], {
  numberOfKeys: 1,
  lua: `${readFields}
return readFields(KEYS[1])`
}).withReturnType<Fields>()

/** Acquires the lease: `[number, fields]`; null while another process has it. */
export const leaseScript = Redis.script(
  (lease: string, token: string, timeToLive: number) => [lease, token, timeToLive],
  {
    numberOfKeys: 2,
    lua: `${nextNumber}${readFields}
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local number = nextNumber(KEYS[2])
redis.call('HSET', KEYS[2], 'given', number)
local fields = readFields(KEYS[2])
if fields[1] == '' and fields[3] == '' then redis.call('PEXPIRE', KEYS[2], ${leaseNumberLife}) end
redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
return { number, fields }`
  }
).withReturnType<readonly [number: string, fields: Fields] | null>()

/** Renews the lease, also one that has ended if no other was given: 1, or 0 if another was. */
export const renewScript = Redis.script(
  (lease: string, token: string, number: string, timeToLive: number) => [lease, token, number, timeToLive],
  {
    numberOfKeys: 2,
    lua: `
if redis.call('HGET', KEYS[2], 'given') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`
  }
).withReturnType<number>()

/** Releases the lease, unless another process has it. */
export const releaseScript = Redis.script((lease: string, number: string) => [lease, number], {
  numberOfKeys: 1,
  lua: `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0`
}).withReturnType<number>()

/** What a script works with that changes what is stored for a key. */
interface ChangedKeys {
  readonly token: string
  readonly index: string
  readonly changes: string
  /** Of the key (`changeGroup`). */
  readonly group: number
}

const keysOf = ({ changes, index, token }: ChangedKeys) => [token, index, changes]

/** Writes a record; gives its number, or an empty text if the lease it is written with is older than the last write. */
export const writeScript = Redis.script(
  (
    keys: ChangedKeys,
    write: {
      readonly address: string
      /** Sealed. */
      readonly record: string
      /** That of the lease; empty for a write without one. */
      readonly number: string
      /** Milliseconds; empty for ever. */
      readonly timeToLive: number | ""
    }
  ) => [...keysOf(keys), write.number, write.record, write.timeToLive, write.address, keys.group],
  {
    numberOfKeys: 3,
    lua: `${nextNumber}${noteChange}
local number = ARGV[1]
if number == '' then
  number = nextNumber(KEYS[1])
  redis.call('HSET', KEYS[1], 'given', number)
elseif tonumber(redis.call('HGET', KEYS[1], 'written') or '0') > tonumber(number) then
  return ''
end
noteChange(KEYS[3], ARGV[5])
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'written', number)
redis.call('HDEL', KEYS[1], 'removed')
local endsAt = '+inf'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  endsAt = now + ARGV[3]
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], endsAt, ARGV[4])
return number`
  }
).withReturnType<string>()

/**
 * Removes a record if it is still the one that was seen (empty: none): 1, or 0 if it is not. A removal without a lease
 * is remembered, and no lease given so far can bring the token back.
 */
export const removeScript = Redis.script(
  (
    keys: ChangedKeys,
    removal: {
      readonly address: string
      readonly seen: string
      /** That of the lease; empty for a removal without one. */
      readonly number: string
    }
  ) => [...keysOf(keys), removal.address, removal.seen, removal.number, keys.group],
  {
    numberOfKeys: 3,
    lua: `${nextNumber}${noteChange}
if (redis.call('HGET', KEYS[1], 'record') or '') ~= ARGV[2] then return 0 end
noteChange(KEYS[3], ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], 'record')
if ARGV[3] == '' then
  local number = nextNumber(KEYS[1])
  local time = redis.call('TIME')
  local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  redis.call('HSET', KEYS[1], 'given', number, 'written', number, 'removed', now)
  redis.call('PEXPIRE', KEYS[1], ${Duration.toMillis(removalRecordLife)})
elseif redis.call('EXISTS', KEYS[1]) == 1 then
  if tonumber(redis.call('HGET', KEYS[1], 'written') or '0') < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'written', ARGV[3])
  end
  redis.call('PEXPIRE', KEYS[1], ${leaseNumberLife})
end
return 1`
  }
).withReturnType<number>()

/** Moves a record out of the way if it is still the one that was seen: 1, or 0 if it is not. */
export const setAsideScript = Redis.script(
  (token: string, index: string, damaged: string, address: string, seen: string) => [
    token,
    index,
    damaged,
    address,
    seen
  ],
  {
    numberOfKeys: 3,
    lua: `
if redis.call('HGET', KEYS[1], 'record') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[3], ARGV[2], 'EX', ${30 * 24 * 60 * 60})
redis.call('HDEL', KEYS[1], 'record')
redis.call('PEXPIRE', KEYS[1], ${leaseNumberLife})
redis.call('ZREM', KEYS[2], ARGV[1])
return 1`
  }
).withReturnType<number>()

/** Whether a write would be taken now. */
export const probeScript = Redis.script((key: string) => [key], {
  numberOfKeys: 1,
  lua: `
redis.call('SET', KEYS[1], string.rep('.', 16384), 'PX', 1)
return 1`
}).withReturnType<number>()
