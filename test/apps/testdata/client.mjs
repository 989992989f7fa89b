// node client.mjs PORT CONCURRENCY: for each line "FILE REQUESTS" on stdin makes these requests over
// kept connections, in turn a GET of FILE's name, which is compared, and a POST of FILE, whose
// sha256 has to come back. Answers each line with "done".
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { basename } from "node:path";
import { createInterface } from "node:readline";

const [port, concurrency] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: concurrency });

function once(method, path, body, want) {
	return new Promise((resolve, reject) => {
		const req = request({ agent, method, port, host: "127.0.0.1", path }, (res) => {
			const hash = createHash("sha256");
			let text = "";
			res.on("data", (chunk) => (method === "GET" ? hash.update(chunk) : (text += chunk)));
			res.on("error", reject);
			res.on("end", () => {
				const got = method === "GET" ? hash.digest("hex") : text;
				if (res.statusCode === 200 && got === want) resolve();
				else reject(new Error(`${method}: status ${res.statusCode}, sha256 ${got}, want ${want}`));
			});
		});
		req.on("error", reject);
		req.end(method === "POST" ? body : undefined);
	});
}

for await (const line of createInterface({ input: process.stdin })) {
	const [file, requests] = line.split(" ");
	const body = readFileSync(file);
	const want = createHash("sha256").update(body).digest("hex");
	let next = 0;
	async function worker() {
		while (next < Number(requests)) await once(next++ % 2 ? "POST" : "GET", "/" + basename(file), body, want);
	}
	await Promise.all(Array.from({ length: concurrency }, worker));
	console.log("done");
}
