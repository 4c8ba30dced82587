/** fast-proxy over undici, with one header that is set. */
import fastProxy from "fast-proxy"
import { createServer } from "node:http"
import { announce } from "../servers/Listening.ts"

const [base = ""] = process.argv.slice(2)
const { proxy } = fastProxy({ base, undici: { connections: 4096, pipelining: 1 } })

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  proxy(request, response, request.url ?? "/", {
    rewriteRequestHeaders: (_, headers) => ({ ...headers, authorization: "Bearer a-token" })
  })
})
announce(server)
