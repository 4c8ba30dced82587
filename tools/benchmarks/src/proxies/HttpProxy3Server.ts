/** http-proxy-3 over kept connections, with one header that is set. */
import { createProxyServer } from "http-proxy-3"
import { Agent, createServer } from "node:http"
import { announce } from "../servers/Listening.ts"

const [target = ""] = process.argv.slice(2)
const proxy = createProxyServer({
  target,
  agent: new Agent({ keepAlive: true, maxSockets: 2048 }),
  headers: { authorization: "Bearer a-token" }
})
proxy.on("error", () => {})

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  proxy.web(request, response)
})
announce(server)
