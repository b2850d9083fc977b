// The scripts that Redis runs whole. All data of vipd have one hash tag, so that they lie on one node of a cluster:
//
//   {vipd}:records   hash: key -> "<version> <value>"; and "#epoch", so that it is noticed when this hash alone was lost
//   {vipd}:meta      hash: epoch, run (the run id and replication id of the server that began the epoch), revision; and
//                    reads, how many were confirmed by replicas
//   {vipd}:log       list, newest first: one JSON text for each of the last commits
//
// Numbers beyond 2^53 do not pass through Lua unharmed; revisions begin at the clock's microseconds, 2^51, and stay below.

import { createHash } from "node:crypto";
import { MAX_READ_BYTES, MAX_RECORDS, MAX_VALUE_BYTES } from "../../src/base/bounds.ts";

/** The keys of all scripts, in their order. */
export const KEYS = ["{vipd}:records", "{vipd}:meta", "{vipd}:log"] as const;

/** Where commits are told. */
export const CHANNEL = "{vipd}:changes";

/** How many commits are remembered for watches that begin late. */
export const LOG_LENGTH = 1_000;

/** So many records or commits are taken at a time: Lua passes only some thousands of values to a call. */
const PORTION = 500;

/** A script and its name for EVALSHA. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

function script(text: string): Script {
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** ARGV: run. Begins a new epoch when the server has restarted, was promoted, or lost the data. Gives epoch and revision. */
export const BEGIN = script(`
  local meta = redis.call('HMGET', KEYS[2], 'run', 'epoch', 'revision')
  if meta[1] ~= ARGV[1] or not meta[2] or not meta[3] or redis.call('HGET', KEYS[1], '#epoch') ~= meta[2] then
    local time = redis.call('TIME')
    local floor = tonumber(time[1]) * 1000000 + tonumber(time[2])
    local revision = math.max((tonumber(meta[3]) or 0) + 1, floor)
    redis.call('HSET', KEYS[2], 'run', ARGV[1], 'epoch', ARGV[2], 'revision', string.format('%.0f', revision))
    redis.call('HSET', KEYS[1], '#epoch', ARGV[2])
    redis.call('DEL', KEYS[3])
  end
  return redis.call('HMGET', KEYS[2], 'epoch', 'revision')
`);

/** Redis keeps a record as its version, a space and its value. */
const LONGEST_TEXT = 16 + 1 + MAX_VALUE_BYTES;

/**
 * ARGV: run, prefix, "1" when the replicas shall confirm it: then something is written, for WAIT to wait for. Gives epoch, revision, and keys and values by turns, of a value that is too long its version alone;
 * "too-much" when they are too many; nothing when the server has restarted or was promoted.
 */
export const READ = script(`
  local meta = redis.call('HMGET', KEYS[2], 'run', 'epoch', 'revision')
  if meta[1] ~= ARGV[1] or not meta[2] or redis.call('HGET', KEYS[1], '#epoch') ~= meta[2] then return false end
  local found, wanted, records, bytes = { meta[2], meta[3] }, {}, 0, 0
  for _, key in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(key, 1, #ARGV[2]) == ARGV[2] and key ~= '#epoch' then
      local length = redis.call('HSTRLEN', KEYS[1], key)
      records = records + 1
      if length > ${LONGEST_TEXT} then
        found[#found + 1] = key
        found[#found + 1] = string.match(redis.call('HGET', KEYS[1], key), '^%d+ ') or ''
        length = 0
      else wanted[#wanted + 1] = key end
      bytes = bytes + #key + length
      if records > ${MAX_RECORDS} or bytes > ${MAX_READ_BYTES} then return { 'too-much' } end
    end
  end
  for first = 1, #wanted, ${PORTION} do
    local last = math.min(first + ${PORTION - 1}, #wanted)
    for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(wanted, first, last))) do
      found[#found + 1] = wanted[first + i - 1]
      found[#found + 1] = value
    end
  end
  if ARGV[3] == '1' then redis.call('HINCRBY', KEYS[2], 'reads', 1) end
  return found
`);

/**
 * ARGV: revision. Gives the epoch, and the entries of all commits after that revision, oldest first; nothing when not all of
 * them are known, or they are too much.
 */
export const CHANGES = script(`
  local meta = redis.call('HMGET', KEYS[2], 'epoch', 'revision')
  if not meta[1] or not meta[2] then return false end
  local commits = tonumber(meta[2]) - tonumber(ARGV[1])
  if commits < 0 or commits > redis.call('LLEN', KEYS[3]) then return false end
  local found, bytes = { meta[1] }, 0
  for oldest = commits - 1, 0, -${PORTION} do
    local entries = redis.call('LRANGE', KEYS[3], math.max(oldest - ${PORTION - 1}, 0), oldest)
    for i = #entries, 1, -1 do
      found[#found + 1] = entries[i]
      bytes = bytes + #entries[i]
      if bytes > ${MAX_READ_BYTES} then return false end
    end
  end
  return found
`);

/**
 * ARGV: run, epoch, last moment (server time in microseconds), the entry for the log less its revision and epoch, number of
 * guards, then key and version ("" for none) by turns, then key, "1" or "0" (delete), and value by threes. Gives "ok",
 * revision and epoch; "conflict"; "late"; or "over" when the server has restarted or was promoted, or the epoch is another.
 */
export const COMMIT = script(`
  local meta = redis.call('HMGET', KEYS[2], 'run', 'epoch', 'revision')
  if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] or redis.call('HGET', KEYS[1], '#epoch') ~= meta[2] then return { 'over' } end
  local time = redis.call('TIME')
  if tonumber(time[1]) * 1000000 + tonumber(time[2]) > tonumber(ARGV[3]) then return { 'late' } end
  local guards = tonumber(ARGV[5])
  for i = 1, guards do
    local record = redis.call('HGET', KEYS[1], ARGV[4 + 2 * i])
    local version = record and string.match(record, '^%d+') or ''
    if version ~= ARGV[5 + 2 * i] then return { 'conflict' } end
  end
  local revision = string.format('%.0f', tonumber(meta[3]) + 1)
  redis.call('HSET', KEYS[2], 'revision', revision)
  for i = 6 + 2 * guards, #ARGV, 3 do
    if ARGV[i + 1] == '1' then redis.call('HSET', KEYS[1], ARGV[i], revision .. ' ' .. ARGV[i + 2])
    else redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
  local entry = '{"revision":"' .. revision .. '","epoch":"' .. meta[2] .. '",' .. ARGV[4]
  redis.call('LPUSH', KEYS[3], entry)
  redis.call('LTRIM', KEYS[3], 0, ${LOG_LENGTH - 1})
  redis.call('PUBLISH', '${CHANNEL}', entry)
  return { 'ok', revision, meta[2] }
`);
