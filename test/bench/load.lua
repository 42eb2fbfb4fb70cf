-- For wrk: `wrk … -s load.lua URL -- METHOD keep|close [BODY]`. Ends with one line of JSON.
function init(args)
  wrk.method = args[1]
  if args[2] == "close" then
    wrk.headers["Connection"] = "close"
  end
  if args[3] then
    wrk.body = args[3]
    wrk.headers["Content-Type"] = "application/json"
  end
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
