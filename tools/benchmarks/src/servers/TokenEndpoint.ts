/** A token endpoint that gives a token of an hour to everybody. */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

const issued = { count: 0 }

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  const answer = (body: object) => {
    const text = JSON.stringify(body)
    response
      .writeHead(200, {
        "content-type": "application/json",
        "cache-control": "no-store",
        "content-length": String(Buffer.byteLength(text))
      })
      .end(text)
  }
  request.resume()
  request.once("end", () => {
    if (request.url === "/issued") return answer(issued)
    issued.count += 1
    return answer({
      access_token: `token-${issued.count}-${"a".repeat(40)}`,
      token_type: "Bearer",
      expires_in: 3600
    })
  })
})
announce(server)
