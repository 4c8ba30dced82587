/** A server that sends each request body back as it comes, no faster than it is read. */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

announce(
  createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    response.writeHead(200, { "content-type": "application/json" })
    request.pipe(response)
  })
)
