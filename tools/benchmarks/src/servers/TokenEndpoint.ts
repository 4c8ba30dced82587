/**
 * A token endpoint that gives a token of an hour to everybody, as many milliseconds later as it is told. A person's first
 * token is as good as expired, so that the next request refreshes it.
 */
import { createServer } from "node:http"
import { announce } from "./Listening.ts"

const [delay = "0"] = process.argv.slice(2)
const issued = { count: 0 }

const answerTo = (form: URLSearchParams) => {
  issued.count += 1
  const isFirst = form.get("grant_type") === "authorization_code"
  return {
    access_token: `token-${issued.count}-${"a".repeat(40)}`,
    token_type: "Bearer",
    expires_in: isFirst && form.get("code") === "expired" ? 1 : 3600,
    ...(form.get("grant_type") === "client_credentials" ? {} : { refresh_token: `refresh-${issued.count}` })
  }
}

announce(
  createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
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
    let form = ""
    request.setEncoding("latin1").on("data", (piece: string) => (form += piece))
    request.once("end", () => {
      if (request.url === "/issued") return response.end(String(issued.count))
      const give = () => answer(answerTo(new URLSearchParams(form)))
      return Number(delay) === 0 ? give() : setTimeout(give, Number(delay))
    })
  })
)
