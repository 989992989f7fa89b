"""client.py PORT CONNECTIONS: for each line "FILE ROUNDS" on stdin, on each connection and in each
round, gets FILE and compares it, and has a piece of it echoed, writing and reading at the same time.
Answers each line with "done"."""

import asyncio
import os
import sys


async def receive(reader, want):
    got = await reader.readexactly(len(want))
    if got != want:
        sys.exit("the content is wrong")


async def talk(reader, writer, path, content, rounds):
    for i in range(rounds):
        writer.write(os.path.basename(path).encode() + b"\n")
        await receive(reader, content)
        piece = content[:1 + (i * 7919) % len(content)]
        writer.write(b"echo %d\n" % len(piece) + piece)
        await asyncio.gather(writer.drain(), receive(reader, piece))


async def main():
    port, connections = map(int, sys.argv[1:])
    conns = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        path, rounds = line.split()
        with open(path, "rb") as f:
            content = f.read()
        await asyncio.gather(*(talk(r, w, path, content, int(rounds)) for r, w in conns))
        print("done", flush=True)


asyncio.run(main())
