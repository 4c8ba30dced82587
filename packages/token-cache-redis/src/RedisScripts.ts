import * as Redis from "effect/persistence/Redis"

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

/** How long numbers without a record are remembered, in milliseconds: longer than anybody is late. */
const remembered = 60 * 60 * 1000

/** Takes the lease: `[number, record]`, with an empty record if there is none; null while somebody has it. */
export const leaseScript = Redis.script(
  (lease: string, token: string, timeToLive: number) => [lease, token, timeToLive],
  {
    numberOfKeys: 2,
    lua: `${nextNumber}
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local number = nextNumber(KEYS[2])
redis.call('HSET', KEYS[2], 'given', number)
local record = redis.call('HGET', KEYS[2], 'record')
if not record then redis.call('PEXPIRE', KEYS[2], ${remembered}) end
redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
return { number, record or '' }`
  }
).withReturnType<readonly [number: string, record: string] | null>()

/** Makes the lease last, also one that has ended if nobody has taken it: 1, or 0 if somebody has. */
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

/** Gives the lease back, unless somebody else has it. */
export const releaseScript = Redis.script((lease: string, number: string) => [lease, number], {
  numberOfKeys: 1,
  lua: `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0`
}).withReturnType<number>()

/** Writes a record: 1, or 0 if the lease it is written with is older than the last write. */
export const writeScript = Redis.script(
  (
    token: string,
    index: string,
    write: {
      readonly address: string
      /** Sealed. */
      readonly record: string
      /** That of the lease; empty for a write without one. */
      readonly number: string
      /** Milliseconds; empty for ever. */
      readonly timeToLive: number | ""
    }
  ) => [token, index, write.number, write.record, write.timeToLive, write.address],
  {
    numberOfKeys: 2,
    lua: `${nextNumber}
local number = ARGV[1]
if number == '' then
  number = nextNumber(KEYS[1])
  redis.call('HSET', KEYS[1], 'given', number)
elseif tonumber(redis.call('HGET', KEYS[1], 'written') or '0') > tonumber(number) then
  return 0
end
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'written', number)
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
return 1`
  }
).withReturnType<number>()

/**
 * Removes a record if it is still the one that was seen (empty: none): 1, or 0 if it is not. No lease given so far
 * can bring it back.
 */
export const removeScript = Redis.script(
  (
    token: string,
    index: string,
    removal: {
      readonly address: string
      readonly seen: string
      /** That of the lease; empty for a removal without one. */
      readonly number: string
    }
  ) => [token, index, removal.address, removal.seen, removal.number],
  {
    numberOfKeys: 2,
    lua: `${nextNumber}
if (redis.call('HGET', KEYS[1], 'record') or '') ~= ARGV[2] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end
local number = ARGV[3]
if number == '' then
  number = nextNumber(KEYS[1])
  redis.call('HSET', KEYS[1], 'given', number)
end
redis.call('HDEL', KEYS[1], 'record')
redis.call('HSET', KEYS[1], 'written', number)
redis.call('PEXPIRE', KEYS[1], ${remembered})
redis.call('ZREM', KEYS[2], ARGV[1])
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
redis.call('PEXPIRE', KEYS[1], ${remembered})
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
