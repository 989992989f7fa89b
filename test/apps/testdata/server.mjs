// node server.mjs PORT DIR: serves the files of DIR, answers POST with the sha256 of the body.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { pipeline } from "node:stream";

const [port, dir] = process.argv.slice(2);

createServer((req, res) => {
	if (req.method === "POST") {
		const hash = createHash("sha256");
		req.on("data", (chunk) => hash.update(chunk));
		req.on("end", () => res.end(hash.digest("hex")));
		return;
	}
	pipeline(createReadStream(join(dir, basename(req.url))), res, (err) => {
		if (err) console.error(err);
	});
}).listen(Number(port), "127.0.0.1");
