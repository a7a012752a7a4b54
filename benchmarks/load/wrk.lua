-- wrk's script: POSTs the lines of the file named first after `--`, one a request, in turn; a thread of wrk begins where
-- its share of the file does. The last line it prints is the result as JSON. Everything costly is done before the run.

local started = {}

function setup(thread)
    thread:set("number", #started)
    table.insert(started, thread)
end

function init(arguments)
    wrk.headers["Content-Type"] = "application/json"
    requests = {}
    for body in io.lines(arguments[1]) do
        requests[#requests + 1] = wrk.format("POST", nil, nil, body)
    end
    position = number * tonumber(arguments[2])
    statuses = {}
end

function request()
    position = position % #requests + 1
    return requests[position]
end

function response(status)
    statuses[status] = (statuses[status] or 0) + 1
end

local function sum_of_statuses()
    local sums, parts = {}, {}
    for _, thread in ipairs(started) do
        for status, count in pairs(thread:get("statuses")) do
            sums[status] = (sums[status] or 0) + count
        end
    end
    for status, count in pairs(sums) do
        table.insert(parts, string.format('"%d": %d', status, count))
    end
    return table.concat(parts, ", ")
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "microseconds": %d, "statuses": {%s}, '
            .. '"errors": {"connect": %d, "read": %d, "write": %d, "timeout": %d}, "latencies": [%d, %d, %d, %d, %d]}\n',
        summary.requests, summary.duration, sum_of_statuses(),
        errors.connect, errors.read, errors.write, errors.timeout,
        latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9), latency.max
    ))
end
