-- Called once, after the last answer: nothing of this script runs while wrk
-- measures. wrk iterates the histogram by its distinct values.
done = function(summary, latency, requests)
	-- The load is over. Each value costs a walk through the histogram.
	io.stderr:write("done\n")
	local values = {}
	for i = 1, #latency do
		values[i] = string.format("[%.0f,%.0f]", latency(i))
	end
	local e = summary.errors
	io.write(string.format('\n{"requests":%.0f,"bytes":%.0f,"duration":%.0f,', summary.requests, summary.bytes, summary.duration))
	io.write(string.format('"errors":{"connect":%.0f,"read":%.0f,"write":%.0f,"timeout":%.0f,"status":%.0f},', e.connect, e.read, e.write, e.timeout, e.status))
	io.write('"latency":[', table.concat(values, ","), "]}\n")
end
