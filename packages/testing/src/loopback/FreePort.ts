import * as Effect from "effect/Effect"
import { once } from "node:events"
import { createServer } from "node:net"

/**
 * A free port of 127.0.0.1, for a program that cannot pick one itself. Another process may take it
 * before the program does.
 */
export const freePort: Effect.Effect<number> = Effect.promise(async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  if (address === null || typeof address === "string") throw new Error("The server listens on no port")
  return address.port
})
