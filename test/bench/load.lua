-- For wrk: `wrk … -s load.lua URL -- METHOD keep|close [FIRST]`. Ends with one line of JSON.
-- With FIRST each call confirms a transaction of its own, counted from it: a second confirm of one is refused.
local path
local number

function init(args)
  wrk.method = args[1]
  if args[2] == "close" then
    wrk.headers["Connection"] = "close"
  end
  path = wrk.path
  number = tonumber(args[3])
  if number then
    wrk.headers["Content-Type"] = "application/json"
  end
end

function request()
  if not number then
    return wrk.format()
  end
  number = number + 1
  local reference = string.format("TRX%011d", number)
  -- In the query as well: from there the server takes it into its answer.
  return wrk.format(nil, path .. "?transaction_reference=" .. reference, nil, '{"transaction_reference":"' .. reference .. '"}')
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"errors":%d,"p50":%d,"p99":%d,"longest":%d}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max
  ))
end
