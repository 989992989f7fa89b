"""server.py PORT DIR: answers a line with a name with the file of that name in DIR (loop.sendfile),
and a line "echo N" with the N bytes behind it."""

import asyncio
import os
import sys


async def serve(reader, writer):
    loop = asyncio.get_running_loop()
    while line := await reader.readline():
        command = line.decode().split()
        if command[0] == "echo":
            left = int(command[1])
            while left:
                chunk = await reader.read(min(left, 65536))
                if not chunk:
                    return
                left -= len(chunk)
                writer.write(chunk)
                await writer.drain()
        else:
            with open(os.path.join(sys.argv[2], command[0]), "rb") as file:
                await loop.sendfile(writer.transport, file)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    await server.serve_forever()


asyncio.run(main())
