import { serveStdio } from "@modelcontextprotocol/server/stdio"
import type { AddressInfo } from "node:net"
import { makeHttpServer } from "./HttpEndpoint.ts"
import { makeStateCodec } from "./InputRequiredTools.ts"
import { makeTestServer } from "./TestServer.ts"

/** `main.ts stdio` serves on the standard streams, `main.ts http` on a free port whose origin it prints. */
if (process.argv[2] === "stdio") {
  const codec = makeStateCodec()
  serveStdio(() => makeTestServer(codec))
} else {
  const server = makeHttpServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    process.stdout.write(`http://127.0.0.1:${port}\n`)
  })
}
