// The scripts that Redis runs whole. All data of vipd have one hash tag, so that they lie on one node of a cluster:
//
//   {vipd}:records   hash: key -> "<version> <value>"; and "#epoch", so that it is noticed when this hash alone was lost
//   {vipd}:meta      hash: epoch, run (the run id and replication id of the server that began the epoch), revision
//   {vipd}:log       list, newest first: one JSON text for each of the last commits
//
// Numbers beyond 2^53 do not pass through Lua unharmed; revisions begin at the clock's microseconds, 2^51, and stay below.

import { createHash } from "node:crypto";

/** The keys of all scripts, in their order. */
export const KEYS = ["{vipd}:records", "{vipd}:meta", "{vipd}:log"] as const;

/** Where commits are told. */
export const CHANNEL = "{vipd}:changes";

/** How many commits are remembered for watches that begin late. */
export const LOG_LENGTH = 1_000;

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

/** ARGV: run, prefix. Gives epoch, revision, and keys and values by turns; nothing when the server has restarted or was promoted. */
export const READ = script(`
  local meta = redis.call('HMGET', KEYS[2], 'run', 'epoch', 'revision')
  if meta[1] ~= ARGV[1] or not meta[2] or redis.call('HGET', KEYS[1], '#epoch') ~= meta[2] then return false end
  local found = { meta[2], meta[3] }
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, #ARGV[2]) == ARGV[2] and all[i] ~= '#epoch' then
      found[#found + 1] = all[i]
      found[#found + 1] = all[i + 1]
    end
  end
  return found
`);

/**
 * ARGV: run, last moment (server time in microseconds), the entry for the log with "?" for its revision, number of guards,
 * then key and version ("" for none) by turns, then key, "1" or "0" (delete), and value by threes. Gives "ok", revision and
 * epoch; "conflict"; "late"; or "restarted" when the server has restarted or was promoted.
 */
export const COMMIT = script(`
  local meta = redis.call('HMGET', KEYS[2], 'run', 'epoch', 'revision')
  if meta[1] ~= ARGV[1] or not meta[2] or redis.call('HGET', KEYS[1], '#epoch') ~= meta[2] then return { 'restarted' } end
  local time = redis.call('TIME')
  if tonumber(time[1]) * 1000000 + tonumber(time[2]) > tonumber(ARGV[2]) then return { 'late' } end
  local guards = tonumber(ARGV[4])
  for i = 1, guards do
    local record = redis.call('HGET', KEYS[1], ARGV[3 + 2 * i])
    local version = record and string.match(record, '^%d+') or ''
    if version ~= ARGV[4 + 2 * i] then return { 'conflict' } end
  end
  local revision = string.format('%.0f', tonumber(meta[3]) + 1)
  redis.call('HSET', KEYS[2], 'revision', revision)
  for i = 5 + 2 * guards, #ARGV, 3 do
    if ARGV[i + 1] == '1' then redis.call('HSET', KEYS[1], ARGV[i], revision .. ' ' .. ARGV[i + 2])
    else redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
  local entry = '{"revision":"' .. revision .. '","epoch":"' .. meta[2] .. '",' .. ARGV[3]
  redis.call('LPUSH', KEYS[3], entry)
  redis.call('LTRIM', KEYS[3], 0, ${LOG_LENGTH - 1})
  redis.call('PUBLISH', '${CHANNEL}', entry)
  return { 'ok', revision, meta[2] }
`);
